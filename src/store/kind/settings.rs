//! Stored settings of the operator on which decisions depend.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Record, filter::CriteriaV1, stored::Stored};
use crate::domain::{
    FilterBlob,
    directory::{DecisionSettings, Subject},
};
use crate::store::{
    StoreError,
    codec::{decode_v1, encode},
};

const V1: u8 = 1;

#[derive(Serialize, Deserialize)]
struct SettingsV1 {
    time_zone: String,
    send: bool,
    /// A filter of nobody without a name: owner, name, whether it is public, and its criteria.
    fallback: (u64, String, bool, CriteriaV1),
}

impl Record for DecisionSettings {
    const SUBJECT: Subject = Subject::Settings;
    const NAME: &'static str = "settings";

    /// Always 0, because there is only one record.
    fn number(&self) -> u64 {
        0
    }

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let record = SettingsV1 {
            time_zone: self.time_zone.name().to_owned(),
            send: self.send,
            fallback: (0, String::new(), false, self.fallback.store()),
        };
        encode(V1, &record)
    }

    fn audit(&self) -> Value {
        json!({
            "time_zone": self.time_zone.name(),
            "send": self.send,
            "fallback_filter": self.fallback.audit(),
        })
    }
}

pub fn decode_settings(value: &[u8]) -> Result<DecisionSettings, StoreError> {
    let record: SettingsV1 = decode_v1("settings", value)?;
    let unknown = |_| StoreError::Damaged(format!("the settings name the unknown time zone {}", record.time_zone));
    Ok(DecisionSettings {
        time_zone: record.time_zone.parse().map_err(unknown)?,
        send: record.send,
        fallback: FilterBlob::restore(record.fallback.3)
            .map_err(|_| StoreError::Damaged("the settings have an unknown criterion".to_owned()))?,
    })
}

//! Stored destinations of users.

use std::{collections::BTreeMap, sync::Arc};

use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Kind, Record, kept_in, known_as};
use crate::{
    domain::{
        destination::{Destination, shows_settings},
        ids::{DestinationId, UserId},
    },
    store::{
        StoreError,
        codec::{decode_v1, encode},
    },
};

const V1: u8 = 1;

#[derive(Serialize, Deserialize)]
struct DestinationV1 {
    owner: u64,
    medium: String,
    label: Option<String>,
    settings: BTreeMap<String, String>,
    synced: bool,
}

impl Record for Destination {
    known_as!(Destination, "destination");

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let record = DestinationV1 {
            owner: self.owner.0,
            medium: self.medium.clone(),
            label: self.label.clone(),
            settings: self.settings.clone(),
            synced: self.synced,
        };
        encode(V1, &record)
    }

    /// Removes the settings of media other than e-mail and SMS, which may contain secrets.
    fn without_secrets(&self) -> Option<Self> {
        (!shows_settings(&self.medium)).then(|| Self { settings: BTreeMap::new(), ..self.clone() })
    }

    /// Contains only the names of settings that may contain secrets.
    fn audit(&self) -> Value {
        let settings: serde_json::Map<String, Value> = self
            .settings
            .iter()
            .map(|(key, value)| {
                let open = shows_settings(&self.medium);
                (key.clone(), if open { value.clone().into() } else { Value::Bool(true) })
            })
            .collect();
        json!({
            "owner": self.owner.0,
            "medium": self.medium,
            "label": self.label,
            "settings": settings,
            "synced": self.synced,
        })
    }
}

impl Kind for Destination {
    kept_in!("destination_id_to_destination", id: DestinationId => destinations: OrdMap<DestinationId, Arc<Self>>);

    fn decode(id: DestinationId, value: &[u8]) -> Result<Self, StoreError> {
        let record: DestinationV1 = decode_v1("destination", value)?;
        Ok(Self {
            id,
            owner: UserId(record.owner),
            medium: record.medium,
            label: record.label,
            settings: record.settings,
            synced: record.synced,
        })
    }

    fn owner(&self) -> Option<(&'static str, UserId)> {
        Some(("owner", self.owner))
    }
}

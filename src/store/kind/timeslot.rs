//! Stored timeslots.

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Kind, Record, kept_in, known_as};
use crate::{
    domain::{
        ids::{TimeslotId, UserId},
        timeslot::{Recurrence, TimeOfDay, Timeslot},
    },
    store::{
        StoreError,
        codec::{decode_v1, encode},
    },
};

const V1: u8 = 1;

#[derive(Serialize, Deserialize)]
struct TimeslotV1 {
    owner: u64,
    name: String,
    /// (days, start, end)
    recurrences: Vec<(Vec<u8>, u64, u64)>,
}

impl Record for Timeslot {
    known_as!(Timeslot, "timeslot");

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let record = TimeslotV1 {
            owner: self.owner.0,
            name: self.name.clone(),
            recurrences: self.recurrences.iter().map(|r| (r.days.clone(), r.start.0, r.end.0)).collect(),
        };
        encode(V1, &record)
    }

    fn audit(&self) -> Value {
        let recurrences: Vec<Value> = self
            .recurrences
            .iter()
            .map(|r| json!({ "days": r.days, "start_micros": r.start.0, "end_micros": r.end.0 }))
            .collect();
        json!({ "owner": self.owner.0, "name": self.name, "recurrences": recurrences })
    }
}

impl Kind for Timeslot {
    kept_in!("timeslot_id_to_timeslot", id: TimeslotId => timeslots: OrdMap<TimeslotId, Arc<Self>>);

    fn decode(id: TimeslotId, value: &[u8]) -> Result<Self, StoreError> {
        let record: TimeslotV1 = decode_v1("timeslot", value)?;
        Ok(Self {
            id,
            owner: UserId(record.owner),
            name: record.name,
            recurrences: record
                .recurrences
                .into_iter()
                .map(|(days, start, end)| Recurrence { days, start: TimeOfDay(start), end: TimeOfDay(end) })
                .collect(),
        })
    }

    fn owner(&self) -> Option<(&'static str, UserId)> {
        Some(("owner", self.owner))
    }
}

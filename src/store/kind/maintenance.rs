//! Stored planned maintenance.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Kind, Record, kept_in, known_as, moment};
use crate::{
    domain::{
        directory::Directory,
        ids::{FilterId, MaintenanceId, UserId},
        maintenance::{Maintenance, Maintenances},
        time::Timestamp,
    },
    store::{
        StoreError,
        codec::{decode_v1, encode, timestamp},
        verify::Findings,
    },
};

const V1: u8 = 1;

#[derive(Serialize, Deserialize)]
struct MaintenanceV1 {
    created_by: u64,
    created: i64,
    start: i64,
    end: Option<i64>,
    description: String,
    filters: Vec<u64>,
}

impl Record for Maintenance {
    known_as!(Maintenance, "maintenance");

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let record = MaintenanceV1 {
            created_by: self.created_by.0,
            created: self.created.micros(),
            start: self.start.micros(),
            end: self.end.map(Timestamp::micros),
            description: self.description.clone(),
            filters: self.filters.iter().map(|id| id.0).collect(),
        };
        encode(V1, &record)
    }

    fn audit(&self) -> Value {
        json!({
            "created_by": self.created_by.0,
            "created": moment(self.created),
            "start": moment(self.start),
            "end": self.end.map(moment),
            "description": self.description,
            "filters": self.filters.iter().map(|id| id.0).collect::<Vec<_>>(),
        })
    }
}

impl Kind for Maintenance {
    kept_in!("maintenance_id_to_maintenance", id: MaintenanceId => maintenances: Maintenances);

    fn decode(id: MaintenanceId, value: &[u8]) -> Result<Self, StoreError> {
        let record: MaintenanceV1 = decode_v1("maintenance", value)?;
        Ok(Self {
            id,
            created_by: UserId(record.created_by),
            created: timestamp(record.created)?,
            start: timestamp(record.start)?,
            end: record.end.map(timestamp).transpose()?,
            description: record.description,
            filters: record.filters.into_iter().map(FilterId).collect(),
        })
    }

    fn owner(&self) -> Option<(&'static str, UserId)> {
        Some(("author", self.created_by))
    }

    fn check_references(&self, directory: &Directory, findings: &mut Findings) {
        let id = self.id;
        findings
            .check(self.end.is_none_or(|end| self.start < end), || format!("maintenance {id} ends before it starts"));
        for filter in &self.filters {
            findings.check(directory.filters.contains_key(filter), || {
                format!("maintenance {id} has the unknown filter {filter}")
            });
        }
    }
}

//! Stored notification profiles.

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Kind, Record, kept_in, known_as};
use crate::{
    domain::{
        directory::Directory,
        ids::{DestinationId, FilterId, ProfileId, TimeslotId, UserId},
        profile::Profile,
    },
    store::{
        StoreError,
        codec::{decode_v1, encode},
        verify::Findings,
    },
};

const V1: u8 = 1;

#[derive(Serialize, Deserialize)]
struct ProfileV1 {
    owner: u64,
    name: Option<String>,
    timeslot: u64,
    filters: Vec<u64>,
    destinations: Vec<u64>,
    active: bool,
}

impl Record for Profile {
    known_as!(Profile, "profile");

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let record = ProfileV1 {
            owner: self.owner.0,
            name: self.name.clone(),
            timeslot: self.timeslot.0,
            filters: self.filters.iter().map(|id| id.0).collect(),
            destinations: self.destinations.iter().map(|id| id.0).collect(),
            active: self.active,
        };
        encode(V1, &record)
    }

    fn audit(&self) -> Value {
        json!({
            "owner": self.owner.0,
            "name": self.name,
            "timeslot": self.timeslot.0,
            "filters": self.filters.iter().map(|id| id.0).collect::<Vec<_>>(),
            "destinations": self.destinations.iter().map(|id| id.0).collect::<Vec<_>>(),
            "active": self.active,
        })
    }
}

impl Kind for Profile {
    kept_in!("profile_id_to_profile", id: ProfileId => profiles: OrdMap<ProfileId, Arc<Self>>);

    fn decode(id: ProfileId, value: &[u8]) -> Result<Self, StoreError> {
        let record: ProfileV1 = decode_v1("profile", value)?;
        Ok(Self {
            id,
            owner: UserId(record.owner),
            name: record.name,
            timeslot: TimeslotId(record.timeslot),
            filters: record.filters.into_iter().map(FilterId).collect(),
            destinations: record.destinations.into_iter().map(DestinationId).collect(),
            active: record.active,
        })
    }

    fn owner(&self) -> Option<(&'static str, UserId)> {
        Some(("owner", self.owner))
    }

    fn check_references(&self, directory: &Directory, findings: &mut Findings) {
        let id = self.id;
        findings.check(directory.timeslot_of(self.owner, self.timeslot).is_some(), || {
            format!("profile {id} has the unknown timeslot {}", self.timeslot)
        });
        findings.check(!self.filters.is_empty(), || format!("profile {id} has no filter"));
        for filter in &self.filters {
            findings.check(directory.filters.contains_key(filter), || {
                format!("profile {id} has the unknown filter {filter}")
            });
        }
        for destination in &self.destinations {
            findings.check(directory.destination_of(self.owner, *destination).is_some(), || {
                format!("profile {id} has the unknown destination {destination}")
            });
        }
    }
}

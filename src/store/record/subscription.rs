//! Stored notification profiles, planned maintenance and the settings that decisions depend on.

use serde::{Deserialize, Serialize};

use super::configuration::{FilterV1, blob_from_record, blob_record, decode_v1};
use crate::{
    domain::{
        directory::DecisionSettings,
        ids::{DestinationId, FilterId, MaintenanceId, ProfileId, TimeslotId, UserId},
        maintenance::Maintenance,
        profile::Profile,
        time::Timestamp,
    },
    store::{
        StoreError,
        codec::{encode, timestamp},
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

pub fn encode_profile(profile: &Profile) -> Result<Vec<u8>, StoreError> {
    let record = ProfileV1 {
        owner: profile.owner.0,
        name: profile.name.clone(),
        timeslot: profile.timeslot.0,
        filters: profile.filters.iter().map(|id| id.0).collect(),
        destinations: profile.destinations.iter().map(|id| id.0).collect(),
        active: profile.active,
    };
    encode(V1, &record)
}

pub fn decode_profile(id: u64, value: &[u8]) -> Result<Profile, StoreError> {
    let record: ProfileV1 = decode_v1("profile", value)?;
    Ok(Profile {
        id: ProfileId(id),
        owner: UserId(record.owner),
        name: record.name,
        timeslot: TimeslotId(record.timeslot),
        filters: record.filters.into_iter().map(FilterId).collect(),
        destinations: record.destinations.into_iter().map(DestinationId).collect(),
        active: record.active,
    })
}

#[derive(Serialize, Deserialize)]
struct MaintenanceV1 {
    created_by: u64,
    created: i64,
    start: i64,
    end: Option<i64>,
    description: String,
    filters: Vec<u64>,
}

pub fn encode_maintenance(maintenance: &Maintenance) -> Result<Vec<u8>, StoreError> {
    let record = MaintenanceV1 {
        created_by: maintenance.created_by.0,
        created: maintenance.created.micros(),
        start: maintenance.start.micros(),
        end: maintenance.end.map(Timestamp::micros),
        description: maintenance.description.clone(),
        filters: maintenance.filters.iter().map(|id| id.0).collect(),
    };
    encode(V1, &record)
}

pub fn decode_maintenance(id: u64, value: &[u8]) -> Result<Maintenance, StoreError> {
    let record: MaintenanceV1 = decode_v1("maintenance", value)?;
    Ok(Maintenance {
        id: MaintenanceId(id),
        created_by: UserId(record.created_by),
        created: timestamp(record.created)?,
        start: timestamp(record.start)?,
        end: record.end.map(timestamp).transpose()?,
        description: record.description,
        filters: record.filters.into_iter().map(FilterId).collect(),
    })
}

#[derive(Serialize, Deserialize)]
struct SettingsV1 {
    time_zone: String,
    send: bool,
    fallback: FilterV1,
}

pub fn encode_settings(settings: &DecisionSettings) -> Result<Vec<u8>, StoreError> {
    let record = SettingsV1 {
        time_zone: settings.time_zone.name().to_owned(),
        send: settings.send,
        fallback: blob_record(settings.fallback.clone()),
    };
    encode(V1, &record)
}

pub fn decode_settings(value: &[u8]) -> Result<DecisionSettings, StoreError> {
    let record: SettingsV1 = decode_v1("settings", value)?;
    let unknown = |_| StoreError::Damaged(format!("the settings name the unknown time zone {}", record.time_zone));
    Ok(DecisionSettings {
        time_zone: record.time_zone.parse().map_err(unknown)?,
        send: record.send,
        fallback: blob_from_record(record.fallback)
            .ok_or_else(|| StoreError::Damaged("the settings have an unknown criterion".to_owned()))?,
    })
}

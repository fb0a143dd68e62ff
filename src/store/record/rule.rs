//! Stored rules.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::configuration::decode_v1;
use crate::{
    domain::{
        ids::{FilterId, RuleId, TimeslotId, UserId},
        rule::{Addressee, Overflow, Recipient, Rule},
        time::Timestamp,
    },
    store::{
        StoreError,
        codec::{encode, timestamp},
    },
};

const V1: u8 = 1;

#[derive(Serialize, Deserialize)]
struct RuleV1 {
    owner: u64,
    name: String,
    timeslot: u64,
    filters: Vec<u64>,
    /// With the channel.
    recipients: Vec<(AddresseeV1, Option<[u8; 16]>)>,
    active: bool,
    empty_since: Option<i64>,
}

#[derive(Serialize, Deserialize)]
enum AddresseeV1 {
    Contact([u8; 16]),
    Group([u8; 16]),
}

pub fn encode_rule(rule: &Rule) -> Result<Vec<u8>, StoreError> {
    let recipient = |it: &Recipient| {
        let who = match it.who {
            Addressee::Contact(uuid) => AddresseeV1::Contact(uuid.into_bytes()),
            Addressee::Group(uuid) => AddresseeV1::Group(uuid.into_bytes()),
        };
        (who, it.channel.map(Uuid::into_bytes))
    };
    let record = RuleV1 {
        owner: rule.owner.0,
        name: rule.name.clone(),
        timeslot: rule.timeslot.0,
        filters: rule.filters.iter().map(|id| id.0).collect(),
        recipients: rule.recipients.iter().map(recipient).collect(),
        active: rule.active,
        empty_since: rule.empty_since.map(Timestamp::micros),
    };
    encode(V1, &record)
}

pub fn decode_rule(id: u64, value: &[u8]) -> Result<Rule, StoreError> {
    let record: RuleV1 = decode_v1("rule", value)?;
    let recipient = |(who, channel): (AddresseeV1, Option<[u8; 16]>)| Recipient {
        who: match who {
            AddresseeV1::Contact(uuid) => Addressee::Contact(Uuid::from_bytes(uuid)),
            AddresseeV1::Group(uuid) => Addressee::Group(Uuid::from_bytes(uuid)),
        },
        channel: channel.map(Uuid::from_bytes),
    };
    Ok(Rule {
        id: RuleId(id),
        owner: UserId(record.owner),
        name: record.name,
        timeslot: TimeslotId(record.timeslot),
        filters: record.filters.into_iter().map(FilterId).collect(),
        recipients: record.recipients.into_iter().map(recipient).collect(),
        active: record.active,
        empty_since: record.empty_since.map(timestamp).transpose()?,
    })
}

#[derive(Serialize, Deserialize)]
struct OverflowV1 {
    at: i64,
    told: u32,
    left_out: u32,
}

pub fn encode_overflow(overflow: &Overflow) -> Result<Vec<u8>, StoreError> {
    let Overflow { at, told, left_out, .. } = *overflow;
    encode(V1, &OverflowV1 { at: at.micros(), told, left_out })
}

pub fn decode_overflow(rule: u64, value: &[u8]) -> Result<Overflow, StoreError> {
    let OverflowV1 { at, told, left_out } = decode_v1("overflow", value)?;
    Ok(Overflow { rule: RuleId(rule), at: timestamp(at)?, told, left_out })
}

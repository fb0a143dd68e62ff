//! Stored rules, and the number of contacts that their last event left out.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Kind, Record, kept_in, known_as,
    stored::{Stored, audited, stored},
};
use crate::domain::{Addressee, Directory, FilterId, Overflow, Recipient, Rule, RuleId, TimeslotId, Timestamp, UserId};
use crate::store::{
    Snapshot, StoreError,
    codec::{decode_v1, encode, id_key, timestamp},
    tables::WriteTables,
    verify::Findings,
};

const V1: u8 = 1;

stored! {
    RuleV1 of Rule by id: RuleId {
        owner: UserId,
        name: String,
        timeslot: TimeslotId,
        filters: Vec<FilterId>,
        recipients: Vec<Recipient>,
        active: bool,
        empty_since: Option<Timestamp>,
    }
}

impl Record for Rule {
    known_as!(Rule, "rule" as RuleV1);
    audited!(owner, name, timeslot, filters, recipients, active);
}

impl Kind for Rule {
    kept_in!("rule_id_to_rule" as RuleV1, id: RuleId => rules, of owner);

    fn delete_more(tables: &mut WriteTables<'_>, id: RuleId) -> Result<(), StoreError> {
        tables.overflows.remove(id_key(id.0))?;
        Ok(())
    }

    fn check_references(&self, directory: &Directory, findings: &mut Findings) {
        let id = self.id;
        findings.check(directory.timeslot_of(self.owner, self.timeslot).is_some(), || {
            format!("rule {id} has the unknown timeslot {}", self.timeslot)
        });
        findings.check(!self.filters.is_empty(), || format!("rule {id} has no filter"));
        for filter in &self.filters {
            findings
                .check(directory.filters.contains_key(filter), || format!("rule {id} has the unknown filter {filter}"));
        }
        for channel in self.recipients.iter().filter_map(|recipient| recipient.channel) {
            findings.check(directory.channels.contains_key(&channel), || {
                format!("rule {id} leads over the unknown channel {channel}")
            });
        }
        findings.check(self.recipients.is_empty() == self.empty_since.is_some(), || {
            format!("rule {id} does not say truly whether it has recipients")
        });
    }

    fn check_stored_references(&self, snapshot: &Snapshot, findings: &mut Findings) -> Result<(), StoreError> {
        for recipient in &self.recipients {
            let (what, uuid, found) = match recipient.who {
                Addressee::Contact(uuid) => ("contact", uuid, snapshot.contact(uuid)?.is_some()),
                Addressee::Group(uuid) => ("contact group", uuid, snapshot.contact_group(uuid)?.is_some()),
            };
            findings.check(found, || format!("rule {} has the unknown {what} {uuid}", self.id));
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
pub(super) enum AddresseeV1 {
    Contact([u8; 16]),
    Group([u8; 16]),
}

/// With the channel.
impl Stored for Recipient {
    type Form = (AddresseeV1, Option<[u8; 16]>);

    fn store(&self) -> Self::Form {
        let who = match self.who {
            Addressee::Contact(uuid) => AddresseeV1::Contact(uuid.into_bytes()),
            Addressee::Group(uuid) => AddresseeV1::Group(uuid.into_bytes()),
        };
        (who, self.channel.store())
    }

    fn restore((who, channel): Self::Form) -> Result<Self, StoreError> {
        let who = match who {
            AddresseeV1::Contact(uuid) => Addressee::Contact(Uuid::from_bytes(uuid)),
            AddresseeV1::Group(uuid) => Addressee::Group(Uuid::from_bytes(uuid)),
        };
        Ok(Self { who, channel: Stored::restore(channel)? })
    }

    fn audit(&self) -> Value {
        let (who, uuid) = match self.who {
            Addressee::Contact(uuid) => ("contact", uuid),
            Addressee::Group(uuid) => ("group", uuid),
        };
        json!({ who: uuid.to_string(), "channel": self.channel.audit() })
    }
}

#[derive(Serialize, Deserialize)]
struct OverflowV1 {
    at: i64,
    told: u32,
    left_out: u32,
}

pub fn encode_overflow(overflow: &Overflow) -> Result<Vec<u8>, StoreError> {
    let Overflow { at, notified: told, left_out, .. } = *overflow;
    encode(V1, &OverflowV1 { at: at.micros(), told, left_out })
}

pub fn decode_overflow(rule: u64, value: &[u8]) -> Result<Overflow, StoreError> {
    let OverflowV1 { at, told, left_out } = decode_v1("overflow", value)?;
    Ok(Overflow { rule: RuleId(rule), at: timestamp(at)?, notified: told, left_out })
}

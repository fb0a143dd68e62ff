//! Stored entries of the change log.

use serde::{Deserialize, Serialize};

use crate::domain::{
    Change, ChangeKind, ConfigurationChange, EventId, FieldChange, IncidentId, Seq, Timestamp, UserId,
    directory::Subject,
};
use crate::store::{
    StoreError,
    codec::{decode, encode, timestamp, unknown_version, versioned},
};

const V1: u8 = 1;

#[derive(Serialize, Deserialize)]
struct ChangeV1 {
    at: i64,
    actor: Option<u64>,
    kind: KindV1,
}

#[derive(Serialize, Deserialize)]
enum KindV1 {
    IncidentCreated {
        incident: u64,
        event: u64,
    },
    EventAdded {
        incident: u64,
        event: u64,
    },
    AckChanged {
        incident: u64,
        ack: u64,
        before: Option<i64>,
        after: Option<i64>,
    },
    IncidentEdited {
        incident: u64,
        fields: Vec<(String, String, String)>,
        events: Vec<u64>,
    },
    IncidentDeleted {
        incident: u64,
    },
    /// `subject` is a number; see [`Subject::logged`].
    Configuration {
        subject: u32,
        key: String,
        before: Option<String>,
        after: Option<String>,
    },
}

pub fn encode_change(change: &Change) -> Result<Vec<u8>, StoreError> {
    let kind = match &change.kind {
        ChangeKind::IncidentCreated { incident, event } => {
            KindV1::IncidentCreated { incident: incident.0, event: event.0 }
        }
        ChangeKind::EventAdded { incident, event } => KindV1::EventAdded { incident: incident.0, event: event.0 },
        ChangeKind::AckChanged { incident, ack, before, after } => KindV1::AckChanged {
            incident: incident.0,
            ack: ack.0,
            before: before.map(Timestamp::micros),
            after: after.map(Timestamp::micros),
        },
        ChangeKind::IncidentEdited { incident, fields, events } => KindV1::IncidentEdited {
            incident: incident.0,
            fields: fields.iter().map(|f| (f.field.clone(), f.before.clone(), f.after.clone())).collect(),
            events: events.iter().map(|event| event.0).collect(),
        },
        ChangeKind::IncidentDeleted { incident } => KindV1::IncidentDeleted { incident: incident.0 },
        ChangeKind::Configuration(ConfigurationChange { subject, key, before, after }) => KindV1::Configuration {
            subject: subject.logged(),
            key: key.clone(),
            before: before.clone(),
            after: after.clone(),
        },
    };
    encode(V1, &ChangeV1 { at: change.at.micros(), actor: change.actor.map(|user| user.0), kind })
}

pub fn decode_change(seq: u64, value: &[u8]) -> Result<Change, StoreError> {
    let (version, bytes) = versioned(value)?;
    if version != V1 {
        return Err(unknown_version("change", version));
    }
    let record: ChangeV1 = decode(bytes)?;
    let kind = match record.kind {
        KindV1::IncidentCreated { incident, event } => {
            ChangeKind::IncidentCreated { incident: IncidentId(incident), event: EventId(event) }
        }
        KindV1::EventAdded { incident, event } => {
            ChangeKind::EventAdded { incident: IncidentId(incident), event: EventId(event) }
        }
        KindV1::AckChanged { incident, ack, before, after } => ChangeKind::AckChanged {
            incident: IncidentId(incident),
            ack: EventId(ack),
            before: before.map(timestamp).transpose()?,
            after: after.map(timestamp).transpose()?,
        },
        KindV1::IncidentEdited { incident, fields, events } => ChangeKind::IncidentEdited {
            incident: IncidentId(incident),
            fields: fields.into_iter().map(|(field, before, after)| FieldChange { field, before, after }).collect(),
            events: events.into_iter().map(EventId).collect(),
        },
        KindV1::IncidentDeleted { incident } => ChangeKind::IncidentDeleted { incident: IncidentId(incident) },
        KindV1::Configuration { subject, key, before, after } => ChangeKind::Configuration(ConfigurationChange {
            subject: Subject::logged_as(subject)
                .ok_or_else(|| StoreError::Damaged(format!("a change of the unknown subject {subject}")))?,
            key,
            before,
            after,
        }),
    };
    Ok(Change { seq: Seq(seq), at: timestamp(record.at)?, actor: record.actor.map(UserId), kind })
}

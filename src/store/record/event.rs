//! Stored events and acknowledgements.

use serde::{Deserialize, Serialize};

use crate::domain::{
    Acknowledgement, Event, EventId, EventType, IncidentId, Level, Seq, StateAfter, Timestamp, UserId,
};
use crate::store::{
    StoreError,
    codec::{decode, encode, timestamp, unknown_version, versioned},
};

const V1: u8 = 1;
const V2: u8 = 2;

#[derive(Serialize, Deserialize)]
struct EventV1<'a> {
    actor: u64,
    timestamp: i64,
    received: i64,
    kind: KindV1,
    description: &'a str,
    open: bool,
    acked: bool,
    level: u8,
    tags_version: u32,
}

/// An event with the configuration on which its decision is based.
#[derive(Serialize, Deserialize)]
struct EventV2<'a> {
    #[serde(borrow)]
    event: EventV1<'a>,
    decided: Option<u64>,
}

#[derive(Serialize, Deserialize)]
enum KindV1 {
    Start,
    End,
    Restart,
    Change,
    Stateless,
    Other,
    Close,
    Reopen,
    Acknowledge,
}

#[derive(Serialize, Deserialize)]
struct AckV1 {
    expiration: Option<i64>,
}

impl From<EventType> for KindV1 {
    fn from(kind: EventType) -> Self {
        match kind {
            EventType::Start => Self::Start,
            EventType::End => Self::End,
            EventType::Restart => Self::Restart,
            EventType::Change => Self::Change,
            EventType::Stateless => Self::Stateless,
            EventType::Other => Self::Other,
            EventType::Close => Self::Close,
            EventType::Reopen => Self::Reopen,
            EventType::Acknowledge => Self::Acknowledge,
        }
    }
}

impl From<KindV1> for EventType {
    fn from(kind: KindV1) -> Self {
        match kind {
            KindV1::Start => Self::Start,
            KindV1::End => Self::End,
            KindV1::Restart => Self::Restart,
            KindV1::Change => Self::Change,
            KindV1::Stateless => Self::Stateless,
            KindV1::Other => Self::Other,
            KindV1::Close => Self::Close,
            KindV1::Reopen => Self::Reopen,
            KindV1::Acknowledge => Self::Acknowledge,
        }
    }
}

pub fn encode_event(event: &Event) -> Result<Vec<u8>, StoreError> {
    let record = EventV1 {
        actor: event.actor.0,
        timestamp: event.timestamp.micros(),
        received: event.received.micros(),
        kind: event.kind.into(),
        description: &event.description,
        open: event.after.open,
        acked: event.after.acked,
        level: event.after.level.get(),
        tags_version: event.after.tags_version,
    };
    encode(V2, &EventV2 { event: record, decided: event.after.decided.map(|seq| seq.0) })
}

pub fn decode_event(incident: u64, id: u64, value: &[u8]) -> Result<Event, StoreError> {
    let EventV2 { event: record, decided } = match versioned(value)? {
        (V2, bytes) => decode(bytes)?,
        (V1, bytes) => EventV2 { event: decode(bytes)?, decided: None },
        (version, _) => return Err(unknown_version("event", version)),
    };
    let level = Level::new(record.level).ok_or_else(|| StoreError::Damaged(format!("{} is no level", record.level)))?;
    Ok(Event {
        id: EventId(id),
        incident: IncidentId(incident),
        actor: UserId(record.actor),
        timestamp: timestamp(record.timestamp)?,
        received: timestamp(record.received)?,
        kind: record.kind.into(),
        description: record.description.to_owned(),
        after: StateAfter {
            open: record.open,
            acked: record.acked,
            level,
            tags_version: record.tags_version,
            decided: decided.map(Seq),
        },
    })
}

pub fn encode_ack(ack: &Acknowledgement) -> Result<Vec<u8>, StoreError> {
    encode(V1, &AckV1 { expiration: ack.expiration.map(Timestamp::micros) })
}

pub fn decode_ack(incident: u64, event: u64, value: &[u8]) -> Result<Acknowledgement, StoreError> {
    let (version, bytes) = versioned(value)?;
    if version != V1 {
        return Err(unknown_version("acknowledgement", version));
    }
    let record: AckV1 = decode(bytes)?;
    Ok(Acknowledgement {
        event: EventId(event),
        incident: IncidentId(incident),
        expiration: record.expiration.map(timestamp).transpose()?,
    })
}

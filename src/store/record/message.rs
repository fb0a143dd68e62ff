//! Stored messages of the outbox, and the near misses of an event.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{
    ChannelId, ContactId, DestinationId, EventId, IncidentId, MaintenanceId, Message, MessageId, MessageState,
    MessageSubject, ProfileId, RuleId, TimeslotId, Timestamp, UserId,
    message::Route,
    plan::{NearMiss, NearMissRecipient, NearReason, NotificationCause},
};
use crate::store::{
    StoreError,
    codec::{decode, decode_v1, encode, timestamp, unknown_version, versioned},
};

const V1: u8 = 1;
const V2: u8 = 2;

#[derive(Serialize, Deserialize)]
struct MessageV1 {
    created: i64,
    about: AboutV1,
    route: RouteV1,
    address: String,
    state: StateV1,
    attempts: u32,
    last_attempt: Option<i64>,
    answer: String,
}

#[derive(Serialize, Deserialize)]
enum AboutV1 {
    Event { incident: u64, event: u64 },
    Summary(Vec<u64>),
}

#[derive(Serialize, Deserialize)]
enum RouteV1 {
    Destination { user: u64, profile: u64, destination: u64, medium: String },
    Contact { rule: u64, contact: u64, uuid: [u8; 16], full_name: String, channel: u64, medium: String },
}

#[derive(Serialize, Deserialize)]
enum StateV1 {
    Due { at: i64, since: i64 },
    Delivered { at: i64 },
    Dead { at: i64 },
    Gathered { into: u64, at: i64 },
}

pub fn encode_message(message: &Message) -> Result<Vec<u8>, StoreError> {
    let record = MessageV1 {
        created: message.created.micros(),
        about: match &message.about {
            MessageSubject::Event { incident, event } => AboutV1::Event { incident: incident.0, event: event.0 },
            MessageSubject::Summary(of) => AboutV1::Summary(of.iter().map(|id| id.0).collect()),
        },
        route: match &message.route {
            Route::Destination { user, profile, destination, medium } => RouteV1::Destination {
                user: user.0,
                profile: profile.0,
                destination: destination.0,
                medium: medium.clone(),
            },
            Route::Contact { rule, contact, uuid, full_name, channel, medium } => RouteV1::Contact {
                rule: rule.0,
                contact: contact.0,
                uuid: uuid.into_bytes(),
                full_name: full_name.clone(),
                channel: channel.0,
                medium: medium.clone(),
            },
        },
        address: message.address.clone(),
        state: match message.state {
            MessageState::Due { at, since } => StateV1::Due { at: at.micros(), since: since.micros() },
            MessageState::Delivered { at } => StateV1::Delivered { at: at.micros() },
            MessageState::Dead { at } => StateV1::Dead { at: at.micros() },
            MessageState::Gathered { into, at } => StateV1::Gathered { into: into.0, at: at.micros() },
        },
        attempts: message.attempts,
        last_attempt: message.last_attempt.map(Timestamp::micros),
        answer: message.answer.clone(),
    };
    encode(V1, &record)
}

pub fn decode_message(id: u64, value: &[u8]) -> Result<Message, StoreError> {
    let record: MessageV1 = decode_v1("message", value)?;
    Ok(Message {
        id: MessageId(id),
        created: timestamp(record.created)?,
        about: match record.about {
            AboutV1::Event { incident, event } => {
                MessageSubject::Event { incident: IncidentId(incident), event: EventId(event) }
            }
            AboutV1::Summary(of) => MessageSubject::Summary(of.into_iter().map(MessageId).collect()),
        },
        route: match record.route {
            RouteV1::Destination { user, profile, destination, medium } => Route::Destination {
                user: UserId(user),
                profile: ProfileId(profile),
                destination: DestinationId(destination),
                medium,
            },
            RouteV1::Contact { rule, contact, uuid, full_name, channel, medium } => Route::Contact {
                rule: RuleId(rule),
                contact: ContactId(contact),
                uuid: Uuid::from_bytes(uuid),
                full_name,
                channel: ChannelId(channel),
                medium,
            },
        },
        address: record.address,
        state: match record.state {
            StateV1::Due { at, since } => MessageState::Due { at: timestamp(at)?, since: timestamp(since)? },
            StateV1::Delivered { at } => MessageState::Delivered { at: timestamp(at)? },
            StateV1::Dead { at } => MessageState::Dead { at: timestamp(at)? },
            StateV1::Gathered { into, at } => MessageState::Gathered { into: MessageId(into), at: timestamp(at)? },
        },
        attempts: record.attempts,
        last_attempt: record.last_attempt.map(timestamp).transpose()?,
        answer: record.answer,
    })
}

/// Near misses from before rules existed.
#[derive(Deserialize)]
struct NearMissesV1 {
    /// (user, profile, destination, reason)
    kept: Vec<(u64, u64, Option<u64>, NearReasonV1)>,
    more: u32,
}

#[derive(Serialize, Deserialize)]
struct NearMissesV2 {
    kept: Vec<(WhomV2, NearReasonV1)>,
    more: u32,
}

#[derive(Serialize, Deserialize)]
enum WhomV2 {
    User { user: u64, profile: u64, destination: Option<u64> },
    Contact { rule: u64, contact: Option<u64>, channel: Option<u64> },
}

#[derive(Serialize, Deserialize)]
enum NearReasonV1 {
    OutsideTimeslot(u64),
    Maintenance(u64),
    SendingOff,
    NoDestination,
    Covered(u64),
    Reported,
    CoveredByRule(u64),
    TooMany(u32),
}

pub fn encode_near_misses(kept: &[NearMiss], more: u32) -> Result<Vec<u8>, StoreError> {
    let reason = |reason| match reason {
        NearReason::OutsideTimeslot(id) => NearReasonV1::OutsideTimeslot(id.0),
        NearReason::Maintenance(id) => NearReasonV1::Maintenance(id.0),
        NearReason::SendingOff => NearReasonV1::SendingOff,
        NearReason::NoDestination => NearReasonV1::NoDestination,
        NearReason::Covered(NotificationCause::Profile(id)) => NearReasonV1::Covered(id.0),
        NearReason::Covered(NotificationCause::Rule(id)) => NearReasonV1::CoveredByRule(id.0),
        NearReason::Reported => NearReasonV1::Reported,
        NearReason::TooMany { left_out } => NearReasonV1::TooMany(left_out),
    };
    let recipient = |recipient| match recipient {
        NearMissRecipient::User { user, profile, destination } => {
            WhomV2::User { user: user.0, profile: profile.0, destination: destination.map(|id| id.0) }
        }
        NearMissRecipient::Contact { rule, contact, channel } => {
            WhomV2::Contact { rule: rule.0, contact: contact.map(|id| id.0), channel: channel.map(|id| id.0) }
        }
    };
    let row = |it: &NearMiss| (recipient(it.recipient), reason(it.reason));
    encode(V2, &NearMissesV2 { kept: kept.iter().map(row).collect(), more })
}

pub fn decode_near_misses(value: &[u8]) -> Result<(Vec<NearMiss>, u32), StoreError> {
    let user = |user, profile, destination: Option<u64>| NearMissRecipient::User {
        user: UserId(user),
        profile: ProfileId(profile),
        destination: destination.map(DestinationId),
    };
    let recipient = |recipient| match recipient {
        WhomV2::User { user: id, profile, destination } => user(id, profile, destination),
        WhomV2::Contact { rule, contact, channel } => NearMissRecipient::Contact {
            rule: RuleId(rule),
            contact: contact.map(ContactId),
            channel: channel.map(ChannelId),
        },
    };
    let reason = |reason| match reason {
        NearReasonV1::OutsideTimeslot(id) => NearReason::OutsideTimeslot(TimeslotId(id)),
        NearReasonV1::Maintenance(id) => NearReason::Maintenance(MaintenanceId(id)),
        NearReasonV1::SendingOff => NearReason::SendingOff,
        NearReasonV1::NoDestination => NearReason::NoDestination,
        NearReasonV1::Covered(id) => NearReason::Covered(NotificationCause::Profile(ProfileId(id))),
        NearReasonV1::CoveredByRule(id) => NearReason::Covered(NotificationCause::Rule(RuleId(id))),
        NearReasonV1::Reported => NearReason::Reported,
        NearReasonV1::TooMany(left_out) => NearReason::TooMany { left_out },
    };
    match versioned(value)? {
        (V1, bytes) => {
            let record: NearMissesV1 = decode(bytes)?;
            let kept = record.kept.into_iter().map(|(id, profile, destination, why)| NearMiss {
                recipient: user(id, profile, destination),
                reason: reason(why),
            });
            Ok((kept.collect(), record.more))
        }
        (V2, bytes) => {
            let record: NearMissesV2 = decode(bytes)?;
            let kept =
                record.kept.into_iter().map(|(to, why)| NearMiss { recipient: recipient(to), reason: reason(why) });
            Ok((kept.collect(), record.more))
        }
        (version, _) => Err(unknown_version("list of near misses", version)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_from_before_there_were_rules_are_read() {
        let old =
            (vec![(1_u64, 2_u64, Some(3_u64), NearReasonV1::Covered(4)), (1, 5, None, NearReasonV1::Reported)], 6_u32);
        let (kept, more) = decode_near_misses(&encode(V1, &old).unwrap()).unwrap();
        let recipient = |profile, destination: Option<u64>| NearMissRecipient::User {
            user: UserId(1),
            profile: ProfileId(profile),
            destination: destination.map(DestinationId),
        };
        let covered = NearReason::Covered(NotificationCause::Profile(ProfileId(4)));
        let expected = [
            NearMiss { recipient: recipient(2, Some(3)), reason: covered },
            NearMiss { recipient: recipient(5, None), reason: NearReason::Reported },
        ];
        assert_eq!((kept.as_slice(), more), (expected.as_slice(), 6));
        let by_rule = NearMiss {
            recipient: NearMissRecipient::Contact { rule: RuleId(1), contact: Some(ContactId(2)), channel: None },
            reason: NearReason::Covered(NotificationCause::Rule(RuleId(3))),
        };
        let recipient = NearMissRecipient::Contact { rule: RuleId(1), contact: None, channel: None };
        let too_many = NearMiss { recipient, reason: NearReason::TooMany { left_out: 9 } };
        let now = [expected[0], by_rule, too_many];
        assert_eq!(decode_near_misses(&encode_near_misses(&now, 0).unwrap()).unwrap(), (now.to_vec(), 0));
    }
}

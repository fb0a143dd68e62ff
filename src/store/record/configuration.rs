//! Stored users, tokens, sources, timeslots, destinations and filters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        destination::Destination,
        event::EventType,
        ids::{DestinationId, FilterId, SourceId, TimeslotId, TokenId, UserId},
        severity::Level,
        source::Source,
        stored_filter::{FilterBlob, StoredFilter},
        time::Timestamp,
        timeslot::{Recurrence, TimeOfDay, Timeslot},
        token::{Token, TokenHash, TokenKind, TokenOrigin},
        user::User,
    },
    store::{
        StoreError,
        codec::{decode, encode, timestamp, unknown_version, versioned},
    },
};

const V1: u8 = 1;
const V2: u8 = 2;
const V3: u8 = 3;

pub(super) fn decode_v1<'a, T: Deserialize<'a>>(what: &str, value: &'a [u8]) -> Result<T, StoreError> {
    match versioned(value)? {
        (V1, bytes) => decode(bytes),
        (version, _) => Err(unknown_version(what, version)),
    }
}

#[derive(Serialize, Deserialize)]
struct UserV1 {
    username: String,
    password_hash: Option<String>,
    first_name: String,
    last_name: String,
    email: String,
    is_staff: bool,
    is_superuser: bool,
    is_active: bool,
    created: i64,
    grants: Vec<String>,
}

pub fn encode_user(user: &User) -> Result<Vec<u8>, StoreError> {
    let user = user.clone();
    let record = UserV1 {
        username: user.username,
        password_hash: user.password_hash,
        first_name: user.first_name,
        last_name: user.last_name,
        email: user.email,
        is_staff: user.is_staff,
        is_superuser: user.is_superuser,
        is_active: user.is_active,
        created: user.created.micros(),
        grants: user.grants,
    };
    encode(V1, &record)
}

pub fn decode_user(id: u64, value: &[u8]) -> Result<User, StoreError> {
    let record: UserV1 = decode_v1("user", value)?;
    Ok(User {
        id: UserId(id),
        username: record.username,
        password_hash: record.password_hash,
        first_name: record.first_name,
        last_name: record.last_name,
        email: record.email,
        is_staff: record.is_staff,
        is_superuser: record.is_superuser,
        is_active: record.is_active,
        created: timestamp(record.created)?,
        grants: record.grants,
    })
}

#[derive(Serialize, Deserialize)]
struct TokenV3 {
    id: u64,
    user: u64,
    kind: u8,
    created: i64,
    expires: Option<i64>,
    replaceable: bool,
    by_password: bool,
    note: String,
}

#[derive(Serialize, Deserialize)]
struct TokenV2 {
    id: u64,
    user: u64,
    kind: u8,
    created: i64,
    expires: Option<i64>,
    replaceable: bool,
    note: String,
}

#[derive(Serialize, Deserialize)]
struct TokenV1 {
    id: u64,
    user: u64,
    login: bool,
    created: i64,
    expires: Option<i64>,
    replaceable: bool,
}

pub fn encode_token(token: &Token) -> Result<Vec<u8>, StoreError> {
    let record = TokenV3 {
        id: token.id.0,
        user: token.user.0,
        kind: match token.kind {
            TokenKind::Classic => 0,
            TokenKind::Login => 1,
            TokenKind::Session => 2,
        },
        created: token.created.micros(),
        expires: token.expires.map(Timestamp::micros),
        replaceable: token.replaceable,
        by_password: token.origin == TokenOrigin::Password,
        note: token.note.clone(),
    };
    encode(V3, &record)
}

pub fn decode_token(hash: TokenHash, value: &[u8]) -> Result<Token, StoreError> {
    let record: TokenV3 = match versioned(value)? {
        (V3, bytes) => decode(bytes)?,
        (V2, bytes) => decode::<TokenV2>(bytes)?.into(),
        (V1, bytes) => TokenV2::from(decode::<TokenV1>(bytes)?).into(),
        (version, _) => return Err(unknown_version("token", version)),
    };
    Ok(Token {
        id: TokenId(record.id),
        user: UserId(record.user),
        kind: match record.kind {
            0 => TokenKind::Classic,
            1 => TokenKind::Login,
            2 => TokenKind::Session,
            kind => return Err(StoreError::Damaged(format!("{kind} is no kind of token"))),
        },
        hash,
        created: timestamp(record.created)?,
        expires: record.expires.map(timestamp).transpose()?,
        replaceable: record.replaceable,
        origin: if record.by_password { TokenOrigin::Password } else { TokenOrigin::Hand },
        note: record.note,
    })
}

impl From<TokenV2> for TokenV3 {
    /// Not written down then, so it follows from the kind. Sessions and what `token-auth/` made come from a password.
    /// Login tokens nearly always do, and live for hours, so they end with the password: one that ends early is asked for
    /// again, one that stays would let somebody in.
    fn from(old: TokenV2) -> Self {
        Self {
            by_password: old.kind != 0 || old.replaceable,
            id: old.id,
            user: old.user,
            kind: old.kind,
            created: old.created,
            expires: old.expires,
            replaceable: old.replaceable,
            note: old.note,
        }
    }
}

impl From<TokenV1> for TokenV2 {
    fn from(old: TokenV1) -> Self {
        Self {
            id: old.id,
            user: old.user,
            kind: u8::from(old.login),
            created: old.created,
            expires: old.expires,
            replaceable: old.replaceable,
            note: String::new(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct SourceV1 {
    name: String,
    source_type: String,
    user: u64,
    base_url: String,
    heartbeat_frequency: Option<u32>,
}

/// `last_seen` has a table of its own.
pub fn encode_source(source: &Source) -> Result<Vec<u8>, StoreError> {
    let record = SourceV1 {
        name: source.name.clone(),
        source_type: source.source_type.clone(),
        user: source.user.0,
        base_url: source.base_url.clone(),
        heartbeat_frequency: source.heartbeat_frequency,
    };
    encode(V1, &record)
}

pub fn decode_source(id: u64, value: &[u8]) -> Result<Source, StoreError> {
    let record: SourceV1 = decode_v1("source", value)?;
    Ok(Source {
        id: SourceId(id),
        name: record.name,
        source_type: record.source_type,
        user: UserId(record.user),
        base_url: record.base_url,
        heartbeat_frequency: record.heartbeat_frequency,
    })
}

#[derive(Serialize, Deserialize)]
struct TimeslotV1 {
    owner: u64,
    name: String,
    /// (days, start, end)
    recurrences: Vec<(Vec<u8>, u64, u64)>,
}

pub fn encode_timeslot(timeslot: &Timeslot) -> Result<Vec<u8>, StoreError> {
    let record = TimeslotV1 {
        owner: timeslot.owner.0,
        name: timeslot.name.clone(),
        recurrences: timeslot.recurrences.iter().map(|r| (r.days.clone(), r.start.0, r.end.0)).collect(),
    };
    encode(V1, &record)
}

pub fn decode_timeslot(id: u64, value: &[u8]) -> Result<Timeslot, StoreError> {
    let record: TimeslotV1 = decode_v1("timeslot", value)?;
    Ok(Timeslot {
        id: TimeslotId(id),
        owner: UserId(record.owner),
        name: record.name,
        recurrences: record
            .recurrences
            .into_iter()
            .map(|(days, start, end)| Recurrence { days, start: TimeOfDay(start), end: TimeOfDay(end) })
            .collect(),
    })
}

#[derive(Serialize, Deserialize)]
struct DestinationV1 {
    owner: u64,
    medium: String,
    label: Option<String>,
    settings: BTreeMap<String, String>,
    synced: bool,
}

pub fn encode_destination(destination: &Destination) -> Result<Vec<u8>, StoreError> {
    let destination = destination.clone();
    let record = DestinationV1 {
        owner: destination.owner.0,
        medium: destination.medium,
        label: destination.label,
        settings: destination.settings,
        synced: destination.synced,
    };
    encode(V1, &record)
}

pub fn decode_destination(id: u64, value: &[u8]) -> Result<Destination, StoreError> {
    let record: DestinationV1 = decode_v1("destination", value)?;
    Ok(Destination {
        id: DestinationId(id),
        owner: UserId(record.owner),
        medium: record.medium,
        label: record.label,
        settings: record.settings,
        synced: record.synced,
    })
}

#[derive(Serialize, Deserialize)]
pub(super) struct FilterV1 {
    owner: u64,
    name: String,
    public: bool,
    source_ids: Option<Vec<u64>>,
    source_types: Option<Vec<String>>,
    tags: Option<Vec<String>>,
    open: Option<bool>,
    acked: Option<bool>,
    stateful: Option<bool>,
    max_level: Option<u8>,
    /// Codes.
    event_types: Option<Vec<String>>,
    hide_closed_acked: bool,
}

pub fn encode_filter(filter: &StoredFilter) -> Result<Vec<u8>, StoreError> {
    let record = FilterV1 {
        owner: filter.owner.0,
        name: filter.name.clone(),
        public: filter.public,
        ..blob_record(filter.blob.clone())
    };
    encode(V1, &record)
}

pub fn decode_filter(id: u64, value: &[u8]) -> Result<StoredFilter, StoreError> {
    let mut record: FilterV1 = decode_v1("filter", value)?;
    let (owner, name, public) = (UserId(record.owner), std::mem::take(&mut record.name), record.public);
    let blob = blob_from_record(record)
        .ok_or_else(|| StoreError::Damaged(format!("filter {id} has an unknown event type or level")))?;
    Ok(StoredFilter { id: FilterId(id), owner, name, public, blob })
}

/// Of nobody, without a name.
pub(super) fn blob_record(blob: FilterBlob) -> FilterV1 {
    let codes = |kinds: Vec<EventType>| kinds.into_iter().map(|kind| kind.code().to_owned()).collect();
    FilterV1 {
        owner: 0,
        name: String::new(),
        public: false,
        source_ids: blob.source_ids.map(|ids| ids.into_iter().map(|id| id.0).collect()),
        source_types: blob.source_types,
        tags: blob.tags,
        open: blob.open,
        acked: blob.acked,
        stateful: blob.stateful,
        max_level: blob.max_level.map(Level::get),
        event_types: blob.event_types.map(codes),
        hide_closed_acked: blob.hide_closed_acked,
    }
}

/// `None` if an event type or the level is unknown.
pub(super) fn blob_from_record(record: FilterV1) -> Option<FilterBlob> {
    let kinds = |codes: Vec<String>| codes.iter().map(|code| EventType::from_code(code)).collect::<Option<Vec<_>>>();
    let max_level = match record.max_level {
        Some(level) => Some(Level::new(level)?),
        None => None,
    };
    let event_types = match record.event_types {
        Some(codes) => Some(kinds(codes)?),
        None => None,
    };
    Some(FilterBlob {
        source_ids: record.source_ids.map(|ids| ids.into_iter().map(SourceId).collect()),
        source_types: record.source_types,
        tags: record.tags,
        open: record.open,
        acked: record.acked,
        stateful: record.stateful,
        max_level,
        event_types,
        hide_closed_acked: record.hide_closed_acked,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_older_files_are_read_with_an_origin() {
        let v1 = |login, replaceable| {
            let old = TokenV1 { id: 5, user: 7, login, created: 10, expires: Some(20), replaceable };
            decode_token([3; 32], &encode(V1, &old).unwrap()).unwrap()
        };
        let v2 = |kind, replaceable| {
            let note = "of old".to_owned();
            let old = TokenV2 { id: 5, user: 7, kind, created: 10, expires: Some(20), replaceable, note };
            decode_token([3; 32], &encode(V2, &old).unwrap()).unwrap()
        };
        for (token, kind, origin) in [
            (v1(false, false), TokenKind::Classic, TokenOrigin::Hand),
            (v1(false, true), TokenKind::Classic, TokenOrigin::Password),
            (v1(true, false), TokenKind::Login, TokenOrigin::Password),
            (v2(0, false), TokenKind::Classic, TokenOrigin::Hand),
            (v2(0, true), TokenKind::Classic, TokenOrigin::Password),
            (v2(1, false), TokenKind::Login, TokenOrigin::Password),
            (v2(2, false), TokenKind::Session, TokenOrigin::Password),
        ] {
            assert_eq!((token.kind, token.origin), (kind, origin), "{token:?}");
            assert_eq!((token.id, token.user, token.expires), (TokenId(5), UserId(7), Some(timestamp(20).unwrap())));
            let derived = Token { kind: TokenKind::Login, origin: TokenOrigin::Hand, ..token };
            for token in [&derived, &Token { origin: TokenOrigin::Password, ..derived.clone() }] {
                assert_eq!(&decode_token([3; 32], &encode_token(token).unwrap()).unwrap(), token);
            }
        }
    }
}

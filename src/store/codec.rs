//! Encoding of keys, whose bytes sort like the values, and of values with a version byte.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    StoreError,
    schema::{IdKey, PairKey, UuidPairKey},
};
use crate::domain::{Timestamp, directory::Subject};

/// Kind of record, id, sequence number.
pub type VersionKey = [u8; 17];
/// Kind of task, id.
pub type TaskKey = [u8; 9];
/// Due time, kind of task, id.
pub type AgendaKey = [u8; 17];

#[must_use]
pub fn id_key(id: u64) -> IdKey {
    id.to_be_bytes()
}

#[must_use]
pub fn key_id(key: IdKey) -> u64 {
    u64::from_be_bytes(key)
}

#[must_use]
pub fn pair_key(first: u64, second: u64) -> PairKey {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&first.to_be_bytes());
    key[8..].copy_from_slice(&second.to_be_bytes());
    key
}

#[must_use]
pub fn key_pair(key: PairKey) -> (u64, u64) {
    let both = u128::from_be_bytes(key);
    ((both >> 64) as u64, both as u64)
}

#[must_use]
pub fn uuid_pair_key(first: Uuid, second: Uuid) -> UuidPairKey {
    let mut key = [0; 32];
    key[..16].copy_from_slice(first.as_bytes());
    key[16..].copy_from_slice(second.as_bytes());
    key
}

#[must_use]
pub fn key_uuid_pair(key: UuidPairKey) -> (Uuid, Uuid) {
    let (mut first, mut second) = ([0; 16], [0; 16]);
    first.copy_from_slice(&key[..16]);
    second.copy_from_slice(&key[16..]);
    (Uuid::from_bytes(first), Uuid::from_bytes(second))
}

/// Returns the range of all pairs with this first element.
#[must_use]
pub fn pairs_of(first: Uuid) -> RangeInclusive<UuidPairKey> {
    uuid_pair_key(first, Uuid::nil())..=uuid_pair_key(first, Uuid::max())
}

/// Returns a number that sorts like the timestamp: its sign bit is flipped.
#[must_use]
pub const fn ordered_time(at: Timestamp) -> u64 {
    (at.micros() as u64) ^ (1 << 63)
}

/// Returns the timestamp of an [`ordered_time`].
pub fn time_of(ordered: u64) -> Result<Timestamp, StoreError> {
    timestamp((ordered ^ (1 << 63)) as i64)
}

#[must_use]
pub fn time_key(at: Timestamp, id: u64) -> PairKey {
    pair_key(ordered_time(at), id)
}

pub fn key_time(key: PairKey) -> Result<(Timestamp, u64), StoreError> {
    let (at, id) = key_pair(key);
    Ok((time_of(at)?, id))
}

#[must_use]
pub fn version_key(subject: Subject, id: u64, seq: u64) -> VersionKey {
    let mut key = [0; 17];
    key[0] = subject.byte();
    key[1..9].copy_from_slice(&id.to_be_bytes());
    key[9..].copy_from_slice(&seq.to_be_bytes());
    key
}

/// Returns the key: the source, then the bytes of the identifier.
#[must_use]
pub fn source_incident_key(source: u64, source_incident_id: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(8 + source_incident_id.len());
    key.extend_from_slice(&source.to_be_bytes());
    key.extend_from_slice(source_incident_id.as_bytes());
    key
}

pub fn timestamp(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_micros(micros).ok_or_else(|| StoreError::Damaged(format!("{micros} is no valid time")))
}

/// Encodes `record` after its version byte.
pub fn encode<T: Serialize>(version: u8, record: &T) -> Result<Vec<u8>, StoreError> {
    Ok(postcard::to_extend(record, vec![version])?)
}

/// Splits a key into subject, id and sequence number of the change.
#[must_use]
pub fn split_version_key(key: VersionKey) -> (u8, u64, u64) {
    let (mut id, mut seq) = ([0; 8], [0; 8]);
    id.copy_from_slice(&key[1..9]);
    seq.copy_from_slice(&key[9..]);
    (key[0], u64::from_be_bytes(id), u64::from_be_bytes(seq))
}

/// Splits a value into its version byte and its record.
pub fn versioned(value: &[u8]) -> Result<(u8, &[u8]), StoreError> {
    value
        .split_first()
        .map(|(version, record)| (*version, record))
        .ok_or_else(|| StoreError::Damaged("an empty value".to_owned()))
}

/// Decodes a record that takes all of `bytes`.
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, StoreError> {
    let (record, rest) = postcard::take_from_bytes(bytes)?;
    if rest.is_empty() { Ok(record) } else { Err(StoreError::Damaged("a record with bytes behind its end".to_owned())) }
}

/// Decodes a record whose only version is 1.
pub fn decode_v1<'a, T: Deserialize<'a>>(what: &str, value: &'a [u8]) -> Result<T, StoreError> {
    match versioned(value)? {
        (1, bytes) => decode(bytes),
        (version, _) => Err(unknown_version(what, version)),
    }
}

/// Returns an error unless the record is stored under the key that it contains.
pub fn under_its_key(is: bool, what: &str, uuid: Uuid) -> Result<(), StoreError> {
    if is { Ok(()) } else { Err(StoreError::Damaged(format!("{what} {uuid} is stored under another's key"))) }
}

pub fn unknown_version(what: &str, version: u8) -> StoreError {
    StoreError::Damaged(format!("{what} of unknown version {version}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn time_keys_sort_as_times(a in any::<i64>(), x in any::<u64>(), b in any::<i64>(), y in any::<u64>()) {
            let (a, b) = (Timestamp::saturating_from_micros(a), Timestamp::saturating_from_micros(b));
            prop_assert_eq!(time_key(a, x).cmp(&time_key(b, y)), (a, x).cmp(&(b, y)));
            prop_assert_eq!(key_time(time_key(a, x)).unwrap(), (a, x));
        }

        #[test]
        fn decoding_any_bytes_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = crate::store::record::incident::decode_incident(1, &bytes);
            let _ = crate::store::record::event::decode_event(1, 1, &bytes);
            let _ = crate::store::record::change::decode_change(1, &bytes);
            let _ = crate::store::kind::decode_contact(uuid::Uuid::nil(), &bytes);
            let _ = <crate::domain::channel::Channel as crate::store::kind::Kind>::decode(uuid::Uuid::nil(), &bytes);
        }
    }
}

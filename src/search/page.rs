//! One page of a list, with the cursors to its neighbors.

use super::chunk::Key;
use crate::domain::{IncidentId, Timestamp};

/// A position between rows: strictly after (older than) `(start, id)`, or, backwards, strictly before it (newer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub start: Timestamp,
    pub id: IncidentId,
    pub backwards: bool,
}

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Newest first: by start, then id, both descending.
    pub ids: Vec<IncidentId>,
    /// `None` on the last page.
    pub next: Option<Cursor>,
    /// `None` on the first page.
    pub previous: Option<Cursor>,
}

/// Finds a page. `older` and `newer` find up to the given number of rows beyond a key, nearest first.
pub(super) fn find<E>(
    cursor: Option<Cursor>,
    size: usize,
    older: impl Fn(Key, usize) -> Result<Vec<Key>, E>,
    newer: impl Fn(Key, usize) -> Result<Vec<Key>, E>,
) -> Result<Found, E> {
    let size = size.max(1);
    let one_more = size.saturating_add(1);
    let from = cursor.map(|cursor| Key { start: cursor.start.micros(), id: cursor.id.0 });
    let (keys, older_left, newer_left) = match (cursor, from) {
        (Some(Cursor { backwards: true, .. }), Some(from)) => {
            let mut keys = newer(from, one_more)?;
            let newer_left = keys.len() > size;
            keys.truncate(size);
            keys.reverse();
            let oldest = keys.last().map_or_else(|| from.next(), |&key| key);
            let older_left = !older(oldest, 1)?.is_empty();
            (keys, older_left, newer_left)
        }
        (_, from) => {
            let mut keys = older(from.unwrap_or(Key::LAST), one_more)?;
            let older_left = keys.len() > size;
            keys.truncate(size);
            let newer_left = match (from, keys.first()) {
                (None, _) => false,
                (Some(_), Some(&newest)) => !newer(newest, 1)?.is_empty(),
                (Some(from), None) => !newer(from.previous(), 1)?.is_empty(),
            };
            (keys, older_left, newer_left)
        }
    };
    let beyond = |key: Option<Key>, backwards| key.map(|key| Cursor { start: key.start(), id: key.id(), backwards });
    // An empty page leads back to the position of its cursor.
    let (newest, oldest) = match (keys.first(), keys.last(), from) {
        (Some(&newest), Some(&oldest), _) => (Some(newest), Some(oldest)),
        (_, _, Some(from)) => (Some(from.previous()), Some(from.next())),
        _ => (None, None),
    };
    Ok(Found {
        ids: keys.iter().map(|key| key.id()).collect(),
        next: beyond(oldest.filter(|_| older_left), false),
        previous: beyond(newest.filter(|_| newer_left), true),
    })
}

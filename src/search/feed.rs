//! Receives each commit of the store and updates columns and tail before the callers get their answers.

use std::sync::{PoisonError, Weak};

use super::{SearchState, catch_up, columns::Columns, tail::Batch, text_index::Position};
use crate::domain::{Committed, Seq, Timestamp, incident::Summary};
use crate::store::{Follower, Snapshot, Store, StoreError};

/// The follower of the store. The store holds it, so it must not keep the store alive.
pub(super) struct Feed(pub(super) Weak<SearchState>);

impl Follower for Feed {
    fn committed(&self, batch: &[Committed], last: Seq, at: Timestamp) {
        let Some(inner) = self.0.upgrade() else { return };
        inner.columns.write().unwrap_or_else(PoisonError::into_inner).apply(batch, last, &inner.store);
        let mut snapshot = None;
        inner.text.push(Position { seq: last, at }, || {
            let texts_of = |incident| {
                let snapshot = match &mut snapshot {
                    Some(snapshot) => snapshot,
                    none => none.insert(inner.store.snapshot()?),
                };
                catch_up::texts_of(snapshot, incident)
            };
            Batch::of_commit(batch, texts_of).map_err(|error: StoreError| tracing::error!(%error, "search")).ok()
        });
    }

    fn reset(&self) {
        let Some(inner) = self.0.upgrade() else { return };
        let mut loaded = inner.columns.write().unwrap_or_else(PoisonError::into_inner);
        loaded.reload(&inner.store);
        drop(loaded);
        inner.text.catch_up(inner.store.snapshot().and_then(|snapshot| catch_up::position(&snapshot)).ok());
    }
}

/// The columns, with the change up to which they are current.
pub(super) struct Loaded {
    pub(super) columns: Columns,
    /// Number of the last change in the columns.
    pub(super) seq: Seq,
    /// Whether reading the columns failed. The next commit tries again.
    stale: bool,
}

impl Loaded {
    pub(super) fn empty() -> Self {
        Self { columns: Columns::default(), seq: Seq(0), stale: false }
    }

    pub(super) fn read(snapshot: &Snapshot) -> Result<Self, StoreError> {
        let mut columns = Columns::default();
        snapshot.for_each_summary(&mut |summary| columns.put(&summary))?;
        Ok(Self { columns, seq: snapshot.seq()?, stale: false })
    }

    fn reload(&mut self, store: &Store) {
        match store.snapshot().and_then(|snapshot| Self::read(&snapshot)) {
            Ok(loaded) => *self = loaded,
            Err(error) => {
                tracing::error!(%error, "the summaries of incidents cannot be read again; lists are not up to date");
                self.stale = true;
            }
        }
    }

    fn apply(&mut self, batch: &[Committed], last: Seq, store: &Store) {
        if self.stale {
            self.reload(store);
        }
        if last <= self.seq {
            return;
        }
        for change in batch.iter().flat_map(|committed| &committed.incidents) {
            match (&change.before, &change.after) {
                (_, Some(after)) => self.columns.put(&Summary::from(after.as_ref())),
                (Some(before), None) => self.columns.remove(before.id),
                (None, None) => {}
            }
        }
        self.seq = last;
    }
}

//! Old incidents: finds them in the order of their starts, and deletes them with everything that is about them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Bound, ControlFlow},
    sync::Arc,
};

use redb::ReadOnlyTable;

use super::{
    Command, Snapshot, StoreError,
    codec::{id_key, key_pair, key_time, pair_key, time_key},
    command::Staged,
    index::Applier,
    record::incident::decode_summary,
    schema::{
        EVENT_ID_TO_ACK, EVENT_ID_TO_EVENT, EVENT_ID_TO_NEAR_MISSES, INCIDENT_ID_TO_INCIDENT, INCIDENT_MESSAGE, IdKey,
        MESSAGE_ID_TO_MESSAGE, PairKey, START_TO_SUMMARY, TAGS_VERSION_TO_TAGS,
    },
    tables::{self, Reads},
};
use crate::domain::{
    Committed, Incident, IncidentId, Message, MessageId, MessageState, MessageSubject, Timestamp, incident::Summary,
};

/// Position in the order of starts: start and id of an incident.
pub type StartPosition = (Timestamp, IncidentId);

/// The tables with everything about incidents, in one snapshot.
pub struct IncidentTables {
    summaries: ReadOnlyTable<PairKey, &'static [u8]>,
    incidents: ReadOnlyTable<IdKey, &'static [u8]>,
    messages: ReadOnlyTable<IdKey, &'static [u8]>,
    incident_messages: ReadOnlyTable<PairKey, ()>,
    /// Tables with a row for each (incident, something).
    of_incidents: [ReadOnlyTable<PairKey, &'static [u8]>; 4],
}

/// Size of everything that is stored about an incident, without indexes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IncidentSize {
    pub records: usize,
    pub bytes: u64,
}

impl IncidentSize {
    fn add(&mut self, value: &[u8]) {
        self.records += 1;
        self.bytes = self.bytes.saturating_add(value.len() as u64);
    }
}

impl Snapshot {
    /// Opens the tables with everything about incidents.
    pub fn incident_tables(&self) -> Result<IncidentTables, StoreError> {
        Ok(IncidentTables {
            summaries: self.txn.open_table(START_TO_SUMMARY)?,
            incidents: self.txn.open_table(INCIDENT_ID_TO_INCIDENT)?,
            messages: self.txn.open_table(MESSAGE_ID_TO_MESSAGE)?,
            incident_messages: self.txn.open_table(INCIDENT_MESSAGE)?,
            of_incidents: [
                self.txn.open_table(EVENT_ID_TO_EVENT)?,
                self.txn.open_table(EVENT_ID_TO_ACK)?,
                self.txn.open_table(EVENT_ID_TO_NEAR_MISSES)?,
                self.txn.open_table(TAGS_VERSION_TO_TAGS)?,
            ],
        })
    }
}

impl IncidentTables {
    pub fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        tables::incident(&self.incidents, id)
    }

    /// Calls `visit` for the summaries after a position whose start is before `limit`, sorted by start and id, until it
    /// breaks.
    pub fn for_each_started_before(
        &self,
        limit: Timestamp,
        after: Option<StartPosition>,
        visit: &mut dyn FnMut(Summary) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let end = time_key(limit, 0);
        let first = after.map(|(start, id)| time_key(start, id.0));
        if first.is_some_and(|first| first >= end) {
            return Ok(());
        }
        let first = first.map_or(Bound::Unbounded, Bound::Excluded);
        for row in self.summaries.range::<PairKey>((first, Bound::Excluded(end)))? {
            let (key, value) = row?;
            let (start, id) = key_time(key.value())?;
            if visit(decode_summary(start, id, value.value())?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Returns the size of the incident with its events, acknowledgements, earlier tags, and messages.
    pub fn size_of(&self, id: IncidentId) -> Result<IncidentSize, StoreError> {
        let mut size = IncidentSize::default();
        if let Some(incident) = self.incidents.get(id_key(id.0))? {
            size.add(incident.value());
        }
        let all = || pair_key(id.0, 0)..=pair_key(id.0, u64::MAX);
        for table in &self.of_incidents {
            for row in table.range::<PairKey>(all())? {
                size.add(row?.1.value());
            }
        }
        for row in self.incident_messages.range::<PairKey>(all())? {
            let (_, message) = key_pair(row?.0.value());
            if let Some(message) = self.messages.get(id_key(message))? {
                size.add(message.value());
            }
        }
        Ok(size)
    }
}

impl Command<'_> {
    /// Deletes incidents like [`Command::delete_incident`], and their messages, too. They count as deleted by the run
    /// of the retention that is under way.
    pub fn purge_incidents(&mut self, ids: Vec<IncidentId>) {
        self.staged.push(Staged::PurgeIncidents(ids));
    }

    /// Returns the number of incidents that the run of the retention under way has deleted before this command. It is
    /// stored, so it includes what was deleted before a crash.
    #[must_use]
    pub fn purged(&self) -> u64 {
        self.counters.purged
    }

    /// Ends the run of the retention: the next one counts from zero.
    pub fn end_purge(&mut self) {
        self.staged.push(Staged::EndPurge);
    }
}

impl Applier<'_, '_> {
    pub fn purge_incidents(&mut self, ids: Vec<IncidentId>, done: &mut Committed) -> Result<(), StoreError> {
        let mut parts: BTreeMap<MessageId, BTreeSet<MessageId>> = BTreeMap::new();
        for id in ids {
            let messages = self.tables.messages_of(id)?;
            let Some(change) = self.delete_incident(id)? else { continue };
            done.incidents.push(change);
            self.counters.purged += 1;
            for message in messages {
                if let MessageState::Gathered { into, .. } = message.state {
                    parts.entry(into).or_default().insert(message.id);
                }
                self.delete_message(message, done)?;
            }
        }
        // A summary is about messages that still exist, and is deleted with the last of them.
        for (summary, gone) in parts {
            let Some(mut summary) = self.tables.message(summary)? else { continue };
            let MessageSubject::Summary(of) = &mut summary.about else { continue };
            of.retain(|part| !gone.contains(part));
            if of.is_empty() {
                self.delete_message(summary, done)?;
            } else {
                self.put_message(summary)?;
            }
        }
        Ok(())
    }

    fn delete_message(&mut self, message: Message, done: &mut Committed) -> Result<(), StoreError> {
        let key = id_key(message.id.0);
        self.tables.messages.remove(key)?;
        self.tables.due_messages.remove(key)?;
        self.tables.dead_messages.remove(key)?;
        if let Some(incident) = message.incident() {
            self.tables.incident_messages.remove(pair_key(incident.0, message.id.0))?;
        }
        done.deleted_messages.push(Arc::new(message));
        Ok(())
    }
}

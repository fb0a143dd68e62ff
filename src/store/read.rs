//! Snapshots: consistent reads of everything committed before they were taken.
//!
//! A snapshot keeps the file from reusing pages, so it must not outlive the answer to one question.

use std::{ops::ControlFlow, sync::Arc};

use redb::{Database, ReadTransaction, ReadableDatabase};

use super::{
    StoreError,
    codec::{id_key, key_id, key_pair, key_time, time_key},
    counters::Counters,
    load,
    record::{
        change::decode_change,
        event::decode_event,
        incident::{decode_incident, decode_summary},
    },
    schema::{
        EVENT_ID_TO_ACK, EVENT_ID_TO_EVENT, INCIDENT_ID_TO_INCIDENT, PairKey, SEQ_TO_CHANGE,
        SOURCE_INCIDENT_ID_TO_INCIDENT_ID, START_TO_SUMMARY, TIMESTAMP_TO_INCIDENT_ID,
    },
    tables,
};
use crate::domain::{
    ack::Acknowledgement,
    change::Change,
    event::Event,
    ids::{EventId, IncidentId, Seq, SourceId},
    incident::{Incident, Summary},
    time::Timestamp,
};

/// Which way to walk a list that shows the newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Older,
    Newer,
}

pub struct Snapshot {
    pub(super) txn: ReadTransaction,
    /// Dropped after the transaction; keeps the file open.
    _database: Arc<Database>,
}

impl Snapshot {
    pub(super) fn new(database: Arc<Database>) -> Result<Self, StoreError> {
        Ok(Self { txn: database.begin_read()?, _database: database })
    }

    /// Totals, and the last change that this snapshot holds.
    pub fn counters(&self) -> Result<Counters, StoreError> {
        load::counters(&self.txn)
    }

    pub fn seq(&self) -> Result<Seq, StoreError> {
        Ok(Seq(self.counters()?.last_seq))
    }

    pub fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        tables::incident(&self.txn.open_table(INCIDENT_ID_TO_INCIDENT)?, id)
    }

    /// In the order of `ids`; those that do not exist are left out.
    pub fn incidents(&self, ids: &[IncidentId]) -> Result<Vec<Incident>, StoreError> {
        let table = self.txn.open_table(INCIDENT_ID_TO_INCIDENT)?;
        let mut incidents = Vec::with_capacity(ids.len());
        for id in ids {
            incidents.extend(tables::incident(&table, *id)?);
        }
        Ok(incidents)
    }

    pub fn incident_with_source_id(&self, source: SourceId, id: &str) -> Result<Option<IncidentId>, StoreError> {
        tables::incident_with_source_id(&self.txn.open_table(SOURCE_INCIDENT_ID_TO_INCIDENT_ID)?, source, id)
    }

    /// By id.
    pub fn for_each_incident(&self, visit: &mut dyn FnMut(Incident) -> ControlFlow<()>) -> Result<(), StoreError> {
        let table = self.txn.open_table(INCIDENT_ID_TO_INCIDENT)?;
        for row in table.range::<[u8; 8]>(..)? {
            let (key, value) = row?;
            if visit(decode_incident(key_id(key.value()), value.value())?).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// By (start, id).
    pub fn for_each_summary(&self, visit: &mut dyn FnMut(Summary)) -> Result<(), StoreError> {
        let table = self.txn.open_table(START_TO_SUMMARY)?;
        for row in table.range::<PairKey>(..)? {
            let (key, value) = row?;
            let (start, id) = key_time(key.value())?;
            visit(decode_summary(start, id, value.value())?);
        }
        Ok(())
    }

    pub fn event(&self, incident: IncidentId, event: EventId) -> Result<Option<Event>, StoreError> {
        tables::event(&self.txn.open_table(EVENT_ID_TO_EVENT)?, incident, event)
    }

    /// By id.
    pub fn events_of(&self, incident: IncidentId) -> Result<Vec<Event>, StoreError> {
        tables::events_of(&self.txn.open_table(EVENT_ID_TO_EVENT)?, incident)
    }

    /// By (incident, id).
    pub fn for_each_event(&self, visit: &mut dyn FnMut(Event) -> ControlFlow<()>) -> Result<(), StoreError> {
        let table = self.txn.open_table(EVENT_ID_TO_EVENT)?;
        for row in table.range::<PairKey>(..)? {
            let (key, value) = row?;
            let (incident, id) = key_pair(key.value());
            if visit(decode_event(incident, id, value.value())?).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Events of all incidents strictly on the given side of `from` (timestamp, id), nearest to it first; without
    /// `from`, from the newest down or from the oldest up.
    pub fn events_page(
        &self,
        from: Option<(Timestamp, EventId)>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        let times = self.txn.open_table(TIMESTAMP_TO_INCIDENT_ID)?;
        let events = self.txn.open_table(EVENT_ID_TO_EVENT)?;
        let place = from.map(|(at, id)| time_key(at, id.0));
        let mut page = Vec::with_capacity(limit.min(1_000));
        let mut visit = |row: Result<(redb::AccessGuard<'_, PairKey>, redb::AccessGuard<'_, [u8; 8]>), _>| {
            let (key, incident) = row?;
            let (_, id) = key_time(key.value())?;
            let incident = key_id(incident.value());
            match tables::event(&events, IncidentId(incident), EventId(id))? {
                Some(event) => page.push(event),
                None => return Err(StoreError::Damaged(format!("event {id} is in an index only"))),
            }
            Ok::<(), StoreError>(())
        };
        match (direction, place) {
            (Direction::Older, None) => times.range::<PairKey>(..)?.rev().take(limit).try_for_each(&mut visit)?,
            (Direction::Older, Some(place)) => times.range(..place)?.rev().take(limit).try_for_each(&mut visit)?,
            (Direction::Newer, None) => times.range::<PairKey>(..)?.take(limit).try_for_each(&mut visit)?,
            (Direction::Newer, Some(place)) => {
                times.range(place..)?.filter(|row| !is_at(row, place)).take(limit).try_for_each(&mut visit)?;
            }
        }
        Ok(page)
    }

    pub fn ack(&self, incident: IncidentId, event: EventId) -> Result<Option<Acknowledgement>, StoreError> {
        tables::ack(&self.txn.open_table(EVENT_ID_TO_ACK)?, incident, event)
    }

    /// By event id.
    pub fn acks_of(&self, incident: IncidentId) -> Result<Vec<Acknowledgement>, StoreError> {
        tables::acks_of(&self.txn.open_table(EVENT_ID_TO_ACK)?, incident)
    }

    pub fn change(&self, seq: Seq) -> Result<Option<Change>, StoreError> {
        let table = self.txn.open_table(SEQ_TO_CHANGE)?;
        table.get(id_key(seq.0))?.map(|value| decode_change(seq.0, value.value())).transpose()
    }

    /// In order, those after `after`; up to `Counters::trimmed` some may be missing.
    pub fn for_each_change(
        &self,
        after: Seq,
        visit: &mut dyn FnMut(Change) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let table = self.txn.open_table(SEQ_TO_CHANGE)?;
        for row in table.range(id_key(after.0.saturating_add(1))..)? {
            let (key, value) = row?;
            if visit(decode_change(key_id(key.value()), value.value())?).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn is_at(
    row: &Result<(redb::AccessGuard<'_, PairKey>, redb::AccessGuard<'_, [u8; 8]>), redb::StorageError>,
    place: PairKey,
) -> bool {
    row.as_ref().is_ok_and(|(key, _)| key.value() == place)
}

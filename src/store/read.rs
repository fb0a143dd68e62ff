//! Snapshots: consistent reads of all that was committed before.
//!
//! While a snapshot exists, pages of the file are not reused, so it must be dropped once a request is answered.

use std::{
    ops::{Bound, ControlFlow},
    sync::Arc,
};

use redb::{AccessGuard, Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::{
    StoreError,
    codec::{id_key, key_id, key_pair, key_time, pair_key, time_key},
    counters::Counters,
    kind::decode_overflow,
    load,
    record::{
        change::decode_change,
        event::decode_event,
        incident::{decode_incident, decode_summary, decode_tags},
        message::{decode_message, decode_near_misses},
    },
    schema::{
        DEAD_MESSAGE, DUE_MESSAGE, EVENT_ID_TO_ACK, EVENT_ID_TO_EVENT, EVENT_ID_TO_NEAR_MISSES,
        INCIDENT_ID_TO_INCIDENT, INCIDENT_MESSAGE, IdKey, MESSAGE_ID_TO_MESSAGE, PairKey, RULE_ID_TO_OVERFLOW,
        SEQ_TO_CHANGE, SOURCE_INCIDENT_ID_TO_INCIDENT_ID, START_TO_SUMMARY, TAGS_VERSION_TO_TAGS,
        TIMESTAMP_TO_INCIDENT_ID, USER_ID_TO_PREFERENCES,
    },
    tables,
};
use crate::domain::{
    Acknowledgement, Change, Directory, Event, EventId, Incident, IncidentId, IncidentTag, Message, MessageId,
    Overflow, Preferences, Seq, SizeBudget, SourceId, Timestamp, UserId, incident::Summary, plan::NearMiss,
};

/// Direction in which a list is read that shows the newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Older,
    Newer,
}

/// Selection of messages in a list, by their state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Messages {
    All,
    Due,
    Dead,
}

pub struct Snapshot {
    pub(super) txn: ReadTransaction,
    /// Keeps the file open. Dropped after the transaction.
    _database: Arc<Database>,
}

impl Snapshot {
    pub(super) fn new(database: Arc<Database>) -> Result<Self, StoreError> {
        Ok(Self { txn: database.begin_read()?, _database: database })
    }

    /// Returns the totals, and the last change in this snapshot.
    pub fn counters(&self) -> Result<Counters, StoreError> {
        load::counters(&self.txn)
    }

    pub fn seq(&self) -> Result<Seq, StoreError> {
        Ok(Seq(self.counters()?.last_seq))
    }

    pub fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        tables::incident(&self.txn.open_table(INCIDENT_ID_TO_INCIDENT)?, id)
    }

    /// Returns incidents in the order of `ids`, without those that do not exist.
    pub fn incidents(&self, ids: &[IncidentId]) -> Result<Vec<Incident>, StoreError> {
        let table = self.txn.open_table(INCIDENT_ID_TO_INCIDENT)?;
        let mut incidents = Vec::with_capacity(ids.len());
        for id in ids {
            incidents.extend(tables::incident(&table, *id)?);
        }
        Ok(incidents)
    }

    /// Returns incidents in the order of `ids`, up to the first one that does not fit into `room`, and the number of
    /// ids that were passed. Incidents that do not exist are left out. `adjust` is called with each record before its
    /// size counts.
    pub fn incidents_within(
        &self,
        ids: impl IntoIterator<Item = IncidentId>,
        mut room: SizeBudget,
        adjust: impl Fn(&mut Incident),
    ) -> Result<(Vec<Incident>, usize), StoreError> {
        let table = self.txn.open_table(INCIDENT_ID_TO_INCIDENT)?;
        let (mut incidents, mut passed) = (Vec::new(), 0);
        for id in ids {
            if let Some(mut incident) = tables::incident(&table, id)? {
                adjust(&mut incident);
                if !room.takes(&incident) {
                    break;
                }
                incidents.push(incident);
            }
            passed += 1;
        }
        Ok((incidents, passed))
    }

    pub fn incident_with_source_id(&self, source: SourceId, id: &str) -> Result<Option<IncidentId>, StoreError> {
        tables::incident_with_source_id(&self.txn.open_table(SOURCE_INCIDENT_ID_TO_INCIDENT_ID)?, source, id)
    }

    /// Calls `visit` for all incidents, sorted by id, until it breaks.
    pub fn for_each_incident(&self, visit: &mut dyn FnMut(Incident) -> ControlFlow<()>) -> Result<(), StoreError> {
        let table = self.txn.open_table(INCIDENT_ID_TO_INCIDENT)?;
        each(table.range::<IdKey>(..)?, |key, value| Ok(visit(decode_incident(key_id(key), value)?)))
    }

    /// Calls `visit` for all summaries, sorted by start and id.
    pub fn for_each_summary(&self, visit: &mut dyn FnMut(Summary)) -> Result<(), StoreError> {
        let table = self.txn.open_table(START_TO_SUMMARY)?;
        let last = self.counters()?.last_incident;
        for row in table.range::<PairKey>(..)? {
            let (key, value) = row?;
            let (start, id) = key_time(key.value())?;
            if id > last {
                let wrong = format!("table start_to_summary has incident {id}, but {last} was the last one");
                return Err(StoreError::Damaged(wrong));
            }
            visit(decode_summary(start, id, value.value())?);
        }
        Ok(())
    }

    /// Returns the preferences. `None`: the user has not set any.
    pub fn preferences(&self, user: UserId) -> Result<Option<Preferences>, StoreError> {
        tables::preferences(&self.txn.open_table(USER_ID_TO_PREFERENCES)?, user)
    }

    pub fn event(&self, incident: IncidentId, event: EventId) -> Result<Option<Event>, StoreError> {
        tables::event(&self.txn.open_table(EVENT_ID_TO_EVENT)?, incident, event)
    }

    /// Returns the events of an incident, sorted by id.
    pub fn events_of(&self, incident: IncidentId) -> Result<Vec<Event>, StoreError> {
        tables::events_of(&self.txn.open_table(EVENT_ID_TO_EVENT)?, incident)
    }

    /// Calls `visit` for the events of an incident, sorted by id, until it breaks.
    pub fn for_each_event_of(
        &self,
        incident: IncidentId,
        visit: &mut dyn FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let table = self.txn.open_table(EVENT_ID_TO_EVENT)?;
        let of_incident = pair_key(incident.0, 0)..=pair_key(incident.0, u64::MAX);
        each(table.range(of_incident)?, |key, value| Ok(visit(decode_event_at(key, value)?)))
    }

    /// Calls `visit` for all events, sorted by incident and id, until it breaks.
    pub fn for_each_event(&self, visit: &mut dyn FnMut(Event) -> ControlFlow<()>) -> Result<(), StoreError> {
        let table = self.txn.open_table(EVENT_ID_TO_EVENT)?;
        each(table.range::<PairKey>(..)?, |key, value| Ok(visit(decode_event_at(key, value)?)))
    }

    /// Returns events of all incidents before or after `from` (timestamp, id), which is excluded, the nearest first.
    /// Without `from`: the newest ones, or the oldest ones.
    pub fn events_page(
        &self,
        from: Option<(Timestamp, EventId)>,
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        self.events_within(from, direction, limit, SizeBudget::new(usize::MAX)).map(|(page, _)| page)
    }

    /// Returns events like [`Snapshot::events_page`], up to the first one that does not fit into `room`, and whether
    /// there are more.
    pub fn events_within(
        &self,
        from: Option<(Timestamp, EventId)>,
        direction: Direction,
        limit: usize,
        mut room: SizeBudget,
    ) -> Result<(Vec<Event>, bool), StoreError> {
        let times = self.txn.open_table(TIMESTAMP_TO_INCIDENT_ID)?;
        let events = self.txn.open_table(EVENT_ID_TO_EVENT)?;
        let place = from.map(|(at, id)| time_key(at, id.0));
        let mut page = Vec::with_capacity(limit.min(1_000));
        let mut more = false;
        let visit = |key: PairKey, incident: IdKey| {
            let (_, id) = key_time(key)?;
            if page.len() >= limit {
                more = true;
                return Ok(ControlFlow::Break(()));
            }
            let incident = key_id(incident);
            let Some(event) = tables::event(&events, IncidentId(incident), EventId(id))? else {
                return Err(StoreError::Damaged(format!("event {id} is in an index only")));
            };
            if !room.takes(&event) {
                more = true;
                return Ok(ControlFlow::Break(()));
            }
            page.push(event);
            Ok(ControlFlow::Continue(()))
        };
        match (direction, place) {
            (Direction::Older, None) => each(times.range::<PairKey>(..)?.rev(), visit)?,
            (Direction::Older, Some(place)) => each(times.range(..place)?.rev(), visit)?,
            (Direction::Newer, None) => each(times.range::<PairKey>(..)?, visit)?,
            (Direction::Newer, Some(place)) => {
                each(times.range::<PairKey>((Bound::Excluded(place), Bound::Unbounded))?, visit)?;
            }
        }
        Ok((page, more))
    }

    pub fn ack(&self, incident: IncidentId, event: EventId) -> Result<Option<Acknowledgement>, StoreError> {
        tables::ack(&self.txn.open_table(EVENT_ID_TO_ACK)?, incident, event)
    }

    /// Returns the acknowledgements of an incident, sorted by id of the event.
    pub fn acks_of(&self, incident: IncidentId) -> Result<Vec<Acknowledgement>, StoreError> {
        tables::acks_of(&self.txn.open_table(EVENT_ID_TO_ACK)?, incident)
    }

    /// Returns the configuration after change `seq`, as far as decisions depend on it, without secrets.
    pub fn directory_at(&self, seq: Seq) -> Result<Directory, StoreError> {
        load::directory_at(&self.txn, seq)
    }

    /// Returns the tags that the incident had at this version of its set of tags.
    pub fn tags_at(&self, incident: &Incident, version: u32) -> Result<Vec<IncidentTag>, StoreError> {
        if incident.tags_version == version {
            return Ok(incident.tags.clone());
        }
        let tags = self.txn.open_table(TAGS_VERSION_TO_TAGS)?;
        match tags.get(pair_key(incident.id.0, version.into()))? {
            Some(value) => decode_tags(value.value()),
            None => Err(StoreError::Damaged(format!("incident {} has no tags of version {version}", incident.id))),
        }
    }

    /// Returns the near misses of an event, and the number of further ones.
    pub fn near_misses(&self, incident: IncidentId, event: EventId) -> Result<(Vec<NearMiss>, u32), StoreError> {
        let table = self.txn.open_table(EVENT_ID_TO_NEAR_MISSES)?;
        let found = table.get(pair_key(incident.0, event.0))?;
        found.map_or(Ok((Vec::new(), 0)), |value| decode_near_misses(value.value()))
    }

    /// Returns all overflows, sorted by id of the rule.
    pub fn overflows(&self) -> Result<Vec<Overflow>, StoreError> {
        let mut overflows = Vec::new();
        for row in self.txn.open_table(RULE_ID_TO_OVERFLOW)?.iter()? {
            let (key, value) = row?;
            overflows.push(decode_overflow(key_id(key.value()), value.value())?);
        }
        Ok(overflows)
    }

    pub fn message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        tables::message(&self.txn.open_table(MESSAGE_ID_TO_MESSAGE)?, id)
    }

    /// Returns the messages about an incident, sorted by id. Summaries are found through the messages that they
    /// replace.
    pub fn messages_of(&self, incident: IncidentId) -> Result<Vec<Message>, StoreError> {
        let mut found = Vec::new();
        self.for_each_message_of(incident, None, &mut |message| {
            found.push(message);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Calls `visit` for the messages about an incident whose id is greater than `after`, sorted by id, until it
    /// breaks.
    pub fn for_each_message_of(
        &self,
        incident: IncidentId,
        after: Option<MessageId>,
        visit: &mut dyn FnMut(Message) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let messages = self.txn.open_table(MESSAGE_ID_TO_MESSAGE)?;
        let first = after.map_or(0, |id| id.0.saturating_add(1));
        let of_incident = pair_key(incident.0, first)..=pair_key(incident.0, u64::MAX);
        for row in self.txn.open_table(INCIDENT_MESSAGE)?.range(of_incident)? {
            let (_, id) = key_pair(row?.0.value());
            if let Some(message) = tables::message(&messages, MessageId(id))?
                && visit(message)?.is_break()
            {
                break;
            }
        }
        Ok(())
    }

    /// Calls `visit` for all queued messages, sorted by id.
    pub fn for_each_due_message(&self, visit: &mut dyn FnMut(Message)) -> Result<(), StoreError> {
        let messages = self.txn.open_table(MESSAGE_ID_TO_MESSAGE)?;
        for row in self.txn.open_table(DUE_MESSAGE)?.iter()? {
            let id = MessageId(key_id(row?.0.value()));
            if let Some(message) = tables::message(&messages, id)? {
                visit(message);
            }
        }
        Ok(())
    }

    /// Returns messages whose id is less than `before`, the newest first.
    pub fn messages_page(
        &self,
        which: Messages,
        before: Option<MessageId>,
        limit: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let mut page = Vec::new();
        self.for_each_message_back(which, before, &mut |message| {
            if page.len() >= limit {
                return Ok(ControlFlow::Break(()));
            }
            page.push(message);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(page)
    }

    /// Calls `visit` for messages whose id is less than `before`, the newest first, until it breaks.
    pub fn for_each_message_back(
        &self,
        which: Messages,
        before: Option<MessageId>,
        visit: &mut dyn FnMut(Message) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let messages = self.txn.open_table(MESSAGE_ID_TO_MESSAGE)?;
        let below = ..id_key(before.map_or(u64::MAX, |id| id.0));
        let index = match which {
            Messages::All => {
                let rows = messages.range::<IdKey>(below)?.rev();
                return each(rows, |key, value| visit(decode_message(key_id(key), value)?));
            }
            Messages::Due => DUE_MESSAGE,
            Messages::Dead => DEAD_MESSAGE,
        };
        for row in self.txn.open_table(index)?.range::<[u8; 8]>(below)?.rev() {
            if let Some(message) = tables::message(&messages, MessageId(key_id(row?.0.value())))?
                && visit(message)?.is_break()
            {
                break;
            }
        }
        Ok(())
    }

    /// Returns the queued messages with the lowest ids, sorted by id.
    pub fn oldest_due_messages(&self, count: usize) -> Result<Vec<Message>, StoreError> {
        let messages = self.txn.open_table(MESSAGE_ID_TO_MESSAGE)?;
        let mut found = Vec::new();
        for row in self.txn.open_table(DUE_MESSAGE)?.iter()?.take(count) {
            found.extend(tables::message(&messages, MessageId(key_id(row?.0.value())))?);
        }
        Ok(found)
    }

    /// Returns the number of queued messages and of failed ones.
    pub fn outbox_depth(&self) -> Result<(u64, u64), StoreError> {
        Ok((self.txn.open_table(DUE_MESSAGE)?.len()?, self.txn.open_table(DEAD_MESSAGE)?.len()?))
    }

    pub fn change(&self, seq: Seq) -> Result<Option<Change>, StoreError> {
        let table = self.txn.open_table(SEQ_TO_CHANGE)?;
        table.get(id_key(seq.0))?.map(|value| decode_change(seq.0, value.value())).transpose()
    }

    /// Calls `visit` for changes before `before`, the newest first, until it breaks. Up to `Counters::trimmed` some may
    /// be missing.
    pub fn for_each_change_back(
        &self,
        before: Option<Seq>,
        visit: &mut dyn FnMut(Change) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let table = self.txn.open_table(SEQ_TO_CHANGE)?;
        let below = ..id_key(before.map_or(u64::MAX, |seq| seq.0));
        each(table.range::<IdKey>(below)?.rev(), |key, value| Ok(visit(decode_change(key_id(key), value)?)))
    }

    /// Calls `visit` for changes after `after`, in order, until it breaks. Up to `Counters::trimmed` some may be
    /// missing.
    pub fn for_each_change(
        &self,
        after: Seq,
        visit: &mut dyn FnMut(Change) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let table = self.txn.open_table(SEQ_TO_CHANGE)?;
        let later = id_key(after.0.saturating_add(1))..;
        each(table.range(later)?, |key, value| Ok(visit(decode_change(key_id(key), value)?)))
    }
}

/// Calls `visit` for each row until it breaks.
fn each<'a, K: redb::Key + 'static, V: redb::Value + 'static>(
    rows: impl Iterator<Item = Result<(AccessGuard<'a, K>, AccessGuard<'a, V>), redb::StorageError>>,
    mut visit: impl FnMut(K::SelfType<'_>, V::SelfType<'_>) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    for row in rows {
        let (key, value) = row?;
        if visit(key.value(), value.value())?.is_break() {
            break;
        }
    }
    Ok(())
}

fn decode_event_at(key: PairKey, value: &[u8]) -> Result<Event, StoreError> {
    let (incident, id) = key_pair(key);
    decode_event(incident, id, value)
}

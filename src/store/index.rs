//! The only writer of records, secondary indexes, counters and the change log.

use std::{mem, sync::Arc};

use super::{
    StoreError,
    codec::{id_key, pair_key, source_incident_key, time_key},
    command::Staged,
    counters::Counters,
    figures::WriterFigures,
    record::{
        change::{decode_change, encode_change},
        event::{encode_ack, encode_event},
        incident::{encode_incident, encode_summary, encode_tags},
        preferences::encode_preferences,
    },
    schema::PairKey,
    tables::{Reads, WriteTables},
};
use crate::clock::Clock;
use crate::domain::{
    Acknowledgement, Change, ChangeKind, Committed, Directory, Event, Incident, IncidentChange, IncidentId, Seq,
    Timestamp, UserId, agenda::Task, incident::Summary, matcher::Matcher,
};

/// A transaction to which accepted commands are applied: the open tables, and the working copies of directory and
/// counters.
pub struct Applier<'a, 't> {
    pub tables: &'a mut WriteTables<'t>,
    pub directory: &'a mut Arc<Directory>,
    pub counters: &'a mut Counters,
    /// Matcher, updated to the directory before each decision.
    pub matcher: &'a mut Matcher,
    pub clock: &'a dyn Clock,
    pub figures: &'a WriterFigures,
    /// Rows of the agenda that the current write makes due at once.
    pub touched: Vec<Task>,
}

impl Applier<'_, '_> {
    /// Applies staged writes. After an error the transaction is in an undefined state and must be aborted.
    pub fn apply(
        &mut self,
        staged: Vec<Staged>,
        actor: Option<UserId>,
        at: Timestamp,
    ) -> Result<Committed, StoreError> {
        let mut done = Committed::default();
        for write in staged {
            let kind = match write {
                Staged::PutIncident(incident) => {
                    done.incidents.push(self.put_incident(incident)?);
                    None
                }
                Staged::DeleteIncident(id) => {
                    let deleted = self.delete_incident(id)?;
                    done.incidents.extend(deleted);
                    None
                }
                Staged::PurgeIncidents(ids) => {
                    self.purge_incidents(ids, &mut done)?;
                    None
                }
                Staged::EndPurge => {
                    self.counters.purged = 0;
                    None
                }
                Staged::PutEvent(event) => {
                    self.put_event(&event)?;
                    if event.after.decided.is_some() {
                        let started = self.clock.moment();
                        self.decide(&event, &mut done, at)?;
                        self.figures.decisions.observe_micros(self.clock.moment().micros_since(started));
                    }
                    done.events.push(Arc::new(event));
                    None
                }
                Staged::PutAck(ack) => {
                    self.put_ack(&ack)?;
                    None
                }
                Staged::PutMessage(message) => {
                    done.messages.push(self.put_message(message)?);
                    None
                }
                Staged::PutPreferences(user, preferences) => {
                    let record = encode_preferences(&preferences)?;
                    self.tables.preferences.insert(id_key(user.0), record.as_slice())?;
                    None
                }
                Staged::Schedule(task, due) => {
                    self.schedule(task, due)?;
                    done.agenda.push((task, due));
                    None
                }
                Staged::SetLastSeen(source, at) => {
                    self.tables.last_seen.insert(id_key(source.0), at.micros())?;
                    None
                }
                Staged::TrimChanges { up_to } => {
                    self.trim_changes(up_to)?;
                    None
                }
                Staged::SetExpiryClock(reached) => {
                    self.counters.expiry_clock = reached.micros().max(0).unsigned_abs();
                    None
                }
                Staged::Log(kind) => Some(kind),
                Staged::PutContact(contact) => Some(ChangeKind::Configuration(self.put_contact(&contact)?)),
                Staged::DeleteContact(uuid) => self.delete_contact(uuid)?.map(ChangeKind::Configuration),
                Staged::PutContactGroup(group) => Some(ChangeKind::Configuration(self.put_contact_group(&group)?)),
                Staged::DeleteContactGroup(uuid) => self.delete_contact_group(uuid)?.map(ChangeKind::Configuration),
                Staged::PutUser(user) => {
                    done.directory_changed = true;
                    Some(ChangeKind::Configuration(self.put(user)?))
                }
                Staged::Configure(write) => {
                    let change = write(self)?;
                    for task in mem::take(&mut self.touched) {
                        self.schedule(task, Some(at))?;
                        done.agenda.push((task, Some(at)));
                    }
                    done.directory_changed |= change.is_some();
                    change.map(ChangeKind::Configuration)
                }
            };
            if let Some(kind) = kind {
                done.changes.push(self.log(kind, actor, at)?);
            }
        }
        Ok(done)
    }

    fn log(&mut self, kind: ChangeKind, actor: Option<UserId>, at: Timestamp) -> Result<Change, StoreError> {
        self.counters.last_seq += 1;
        let change = Change { seq: Seq(self.counters.last_seq), at, actor, kind };
        self.tables.changes.insert(id_key(change.seq.0), encode_change(&change)?.as_slice())?;
        Ok(change)
    }

    /// Deletes changes that only followers need, those of the retention included. The audit trail stays.
    fn trim_changes(&mut self, up_to: Seq) -> Result<(), StoreError> {
        let mut damage = None;
        self.tables.changes.retain_in::<[u8; 8], _>(
            id_key(self.counters.trimmed)..=id_key(up_to.0),
            |key, value| match decode_change(u64::from_be_bytes(key), value) {
                Ok(
                    Change { kind: ChangeKind::IncidentCreated { .. } | ChangeKind::EventAdded { .. }, .. }
                    | Change { kind: ChangeKind::IncidentDeleted { .. }, actor: None, .. },
                ) => false,
                Ok(_) => true,
                Err(error) => {
                    damage = Some(error);
                    true
                }
            },
        )?;
        self.counters.trimmed = self.counters.trimmed.max(up_to.0);
        damage.map_or(Ok(()), Err)
    }

    fn put_incident(&mut self, mut incident: Incident) -> Result<IncidentChange, StoreError> {
        let key = id_key(incident.id.0);
        let mut before = self.tables.incident(incident.id)?;
        self.tables.incidents.insert(key, encode_incident(&incident)?.as_slice())?;
        if before.is_none() {
            self.counters.incidents += 1;
        }
        if let Some(before) = before.as_ref().filter(|before| before.tags_version != incident.tags_version) {
            let version = pair_key(incident.id.0, before.tags_version.into());
            self.tables.old_tags.insert(version, encode_tags(&before.tags)?.as_slice())?;
        }
        self.index_incident(before.as_ref(), Some(&incident))?;
        incident.metadata = String::new();
        if let Some(before) = &mut before {
            before.metadata = String::new();
        }
        Ok(IncidentChange { before: before.map(Arc::new), after: Some(Arc::new(incident)) })
    }

    pub fn delete_incident(&mut self, id: IncidentId) -> Result<Option<IncidentChange>, StoreError> {
        let Some(mut incident) = self.tables.incident(id)? else { return Ok(None) };
        for event in self.tables.events_of(id)? {
            self.tables.events.remove(pair_key(id.0, event.id.0))?;
            self.tables.event_times.remove(time_key(event.timestamp, event.id.0))?;
            self.counters.events -= 1;
        }
        for ack in self.tables.acks_of(id)? {
            self.tables.acks.remove(pair_key(id.0, ack.event.0))?;
            self.counters.acks -= 1;
        }
        let of_incident = || pair_key(id.0, 0)..=pair_key(id.0, u64::MAX);
        self.tables.old_tags.retain_in::<PairKey, _>(of_incident(), |_, _| false)?;
        self.tables.near_misses.retain_in::<PairKey, _>(of_incident(), |_, _| false)?;
        self.tables.incident_messages.retain_in::<PairKey, _>(of_incident(), |_, ()| false)?;
        self.tables.incidents.remove(id_key(id.0))?;
        self.counters.incidents -= 1;
        self.index_incident(Some(&incident), None)?;
        incident.metadata = String::new();
        Ok(Some(IncidentChange { before: Some(Arc::new(incident)), after: None }))
    }

    fn index_incident(&mut self, before: Option<&Incident>, after: Option<&Incident>) -> Result<(), StoreError> {
        let place = |incident: &Incident| time_key(incident.start, incident.id.0);
        let summary_before = before.map(Summary::from);
        let summary_after = after.map(Summary::from);
        if summary_before != summary_after {
            if let Some(before) = before.filter(|before| after.map(place) != Some(place(before))) {
                self.tables.summaries.remove(place(before))?;
            }
            if let (Some(after), Some(summary)) = (after, summary_after) {
                self.tables.summaries.insert(place(after), encode_summary(&summary)?.as_slice())?;
            }
        }
        let name = |incident: &Incident| {
            (!incident.source_incident_id.is_empty())
                .then(|| source_incident_key(incident.source.0, &incident.source_incident_id))
        };
        let (name_before, name_after) = (before.and_then(name), after.and_then(name));
        if name_before == name_after {
            return Ok(());
        }
        if let Some(name) = name_before {
            self.tables.source_incident_ids.remove(name.as_slice())?;
        }
        if let (Some(name), Some(after)) = (name_after, after) {
            let taken = self.tables.source_incident_ids.insert(name.as_slice(), id_key(after.id.0))?.is_some();
            if taken {
                return Err(StoreError::Damaged("a command gave a source incident id to a second incident".to_owned()));
            }
        }
        Ok(())
    }

    fn put_event(&mut self, event: &Event) -> Result<(), StoreError> {
        let new = self
            .tables
            .events
            .insert(pair_key(event.incident.0, event.id.0), encode_event(event)?.as_slice())?
            .is_none();
        self.tables.event_times.insert(time_key(event.timestamp, event.id.0), id_key(event.incident.0))?;
        self.counters.events += u64::from(new);
        Ok(())
    }

    fn put_ack(&mut self, ack: &Acknowledgement) -> Result<(), StoreError> {
        let new =
            self.tables.acks.insert(pair_key(ack.incident.0, ack.event.0), encode_ack(ack)?.as_slice())?.is_none();
        self.counters.acks += u64::from(new);
        Ok(())
    }
}

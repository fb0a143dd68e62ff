//! The only writer of records, secondary indexes, counters and the change log.

use std::sync::Arc;

use super::{
    StoreError, audit,
    codec::{id_key, pair_key, source_incident_key, time_key},
    command::Staged,
    counters::Counters,
    record::{
        change::{decode_change, encode_change},
        configuration::{encode_destination, encode_filter, encode_source, encode_timeslot, encode_token, encode_user},
        event::{encode_ack, encode_event},
        incident::{encode_incident, encode_summary},
    },
    tables::{Reads, WriteTables},
};
use crate::domain::{
    ack::Acknowledgement,
    change::{Change, ChangeKind, Committed, ConfigurationChange, IncidentChange, Subject},
    destination::Destination,
    directory::Directory,
    event::Event,
    ids::{DestinationId, FilterId, IncidentId, Seq, TimeslotId, UserId},
    incident::{Incident, Summary},
    source::Source,
    stored_filter::StoredFilter,
    time::Timestamp,
    timeslot::Timeslot,
    token::{Token, TokenHash},
    user::User,
};

/// Applies accepted commands to the open tables and to the working copies of directory and counters.
pub struct Applier<'a, 't> {
    pub tables: &'a mut WriteTables<'t>,
    pub directory: &'a mut Arc<Directory>,
    pub counters: &'a mut Counters,
}

impl Applier<'_, '_> {
    /// An error leaves the transaction in an undefined state: it must be aborted.
    pub fn apply(
        &mut self,
        staged: Vec<Staged>,
        actor: Option<UserId>,
        at: Timestamp,
    ) -> Result<Committed, StoreError> {
        let mut done =
            Committed { changes: Vec::new(), incidents: Vec::new(), events: Vec::new(), directory_changed: false };
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
                Staged::PutEvent(event) => {
                    self.put_event(&event)?;
                    done.events.push(Arc::new(event));
                    None
                }
                Staged::PutAck(ack) => {
                    self.put_ack(&ack)?;
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
                Staged::Log(kind) => Some(kind),
                configuration => {
                    let change = self.configure(configuration)?;
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

    /// Only rows that nothing but followers need; the audit trail stays.
    fn trim_changes(&mut self, up_to: Seq) -> Result<(), StoreError> {
        let mut damage = None;
        self.tables.changes.retain_in::<[u8; 8], _>(
            id_key(self.counters.trimmed)..=id_key(up_to.0),
            |key, value| match decode_change(u64::from_be_bytes(key), value) {
                Ok(change) => {
                    !matches!(change.kind, ChangeKind::IncidentCreated { .. } | ChangeKind::EventAdded { .. })
                }
                Err(error) => {
                    damage = Some(error);
                    true
                }
            },
        )?;
        self.counters.trimmed = self.counters.trimmed.max(up_to.0);
        damage.map_or(Ok(()), Err)
    }

    fn put_incident(&mut self, incident: Incident) -> Result<IncidentChange, StoreError> {
        let key = id_key(incident.id.0);
        let before = self.tables.incident(incident.id)?;
        self.tables.incidents.insert(key, encode_incident(&incident)?.as_slice())?;
        if before.is_none() {
            self.counters.incidents += 1;
        }
        self.index_incident(before.as_ref(), Some(&incident))?;
        Ok(IncidentChange { before: before.map(Arc::new), after: Some(Arc::new(incident)) })
    }

    fn delete_incident(&mut self, id: IncidentId) -> Result<Option<IncidentChange>, StoreError> {
        let Some(incident) = self.tables.incident(id)? else { return Ok(None) };
        for event in self.tables.events_of(id)? {
            self.tables.events.remove(pair_key(id.0, event.id.0))?;
            self.tables.event_times.remove(time_key(event.timestamp, event.id.0))?;
            self.counters.events -= 1;
        }
        for ack in self.tables.acks_of(id)? {
            self.tables.acks.remove(pair_key(id.0, ack.event.0))?;
            self.counters.acks -= 1;
        }
        self.tables.incidents.remove(id_key(id.0))?;
        self.counters.incidents -= 1;
        self.index_incident(Some(&incident), None)?;
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

    fn configure(&mut self, write: Staged) -> Result<Option<ConfigurationChange>, StoreError> {
        match write {
            Staged::PutUser(user) => self.put_user(user).map(Some),
            Staged::PutToken(token) => self.put_token(token).map(Some),
            Staged::DeleteToken(hash) => self.delete_token(hash),
            Staged::PutSource(source) => self.put_source(source).map(Some),
            Staged::PutSourceType(name) => self.put_source_type(name),
            Staged::PutTimeslot(timeslot) => self.put_timeslot(timeslot).map(Some),
            Staged::DeleteTimeslot(id) => self.delete_timeslot(id),
            Staged::PutFilter(filter) => self.put_filter(filter).map(Some),
            Staged::DeleteFilter(id) => self.delete_filter(id),
            Staged::PutDestination(destination) => self.put_destination(destination).map(Some),
            Staged::DeleteDestination(id) => self.delete_destination(id),
            _ => Ok(None),
        }
    }

    fn put_user(&mut self, user: User) -> Result<ConfigurationChange, StoreError> {
        self.tables.users.insert(id_key(user.id.0), encode_user(&user)?.as_slice())?;
        let (key, after) = (user.id.to_string(), audit::user(&user));
        let directory = Arc::make_mut(self.directory);
        let before = directory.put_user(user);
        let before = before.map(|user| audit::user(&user));
        Ok(ConfigurationChange { subject: Subject::User, key, before, after: Some(after) })
    }

    fn put_token(&mut self, token: Token) -> Result<ConfigurationChange, StoreError> {
        self.tables.tokens.insert(token.hash, encode_token(&token)?.as_slice())?;
        let (key, after) = (token.id.to_string(), audit::token(&token));
        let before = Arc::make_mut(self.directory).put_token(token).map(|token| audit::token(&token));
        Ok(ConfigurationChange { subject: Subject::Token, key, before, after: Some(after) })
    }

    fn delete_token(&mut self, hash: TokenHash) -> Result<Option<ConfigurationChange>, StoreError> {
        self.tables.tokens.remove(hash)?;
        Ok(Arc::make_mut(self.directory).tokens.remove(&hash).map(|token| ConfigurationChange {
            subject: Subject::Token,
            key: token.id.to_string(),
            before: Some(audit::token(&token)),
            after: None,
        }))
    }

    fn put_source(&mut self, source: Source) -> Result<ConfigurationChange, StoreError> {
        self.tables.sources.insert(id_key(source.id.0), encode_source(&source)?.as_slice())?;
        let (key, after) = (source.id.to_string(), audit::source(&source));
        let before = Arc::make_mut(self.directory).put_source(source).map(|source| audit::source(&source));
        Ok(ConfigurationChange { subject: Subject::Source, key, before, after: Some(after) })
    }

    fn put_source_type(&mut self, name: String) -> Result<Option<ConfigurationChange>, StoreError> {
        self.tables.source_types.insert(name.as_str(), ())?;
        let new = Arc::make_mut(self.directory).source_types.insert(name.clone());
        let after = Some(serde_json::json!({ "name": name }).to_string());
        Ok(new.then_some(ConfigurationChange { subject: Subject::SourceType, key: name, before: None, after }))
    }

    fn put_timeslot(&mut self, timeslot: Timeslot) -> Result<ConfigurationChange, StoreError> {
        self.tables.timeslots.insert(id_key(timeslot.id.0), encode_timeslot(&timeslot)?.as_slice())?;
        let (key, after) = (timeslot.id.to_string(), audit::timeslot(&timeslot));
        let before = Arc::make_mut(self.directory)
            .timeslots
            .insert(timeslot.id, Arc::new(timeslot))
            .map(|timeslot| audit::timeslot(&timeslot));
        Ok(ConfigurationChange { subject: Subject::Timeslot, key, before, after: Some(after) })
    }

    fn delete_timeslot(&mut self, id: TimeslotId) -> Result<Option<ConfigurationChange>, StoreError> {
        self.tables.timeslots.remove(id_key(id.0))?;
        Ok(Arc::make_mut(self.directory).timeslots.remove(&id).map(|timeslot| ConfigurationChange {
            subject: Subject::Timeslot,
            key: id.to_string(),
            before: Some(audit::timeslot(&timeslot)),
            after: None,
        }))
    }

    fn put_filter(&mut self, filter: StoredFilter) -> Result<ConfigurationChange, StoreError> {
        self.tables.filters.insert(id_key(filter.id.0), encode_filter(&filter)?.as_slice())?;
        let (key, after) = (filter.id.to_string(), audit::filter(&filter));
        let before = Arc::make_mut(self.directory)
            .filters
            .insert(filter.id, Arc::new(filter))
            .map(|filter| audit::filter(&filter));
        Ok(ConfigurationChange { subject: Subject::Filter, key, before, after: Some(after) })
    }

    fn delete_filter(&mut self, id: FilterId) -> Result<Option<ConfigurationChange>, StoreError> {
        self.tables.filters.remove(id_key(id.0))?;
        Ok(Arc::make_mut(self.directory).filters.remove(&id).map(|filter| ConfigurationChange {
            subject: Subject::Filter,
            key: id.to_string(),
            before: Some(audit::filter(&filter)),
            after: None,
        }))
    }

    fn put_destination(&mut self, destination: Destination) -> Result<ConfigurationChange, StoreError> {
        self.tables.destinations.insert(id_key(destination.id.0), encode_destination(&destination)?.as_slice())?;
        let (key, after) = (destination.id.to_string(), audit::destination(&destination));
        let before = Arc::make_mut(self.directory)
            .destinations
            .insert(destination.id, Arc::new(destination))
            .map(|destination| audit::destination(&destination));
        Ok(ConfigurationChange { subject: Subject::Destination, key, before, after: Some(after) })
    }

    fn delete_destination(&mut self, id: DestinationId) -> Result<Option<ConfigurationChange>, StoreError> {
        self.tables.destinations.remove(id_key(id.0))?;
        Ok(Arc::make_mut(self.directory).destinations.remove(&id).map(|destination| ConfigurationChange {
            subject: Subject::Destination,
            key: id.to_string(),
            before: Some(audit::destination(&destination)),
            after: None,
        }))
    }
}

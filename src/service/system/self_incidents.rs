//! Opens and closes incidents of the server itself, as `domain::fault` decides (contract section 23).
//!
//! The latest incident about a subject has the subject's name as its source incident id, so it is found without a
//! search and cannot exist twice. When another one follows, the id of the earlier one is extended by its own number.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use crate::domain::{
    ChangeKind, ChannelId, DestinationId, Directory, EventType, FieldChange, Incident, IncidentId, MonotonicTime,
    RuleId, Source, SourceId, Timestamp,
    fault::{self, FaultFinding, FaultKind, FaultStep, FaultSubject, FaultVerdict, Strictness, step},
};
use crate::service::{
    NewEvent, NewIncident, ServiceError, System,
    incidents::{events::post_event, incident::put_new_incident},
    people::setup,
};
use crate::store::{Command, Snapshot, StoreError};

/// The incidents that a check opened and closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    pub opened: Vec<IncidentId>,
    pub ended: Vec<IncidentId>,
}

/// Subjects that had an incident before: only those can have one to be closed. `None`: not read yet.
#[derive(Debug, Default)]
pub(in crate::service) struct Reported(Mutex<Option<BTreeSet<FaultSubject>>>);

impl System {
    /// Checks the tokens of all sources for expiry within `days`. Incidents about other tokens are closed.
    pub async fn check_tokens(&self, days: u32) -> Result<Settled, ServiceError> {
        let zone = self.settings().time_zone;
        self.settle(FaultKind::TokenExpiry, move |directory, now| {
            fault::expiring_tokens(directory, zone, days, Strictness::Strict, now)
        })
        .await
    }

    /// Checks all watched sources for missing heartbeats. Before `listening_since` no sign of life could be received.
    pub async fn check_heartbeats(&self, listening_since: Option<MonotonicTime>) -> Result<Settled, ServiceError> {
        let store = self.store().clone();
        self.settle(FaultKind::MissingHeartbeat, move |directory, now| {
            let listening_since = listening_since.map(|moment| store.clock().both().wall_at(moment));
            fault::missing_heartbeats(directory, |source| store.silent_since(source), listening_since, now)
        })
        .await
    }

    /// Checks for rules without recipients.
    pub async fn check_rules(&self) -> Result<Settled, ServiceError> {
        self.settle(FaultKind::RuleWithoutRecipients, |directory, _| fault::rules_without_recipients(directory)).await
    }

    /// Checks for rules whose last event left out contacts.
    pub async fn check_overflows(&self) -> Result<Settled, ServiceError> {
        let overflows = self.store().read(|snapshot| Ok::<_, ServiceError>(snapshot.overflows()?)).await?;
        let find = move |directory: &Directory, _| fault::too_many_recipients(directory, &overflows);
        self.settle(FaultKind::TooManyRecipients, find).await
    }

    /// Opens and closes incidents of a kind according to the findings of `find`. The decision is made in one command,
    /// or without a command if nothing has to change.
    pub async fn settle(
        &self,
        kind: FaultKind,
        find: impl Fn(&Directory, Timestamp) -> Vec<FaultFinding> + Send + 'static,
    ) -> Result<Settled, ServiceError> {
        let service = self.clone();
        let (find, matters) = self
            .blocking(move || {
                let snapshot = service.store().snapshot()?;
                let (directory, now) = (service.directory(), service.now());
                let findings = by_matter(find(&directory, now));
                let mut matters = service.inner.reported.of_kind(kind, directory.own_source(), &snapshot)?;
                matters.extend(findings.values().filter(|it| it.is_fault()).map(|it| it.subject));
                let mut unsettled = BTreeSet::new();
                for subject in matters {
                    if service.is_unsettled(subject, findings.get(&subject), &directory, &snapshot, now)? {
                        unsettled.insert(subject);
                    }
                }
                Ok((find, unsettled))
            })
            .await?;
        if matters.is_empty() {
            return Ok(Settled::default());
        }
        self.write(None, move |command| {
            let findings = by_matter(find(command.directory(), command.now()));
            let mut work = Work::new(command);
            for subject in matters {
                work.settle(subject, findings.get(&subject))?;
            }
            Ok(work.settled)
        })
        .await
    }

    /// Returns whether the latest incident about a subject has to change. A subject that may now get its first incident
    /// is recorded as reported.
    pub(in crate::service) fn is_unsettled(
        &self,
        subject: FaultSubject,
        finding: Option<&FaultFinding>,
        directory: &Directory,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Result<bool, ServiceError> {
        let latest = latest(directory, subject, |source, name| {
            let id = snapshot.incident_with_source_id(source, name)?;
            id.map_or(Ok(None), |id| snapshot.incident(id))
        })?;
        let is_unsettled = step(latest.as_ref(), finding, now) != FaultStep::Nothing;
        if is_unsettled {
            self.inner.reported.add(subject);
        }
        Ok(is_unsettled)
    }
}

/// Opens and closes incidents within a command.
pub(in crate::service) struct Work<'a, 'c> {
    pub(in crate::service) command: &'a mut Command<'c>,
    /// The source `argus`, created on demand.
    own: Option<Source>,
    pub(in crate::service) settled: Settled,
}

impl<'a, 'c> Work<'a, 'c> {
    pub(in crate::service) fn new(command: &'a mut Command<'c>) -> Self {
        Self { command, own: None, settled: Settled::default() }
    }

    /// Opens or closes the incident of a subject according to `finding`. `None`: there is no fault.
    pub(in crate::service) fn settle(
        &mut self,
        subject: FaultSubject,
        finding: Option<&FaultFinding>,
    ) -> Result<(), ServiceError> {
        let latest = latest(self.command.directory(), subject, |source, name| {
            let id = self.command.incident_with_source_id(source, name)?;
            id.map_or(Ok(None), |id| self.command.incident(id))
        })?;
        let step = step(latest.as_ref(), finding, self.command.now());
        let opens = matches!(step, FaultStep::Open | FaultStep::Replace);
        if let Some(mut latest) = latest {
            if opens {
                give_up_name(self.command, subject, &mut latest);
            }
            if matches!(step, FaultStep::End | FaultStep::Replace) {
                self.settled.ended.push(latest.id);
                end(self.command, subject, latest);
            } else if opens {
                self.command.put_incident(latest);
            }
        }
        if let (true, Some(FaultFinding { verdict: FaultVerdict::Fault { description, .. }, .. })) = (opens, finding) {
            self.open(subject, description.clone());
        }
        Ok(())
    }

    fn open(&mut self, subject: FaultSubject, description: String) {
        let source = self.own.get_or_insert_with(|| setup::own_source(self.command));
        let id = self.command.new_incident_id();
        let new = NewIncident {
            start: self.command.now(),
            source_incident_id: subject.name(),
            description,
            level: Some(subject.level()),
            tags: subject.tags(id, self.command.directory()),
            ..NewIncident::default()
        };
        put_new_incident(self.command, id, source, source.user, new);
        self.settled.opened.push(id);
    }
}

fn end(command: &mut Command<'_>, subject: FaultSubject, incident: Incident) {
    let description = fault::over(subject, incident.start, command.directory());
    let Some(actor) = command.directory().source(incident.source).map(|source| source.user) else { return };
    let event = NewEvent { kind: EventType::End, timestamp: None, description };
    post_event(command, incident, actor, &event);
}

fn give_up_name(command: &mut Command<'_>, subject: FaultSubject, incident: &mut Incident) {
    let after = subject.former_name(incident.id);
    let before = std::mem::replace(&mut incident.source_incident_id, after.clone());
    let renamed = FieldChange { field: "source_incident_id".to_owned(), before, after };
    command.log(ChangeKind::IncidentEdited { incident: incident.id, fields: vec![renamed], events: Vec::new() });
}

fn by_matter(findings: Vec<FaultFinding>) -> BTreeMap<FaultSubject, FaultFinding> {
    findings.into_iter().map(|finding| (finding.subject, finding)).collect()
}

fn latest(
    directory: &Directory,
    subject: FaultSubject,
    find: impl FnOnce(SourceId, &str) -> Result<Option<Incident>, StoreError>,
) -> Result<Option<Incident>, StoreError> {
    directory.own_source().map_or(Ok(None), |source| find(source, &subject.name()))
}

impl Reported {
    /// Returns the reported subjects of a kind. The first call reads them from the file, by the name of each possible
    /// subject.
    fn of_kind(
        &self,
        kind: FaultKind,
        own: Option<SourceId>,
        snapshot: &Snapshot,
    ) -> Result<BTreeSet<FaultSubject>, ServiceError> {
        let mut reported = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let matters = match reported.take() {
            Some(matters) => matters,
            None => Self::read(own, snapshot)?,
        };
        Ok(reported.insert(matters).iter().copied().filter(|subject| subject.kind() == kind).collect())
    }

    fn read(own: Option<SourceId>, snapshot: &Snapshot) -> Result<BTreeSet<FaultSubject>, ServiceError> {
        let Some(own) = own else { return Ok(BTreeSet::new()) };
        let counters = snapshot.counters()?;
        let sources = (1..=counters.last_source).map(SourceId);
        let destinations = (1..=counters.last_destination).map(DestinationId);
        let matters = sources
            .flat_map(|source| [FaultSubject::Token(source), FaultSubject::Heartbeat(source)])
            .chain(destinations.map(FaultSubject::DeadMessages))
            .chain((1..=counters.last_channel).map(ChannelId).map(FaultSubject::Channel))
            .chain((1..=counters.last_rule).map(RuleId).map(FaultSubject::Rule))
            .chain((1..=counters.last_rule).map(RuleId).map(FaultSubject::Overflow))
            .chain([FaultSubject::MailServer, FaultSubject::DataFile, FaultSubject::Backup]);
        let mut reported = BTreeSet::new();
        for subject in matters {
            if snapshot.incident_with_source_id(own, &subject.name())?.is_some() {
                reported.insert(subject);
            }
        }
        Ok(reported)
    }

    fn add(&self, subject: FaultSubject) {
        if let Some(reported) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            reported.insert(subject);
        }
    }
}

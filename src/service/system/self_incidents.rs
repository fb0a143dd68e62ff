//! Opens and closes incidents of the server itself, as `domain::trouble` decides (contract section 23).
//!
//! The latest incident about a matter bears the matter's name as its source incident id, so it is found without a
//! search and there cannot be two; one that it follows bears its own number besides.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use crate::{
    domain::{
        change::{ChangeKind, FieldChange},
        directory::Directory,
        event::EventType,
        ids::{ChannelId, DestinationId, IncidentId, RuleId, SourceId},
        incident::Incident,
        source::Source,
        time::{Moment, Timestamp},
        trouble::{self, Finding, Kind, Matter, Step, Strictness, Verdict, step},
    },
    service::{
        NewEvent, NewIncident, ServiceError, System, incidents::events::post_event,
        incidents::incident::put_new_incident, people::setup,
    },
    store::{Command, Snapshot, StoreError},
};

/// What a look at things led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    pub opened: Vec<IncidentId>,
    pub ended: Vec<IncidentId>,
}

/// Matters that there ever was an incident about: only those can have one that has to end. `None`: not known yet.
#[derive(Debug, Default)]
pub(in crate::service) struct Reported(Mutex<Option<BTreeSet<Matter>>>);

impl System {
    /// Tokens of all sources that expire within this number of days; others have no incident afterwards.
    pub async fn check_tokens(&self, days: u32) -> Result<Settled, ServiceError> {
        let zone = self.settings().time_zone;
        self.settle(Kind::TokenExpiry, move |directory, now| {
            trouble::expiring_tokens(directory, zone, days, Strictness::Strict, now)
        })
        .await
    }

    /// All sources that are watched and silent. Before `listening_since` nobody could be heard.
    pub async fn check_heartbeats(&self, listening_since: Option<Moment>) -> Result<Settled, ServiceError> {
        let store = self.store().clone();
        self.settle(Kind::MissingHeartbeat, move |directory, now| {
            let listening_since = listening_since.map(|moment| store.clock().both().wall_at(moment));
            trouble::missing_heartbeats(directory, |source| store.silent_since(source), listening_since, now)
        })
        .await
    }

    /// Rules that lead to nobody.
    pub async fn check_rules(&self) -> Result<Settled, ServiceError> {
        self.settle(Kind::RuleWithoutRecipients, |directory, _| trouble::rules_without_recipients(directory)).await
    }

    /// Rules whose last event left contacts out.
    pub async fn check_overflows(&self) -> Result<Settled, ServiceError> {
        let overflows = self.store().read(|snapshot| Ok::<_, ServiceError>(snapshot.overflows()?)).await?;
        let find = move |directory: &Directory, _| trouble::too_many_recipients(directory, &overflows);
        self.settle(Kind::TooManyRecipients, find).await
    }

    /// Makes the incidents of a kind say what `find` finds. Decided in one command; without one if all is as it should
    /// be.
    pub async fn settle(
        &self,
        kind: Kind,
        find: impl Fn(&Directory, Timestamp) -> Vec<Finding> + Send + 'static,
    ) -> Result<Settled, ServiceError> {
        let service = self.clone();
        let (find, matters) = self
            .blocking(move || {
                let snapshot = service.store().snapshot()?;
                let (directory, now) = (service.directory(), service.now());
                let findings = by_matter(find(&directory, now));
                let mut matters = service.reported().of_kind(kind, directory.own_source(), &snapshot)?;
                matters.extend(findings.values().filter(|it| it.is_trouble()).map(|it| it.matter));
                let mut unsettled = BTreeSet::new();
                for matter in matters {
                    if service.is_unsettled(matter, findings.get(&matter), &directory, &snapshot, now)? {
                        unsettled.insert(matter);
                    }
                }
                Ok((find, unsettled))
            })
            .await?;
        if matters.is_empty() {
            return Ok(Settled::default());
        }
        let settled = self
            .store()
            .write(None, move |command| {
                let findings = by_matter(find(command.directory(), command.now()));
                let mut work = Work::new(command);
                for matter in matters {
                    work.settle(matter, findings.get(&matter))?;
                }
                Ok::<_, ServiceError>(work.settled)
            })
            .await?;
        Ok(settled)
    }

    /// Whether something has to happen to the latest incident about a matter. A matter that may get its first incident
    /// now counts as reported.
    pub(in crate::service) fn is_unsettled(
        &self,
        matter: Matter,
        finding: Option<&Finding>,
        directory: &Directory,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Result<bool, ServiceError> {
        let latest = latest(directory, matter, |source, name| {
            let id = snapshot.incident_with_source_id(source, name)?;
            id.map_or(Ok(None), |id| snapshot.incident(id))
        })?;
        let is_unsettled = step(latest.as_ref(), finding, now) != Step::Nothing;
        if is_unsettled {
            self.reported().add(matter);
        }
        Ok(is_unsettled)
    }
}

/// Opens and ends incidents within a command.
pub(in crate::service) struct Work<'a, 'c> {
    pub(in crate::service) command: &'a mut Command<'c>,
    /// Made on demand, once.
    own: Option<Source>,
    pub(in crate::service) settled: Settled,
}

impl<'a, 'c> Work<'a, 'c> {
    pub(in crate::service) fn new(command: &'a mut Command<'c>) -> Self {
        Self { command, own: None, settled: Settled::default() }
    }

    /// Does what `finding` asks for; `None`: all is well.
    pub(in crate::service) fn settle(&mut self, matter: Matter, finding: Option<&Finding>) -> Result<(), ServiceError> {
        let latest = latest(self.command.directory(), matter, |source, name| {
            let id = self.command.incident_with_source_id(source, name)?;
            id.map_or(Ok(None), |id| self.command.incident(id))
        })?;
        let step = step(latest.as_ref(), finding, self.command.now());
        let opens = matches!(step, Step::Open | Step::Replace);
        if let Some(mut latest) = latest {
            if opens {
                give_up_name(self.command, matter, &mut latest);
            }
            if matches!(step, Step::End | Step::Replace) {
                self.settled.ended.push(latest.id);
                end(self.command, matter, latest);
            } else if opens {
                self.command.put_incident(latest);
            }
        }
        if let (true, Some(Finding { verdict: Verdict::Trouble { description, .. }, .. })) = (opens, finding) {
            self.open(matter, description.clone());
        }
        Ok(())
    }

    fn open(&mut self, matter: Matter, description: String) {
        let source = self.own.get_or_insert_with(|| setup::own_source(self.command));
        let id = self.command.new_incident_id();
        let new = NewIncident {
            start: self.command.now(),
            source_incident_id: matter.name(),
            description,
            level: Some(matter.level()),
            tags: matter.tags(id, self.command.directory()),
            ..NewIncident::default()
        };
        put_new_incident(self.command, id, source, source.user, new);
        self.settled.opened.push(id);
    }
}

fn end(command: &mut Command<'_>, matter: Matter, incident: Incident) {
    let description = trouble::over(matter, incident.start, command.directory());
    let Some(actor) = command.directory().source(incident.source).map(|source| source.user) else { return };
    let event = NewEvent { kind: EventType::End, timestamp: None, description };
    post_event(command, incident, actor, &event);
}

fn give_up_name(command: &mut Command<'_>, matter: Matter, incident: &mut Incident) {
    let after = matter.former_name(incident.id);
    let before = std::mem::replace(&mut incident.source_incident_id, after.clone());
    let renamed = FieldChange { field: "source_incident_id".to_owned(), before, after };
    command.log(ChangeKind::IncidentEdited { incident: incident.id, fields: vec![renamed], events: Vec::new() });
}

fn by_matter(findings: Vec<Finding>) -> BTreeMap<Matter, Finding> {
    findings.into_iter().map(|finding| (finding.matter, finding)).collect()
}

fn latest(
    directory: &Directory,
    matter: Matter,
    find: impl FnOnce(SourceId, &str) -> Result<Option<Incident>, StoreError>,
) -> Result<Option<Incident>, StoreError> {
    directory.own_source().map_or(Ok(None), |source| find(source, &matter.name()))
}

impl Reported {
    /// Asks the file for each matter that there can be, once.
    fn of_kind(
        &self,
        kind: Kind,
        own: Option<SourceId>,
        snapshot: &Snapshot,
    ) -> Result<BTreeSet<Matter>, ServiceError> {
        let mut reported = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let matters = match reported.take() {
            Some(matters) => matters,
            None => Self::read(own, snapshot)?,
        };
        Ok(reported.insert(matters).iter().copied().filter(|matter| matter.kind() == kind).collect())
    }

    fn read(own: Option<SourceId>, snapshot: &Snapshot) -> Result<BTreeSet<Matter>, ServiceError> {
        let Some(own) = own else { return Ok(BTreeSet::new()) };
        let counters = snapshot.counters()?;
        let sources = (1..=counters.last_source).map(SourceId);
        let destinations = (1..=counters.last_destination).map(DestinationId);
        let matters = sources
            .flat_map(|source| [Matter::Token(source), Matter::Heartbeat(source)])
            .chain(destinations.map(Matter::DeadLetters))
            .chain((1..=counters.last_channel).map(ChannelId).map(Matter::Channel))
            .chain((1..=counters.last_rule).map(RuleId).map(Matter::Rule))
            .chain((1..=counters.last_rule).map(RuleId).map(Matter::Overflow))
            .chain([Matter::MailServer, Matter::DataFile]);
        let mut reported = BTreeSet::new();
        for matter in matters {
            if snapshot.incident_with_source_id(own, &matter.name())?.is_some() {
                reported.insert(matter);
            }
        }
        Ok(reported)
    }

    fn add(&self, matter: Matter) {
        if let Some(reported) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            reported.insert(matter);
        }
    }
}

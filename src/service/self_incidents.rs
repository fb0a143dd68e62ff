//! Incidents that the server raises about itself: opened and ended as `domain::trouble` says (contract section 23).
//!
//! The latest incident about a matter bears the matter's name as its source incident id, so it is found without a
//! search and there cannot be two; one that it follows bears its own number besides.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use super::{NewEvent, NewIncident, Service, ServiceError, events::post_event, incidents::put_new_incident, setup};
use crate::{
    domain::{
        change::{ChangeKind, FieldChange},
        directory::Directory,
        event::EventType,
        ids::{DestinationId, IncidentId, SourceId},
        incident::{EndTime, Incident},
        time::Timestamp,
        trouble::{self, Finding, Kind, Matter, Step, Strictness, Verdict, step},
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
pub(super) struct Reported(Mutex<Option<BTreeSet<Matter>>>);

impl Service {
    /// Tokens of sources that expire within so many days; `None`: as the setting says, and what was opened for more days
    /// stays.
    pub async fn check_tokens(&self, days: Option<u32>) -> Result<Settled, ServiceError> {
        let zone = self.settings().time_zone;
        let strictness = if days.is_some() { Strictness::Strict } else { Strictness::Lenient };
        let days = days.unwrap_or(self.settings().token_warning_days);
        self.settle(Kind::TokenExpiry, move |directory, now| {
            trouble::expiring_tokens(directory, zone, days, strictness, now)
        })
        .await
    }

    /// Sources that are watched and silent. Before `listening_since` nobody could be heard.
    pub async fn check_heartbeats(&self, listening_since: Option<Timestamp>) -> Result<Settled, ServiceError> {
        let store = self.store().clone();
        self.settle(Kind::MissingHeartbeat, move |directory, now| {
            trouble::missing_heartbeats(directory, |source| store.last_seen(source), listening_since, now)
        })
        .await
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
                let findings = find(&directory, now);
                let mut matters = service.reported().of_kind(kind, directory.own_source(), &snapshot)?;
                matters.extend(findings.iter().map(|finding| finding.matter));
                let mut unsettled = BTreeSet::new();
                for matter in matters {
                    let latest = latest(&directory, matter, |source, name| {
                        let id = snapshot.incident_with_source_id(source, name)?;
                        id.map_or(Ok(None), |id| snapshot.incident(id))
                    })?;
                    if step(latest.as_ref(), about(&findings, matter), now) != Step::Nothing {
                        unsettled.insert(matter);
                    }
                }
                Ok((find, unsettled))
            })
            .await?;
        if matters.is_empty() {
            return Ok(Settled::default());
        }
        self.reported().add(&matters);
        let settled = self
            .store()
            .write(None, move |command| {
                let findings = find(command.directory(), command.now());
                let mut settled = Settled::default();
                for matter in matters {
                    settle_one(command, matter, about(&findings, matter), &mut settled)?;
                }
                Ok::<_, ServiceError>(settled)
            })
            .await?;
        Ok(settled)
    }
}

fn settle_one(
    command: &mut Command<'_>,
    matter: Matter,
    finding: Option<&Finding>,
    settled: &mut Settled,
) -> Result<(), ServiceError> {
    let latest = latest(command.directory(), matter, |source, name| {
        let id = command.incident_with_source_id(source, name)?;
        id.map_or(Ok(None), |id| command.incident(id))
    })?;
    let step = step(latest.as_ref(), finding, command.now());
    let opens = matches!(step, Step::Open | Step::Replace);
    if let Some(mut latest) = latest {
        if opens {
            give_up_name(command, matter, &mut latest);
        }
        if matches!(step, Step::End | Step::Replace) {
            settled.ended.push(latest.id);
            end(command, matter, latest);
        } else if opens {
            command.put_incident(latest);
        }
    }
    if let (true, Some(Finding { verdict: Verdict::Trouble { description, .. }, .. })) = (opens, finding) {
        settled.opened.push(open(command, matter, description.clone()));
    }
    Ok(())
}

fn open(command: &mut Command<'_>, matter: Matter, description: String) -> IncidentId {
    let source = setup::own_source(command);
    let id = command.new_incident_id();
    let new = NewIncident {
        source: None,
        start: command.now(),
        end: EndTime::Infinity,
        source_incident_id: matter.name(),
        details_url: String::new(),
        description,
        level: matter.level(),
        ticket_url: String::new(),
        metadata: "{}".to_owned(),
        tags: matter.tags(id),
    };
    put_new_incident(command, id, &source, source.user, new).id
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

fn about(findings: &[Finding], matter: Matter) -> Option<&Finding> {
    findings.iter().find(|finding| finding.matter == matter)
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
    fn of_kind(&self, kind: Kind, own: Option<SourceId>, snapshot: &Snapshot) -> Result<BTreeSet<Matter>, ServiceError> {
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
            .chain([Matter::MailServer]);
        let mut reported = BTreeSet::new();
        for matter in matters {
            if snapshot.incident_with_source_id(own, &matter.name())?.is_some() {
                reported.insert(matter);
            }
        }
        Ok(reported)
    }

    fn add(&self, matters: &BTreeSet<Matter>) {
        if let Some(reported) = self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            reported.extend(matters);
        }
    }
}

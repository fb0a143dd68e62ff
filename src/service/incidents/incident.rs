//! Reads, creates and deletes incidents (contract sections 5 and 7). `edit` changes them.

use crate::domain::{
    AckedUntil, ChangeKind, EndTime, Event, EventType, EventTypeSet, Incident, IncidentId, IncidentTag, Level, Source,
    SourceId, Tag, Timestamp, UserId, limits::TAGS_PER_INCIDENT,
};
use crate::service::{
    Caller, Incidents, Model, Refusal, ServiceError,
    incidents::events::{NewEvent, Recorded, draft_event},
    policy::Action,
};
use crate::store::Command;

/// An incident to be created.
#[derive(Clone, Debug, Default)]
pub struct NewIncident {
    /// Primary key of the source. `None`: the caller's own source.
    pub source: Option<u64>,
    pub start: Timestamp,
    pub end: EndTime,
    pub source_incident_id: String,
    pub details_url: String,
    pub description: String,
    /// `None`: level 5, information.
    pub level: Option<Level>,
    pub ticket_url: String,
    /// Any JSON value as compact text. `None`: an empty object.
    pub metadata: Option<String>,
    /// Duplicates count once.
    pub tags: Vec<Tag>,
}

impl Incidents {
    pub async fn incident(&self, id: IncidentId) -> Result<Incident, ServiceError> {
        self.store()
            .read_few(move |snapshot| snapshot.incident(id))
            .await?
            .ok_or(ServiceError::NotFound(Model::Incident))
    }

    pub async fn create_incident(&self, caller: &Caller, new: NewIncident) -> Result<Incident, ServiceError> {
        if matches!(new.end, EndTime::At(end) if end < new.start) {
            return Err(Refusal::EndBeforeStart.into());
        }
        if new.tags.len() > TAGS_PER_INCIDENT {
            return Err(Refusal::TooManyTags.into());
        }
        let source_id = poster_source(caller, new.source)?;
        let adder = caller.id();
        self.write(Some(adder), move |command| {
            let source = command.directory().source(source_id).cloned().ok_or(Refusal::UnknownSource(source_id.0))?;
            if !new.source_incident_id.is_empty()
                && command.incident_with_source_id(source_id, &new.source_incident_id)?.is_some()
            {
                let (source_name, id) = (source.name.clone(), new.source_incident_id);
                return Err(Refusal::DuplicateSourceIncidentId { source_name, id }.into());
            }
            let id = command.new_incident_id();
            Ok(put_new_incident(command, id, &source, adder, new))
        })
        .await
    }

    /// Deletes an incident with its events and acknowledgements (contract section 7.5).
    pub async fn delete_incident(&self, caller: &Caller, id: IncidentId) -> Result<(), ServiceError> {
        if self.settings().indelible_incidents {
            return Err(Refusal::Indelible.into());
        }
        let any = caller.may(Action::DeleteAnyIncident);
        let own = caller.source.as_ref().map(|source| source.id);
        self.write(Some(caller.id()), move |command| {
            let incident = command.incident(id)?.ok_or(ServiceError::NotFound(Model::Incident))?;
            if !any && own != Some(incident.source) {
                return Err(ServiceError::Forbidden);
            }
            command.delete_incident(id);
            command.log(ChangeKind::IncidentDeleted { incident: id });
            Ok(())
        })
        .await
    }
}

/// Stages an incident with its first event. Its source incident id must be free.
pub(in crate::service) fn put_new_incident(
    command: &mut Command<'_>,
    id: IncidentId,
    source: &Source,
    adder: UserId,
    new: NewIncident,
) -> Incident {
    let (incident, event) = draft_incident(command, id, source, adder, new, Recorded::now(command));
    command.log(ChangeKind::IncidentCreated { incident: incident.id, event: event.id });
    command.put_incident(incident.clone());
    command.put_event(event);
    incident
}

/// Creates an incident with its first event, without staging them.
pub(in crate::service) fn draft_incident(
    command: &mut Command<'_>,
    id: IncidentId,
    source: &Source,
    adder: UserId,
    new: NewIncident,
    recorded: Recorded,
) -> (Incident, Event) {
    let mut tags: Vec<IncidentTag> = Vec::with_capacity(new.tags.len());
    for tag in new.tags {
        if !tags.iter().any(|there| there.tag == tag) {
            tags.push(IncidentTag { tag, added_by: adder, added_at: recorded.at });
        }
    }
    let mut incident = Incident {
        id,
        start: new.start,
        end: new.end,
        source: source.id,
        source_incident_id: new.source_incident_id,
        details_url: new.details_url,
        description: new.description,
        level: new.level.unwrap_or(Level::INFORMATION),
        ticket_url: new.ticket_url,
        metadata: new.metadata.unwrap_or_else(|| "{}".to_owned()),
        tags,
        tags_version: 0,
        acked_until: AckedUntil::Never,
        event_types: EventTypeSet::default(),
        last_event: recorded.at,
    };
    let first = NewEvent {
        kind: if new.end.is_stateful() { EventType::Start } else { EventType::Stateless },
        timestamp: Some(new.start),
        description: incident.description.clone(),
    };
    let event = draft_event(command, &mut incident, source.user, &first, recorded);
    (incident, event)
}

/// Returns the source of a posted incident (contract section 7.1).
fn poster_source(caller: &Caller, wanted: Option<u64>) -> Result<SourceId, Refusal> {
    match (wanted, &caller.source) {
        (Some(id), _) if caller.may(Action::PostForAnySource) => Ok(SourceId(id)),
        (Some(_), _) => Err(Refusal::SourceFieldForbidden),
        (None, Some(own)) => Ok(own.id),
        (None, None) => Err(Refusal::NoSource),
    }
}

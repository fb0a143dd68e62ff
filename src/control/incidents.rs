//! Administrative commands that create test incidents and close incidents (contract section 24).

use std::sync::Arc;

use super::{AdminReply, CloseIncident, CreateIncidents, IncidentSelector, execute::AdminError};
use crate::domain::{EventType, Incident, IncidentId, Level, Source, SourceId, Tag, directory::OWN_SOURCE};
use crate::service::{Caller, Credential, NewEvent, Service, ServiceError, TestIncident};

pub(super) async fn create(service: &Service, new: CreateIncidents) -> Result<AdminReply, AdminError> {
    let source = match new.source.as_deref() {
        None if new.source_type.is_none() => None,
        name => Some(source_named(service, name.unwrap_or(OWN_SOURCE), new.source_type.as_deref())?.id),
    };
    let level = match new.level {
        None => None,
        Some(level) => Some(Level::new(level).ok_or_else(|| AdminError::Other("levels go from 1 to 5".to_owned()))?),
    };
    let metadata = match new.metadata {
        None => "{}".to_owned(),
        Some(text) => serde_json::from_str::<serde_json::Value>(&text)
            .map_err(|error| AdminError::Other(format!("the metadata is no JSON: {error}")))?
            .to_string(),
    };
    let tags = new
        .tags
        .iter()
        .map(|text| Tag::parse(text).map_err(|error| AdminError::Other(format!("tag {text:?}: {error}"))))
        .collect::<Result<Vec<Tag>, AdminError>>()?;
    let caller = service.people().local_caller()?;
    let (description, stateless) = (new.description, new.stateless);
    let test = TestIncident { source, description, level, tags, stateless, metadata };
    let mut ids = Vec::new();
    for _ in 0..new.count {
        ids.push(service.incidents().create_test_incident(&caller, test.clone()).await?.to_string());
    }
    Ok(AdminReply::Text(ids.join("\n")))
}

pub(super) async fn close(service: &Service, close: CloseIncident) -> Result<AdminReply, AdminError> {
    let incident = find(service, close.which).await?;
    if !incident.end.is_stateful() {
        return Err(AdminError::Other(format!("incident {} is stateless: it cannot be closed", incident.id)));
    }
    if !incident.is_open(service.now()) {
        return Err(AdminError::Other(format!("incident {} is closed already", incident.id)));
    }
    let source = source_with(service, incident.source)?;
    let event = NewEvent {
        kind: EventType::End,
        timestamp: Some(match close.duration {
            Some(duration) => incident.start.saturating_add_micros(duration),
            None => service.now(),
        }),
        description: close.message.unwrap_or_default(),
    };
    service.incidents().add_event(&on_behalf_of(service, &source)?, incident.id, event).await?;
    Ok(AdminReply::Done)
}

async fn find(service: &Service, which: IncidentSelector) -> Result<Incident, AdminError> {
    let id = match which {
        IncidentSelector::Id(id) => IncidentId(id),
        IncidentSelector::OfSource { source, source_incident_id } => {
            let source = source_named(service, &source, None)?;
            let key = source_incident_id.clone();
            service
                .store()
                .read(move |snapshot| snapshot.incident_with_source_id(source.id, &key))
                .await
                .map_err(ServiceError::from)?
                .ok_or_else(|| AdminError::Other(format!("the source has no incident {source_incident_id:?}")))?
        }
    };
    Ok(service.incidents().incident(id).await?)
}

/// Returns a caller that acts as the source.
fn on_behalf_of(service: &Service, source: &Arc<Source>) -> Result<Caller, AdminError> {
    let directory = service.directory();
    let user = directory.user(source.user).ok_or_else(|| AdminError::Other("the source has no user".to_owned()))?;
    Ok(Caller { user: Arc::clone(user), source: Some(Arc::clone(source)), credential: Credential::Local })
}

fn source_with(service: &Service, id: SourceId) -> Result<Arc<Source>, AdminError> {
    service.directory().source(id).cloned().ok_or_else(|| AdminError::Other(format!("there is no source {id}")))
}

/// Finds a source by name. Names are unique only within a type.
pub(super) fn source_named(
    service: &Service,
    name: &str,
    source_type: Option<&str>,
) -> Result<Arc<Source>, AdminError> {
    let directory = service.directory();
    let mut found = directory
        .sources
        .values()
        .filter(|source| source.name == name && source_type.is_none_or(|wanted| source.source_type == wanted));
    match (found.next(), found.next()) {
        (Some(source), None) => Ok(Arc::clone(source)),
        (None, _) => Err(AdminError::Other(format!("there is no source {name:?}"))),
        (Some(_), Some(_)) => Err(AdminError::Other(format!("there are several sources {name:?}; name the type too"))),
    }
}

//! Events of an incident (contract section 9).

use axum::{extract::State, http::StatusCode};
use serde_json::json;

use super::{
    incidents::{existing, may_omit_timestamp},
    render::{EventBody, Renderer},
};
use crate::domain::{EventId, EventRefusal, EventType, IncidentId, Timestamp, limits};
use crate::http::{
    Api, ApiError, BodyFields, Call, HandlerResult, Key, KeyPair, Location, Payload, Request, TextRule, reply, request,
    stream,
};
use crate::service::{Caller, NewEvent, Refusal, ServiceError};

request! {
    pub struct EventRequest requires ["type"] {
        /// `STA`, `END`, `RES`, `CHI`, `LES`, `OTH`, `CLO` or `REO`.
        kind "type": EventType = event_type,
        /// When the event happened. Required of sources; the default is now.
        timestamp: Timestamp = datetime,
        description: String = text(TextRule::up_to(limits::DESCRIPTION)),
    }
}

/// List the events of an incident
///
/// Newest timestamp first.
#[utoipa::path(get, path = "/incidents/{pk}/events/", tag = "events",
    responses((status = 200, body = Vec<EventBody<'static>>)))]
pub async fn list(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    let write = move |api: &Api, rows: &mut stream::Rows| {
        let (mut events, renderer) = (api.service.incidents().event_list(IncidentId(pk))?, Renderer::new(api));
        while let Some(chunk) = events.next_chunk()? {
            rows.extend(chunk.iter().map(|event| renderer.event(event)))?;
        }
        Ok(())
    };
    Ok(stream::from_store(api, caller.id(), stream::ARRAY, write).await?)
}

/// Add an event
///
/// Some types change the state of the incident. Which types may be posted depends on the caller.
#[utoipa::path(post, path = "/incidents/{pk}/events/", tag = "events", request_body = EventRequest,
    responses((status = 201, body = EventBody<'static>)))]
pub async fn create(Call { api, caller }: Call, Key(pk): Key, location: Location, payload: Payload) -> HandlerResult {
    let id = IncidentId(pk);
    let read = payload.parse(|fields| take(fields, &caller)).await;
    let new = existing(&api, id, read).await?;
    let event = match api.service.incidents().add_event(&caller, id, new).await {
        Err(ServiceError::Refused(Refusal::Event(refusal))) => {
            let text = refusal_text(refusal, &api, &location, pk);
            return Err(ApiError::new(StatusCode::BAD_REQUEST, json!({ "type": text })));
        }
        result => result?,
    };
    Ok(reply::json(StatusCode::CREATED, &Renderer::new(&api).event(&event)))
}

/// Read an event
#[utoipa::path(get, path = "/incidents/{pk}/events/{event_pk}/", tag = "events",
    responses((status = 200, body = EventBody<'static>)))]
pub async fn retrieve(State(api): State<Api>, KeyPair(incident, event): KeyPair) -> HandlerResult {
    let event = api.service.incidents().event(IncidentId(incident), EventId(event)).await?;
    Ok(reply::json(StatusCode::OK, &Renderer::new(&api).event(&event)))
}

/// Reads the fields of an event, and records an error for each invalid one.
pub fn take(fields: &mut BodyFields, caller: &Caller) -> Option<NewEvent> {
    fields.require("type");
    if !may_omit_timestamp(caller) {
        fields.require("timestamp");
    }
    let EventRequest { kind, timestamp, description } = EventRequest::take(fields);
    Some(NewEvent { kind: kind?, timestamp, description: description.unwrap_or_default() })
}

/// Returns the text of a refusal. If an acknowledgement was posted, it contains the address for acknowledgements.
#[must_use]
pub fn refusal_text(refusal: EventRefusal, api: &Api, location: &Location, incident: u64) -> String {
    match refusal {
        EventRefusal::IsAcknowledgement => format!(
            "Acknowledgements of this incidents should be posted through {}{}/incidents/{incident}/acks/.",
            location.origin,
            api.version.prefix()
        ),
        refusal => refusal.to_string(),
    }
}

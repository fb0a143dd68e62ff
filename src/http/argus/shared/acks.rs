//! Acknowledgements of an incident (contract section 10).

use axum::{extract::State, http::StatusCode};

use super::{
    incidents::{existing, may_omit_timestamp},
    render::{AckBody, Renderer},
};
use crate::domain::{EventId, IncidentId, Timestamp, limits};
use crate::http::{
    Api, BodyFields, Call, HandlerResult, Key, KeyPair, Payload, Request, TextRule, error::REQUIRED, reply, request,
    stream,
};
use crate::service::{Caller, NewAck};

request! {
    /// The fields of the event may be given directly or within `event`, in either version.
    pub struct AckRequest {
        timestamp: Timestamp,
        description: String,
        event: AckEventRequest,
        /// Must be after `timestamp`. Null or absent: no expiry.
        expiration: Option<Timestamp> = nullable_datetime,
    }
}

request! {
    pub struct AckEventRequest {
        timestamp: Timestamp = datetime,
        description: String = text(TextRule::up_to(limits::DESCRIPTION)),
    }
}

request! {
    pub struct ExpirationRequest {
        /// Must be in the future. Null or absent: no expiry.
        expiration: Option<Timestamp> = nullable_datetime,
    }
}

/// List the acknowledgements of an incident
///
/// Newest event first.
#[utoipa::path(get, path = "/incidents/{pk}/acks/", tag = "acknowledgements",
    responses((status = 200, body = Vec<AckBody<'static>>)))]
pub async fn list(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    let write = move |api: &Api, rows: &mut stream::Rows| {
        let (mut acks, renderer) = (api.service.incidents().ack_list(IncidentId(pk))?, Renderer::new(api));
        while let Some(chunk) = acks.next_chunk()? {
            rows.extend(chunk.iter().map(|ack| renderer.ack(ack)))?;
        }
        Ok(())
    };
    Ok(stream::from_store(api, caller.id(), stream::ARRAY, write).await?)
}

/// Acknowledge an incident
#[utoipa::path(post, path = "/incidents/{pk}/acks/", tag = "acknowledgements", request_body = AckRequest,
    responses((status = 201, body = AckBody<'static>)))]
pub async fn create(Call { api, caller }: Call, Key(pk): Key, payload: Payload) -> HandlerResult {
    let id = IncidentId(pk);
    let read = payload.parse(|fields| Some(take(fields, &api, &caller))).await;
    let new = existing(&api, id, read).await?;
    let ack = api.service.incidents().add_ack(&caller, id, new).await?;
    Ok(reply::json(StatusCode::CREATED, &Renderer::new(&api).ack(&ack)))
}

/// Read an acknowledgement
#[utoipa::path(get, path = "/incidents/{pk}/acks/{ack_pk}/", tag = "acknowledgements",
    responses((status = 200, body = AckBody<'static>)))]
pub async fn retrieve(State(api): State<Api>, KeyPair(incident, ack): KeyPair) -> HandlerResult {
    let ack = api.service.incidents().ack(IncidentId(incident), EventId(ack)).await?;
    Ok(reply::json(StatusCode::OK, &Renderer::new(&api).ack(&ack)))
}

/// Change when an acknowledgement expires
///
/// Without `expiration` it does not expire.
#[utoipa::path(method(put, patch), path = "/incidents/{pk}/acks/{ack_pk}/", tag = "acknowledgements",
    request_body = ExpirationRequest, responses((status = 200, body = AckBody<'static>)))]
pub async fn edit(Call { api, caller }: Call, KeyPair(incident, ack): KeyPair, payload: Payload) -> HandlerResult {
    let (incident, id) = (IncidentId(incident), EventId(ack));
    let expiration = match payload.request::<ExpirationRequest>().await {
        Ok(sent) => sent.expiration.flatten(),
        Err(error) => {
            api.service.incidents().ack(incident, id).await?;
            return Err(error);
        }
    };
    let ack = api.service.incidents().change_expiration(&caller, incident, id, expiration).await?;
    Ok(reply::json(StatusCode::OK, &Renderer::new(&api).ack(&ack)))
}

/// Reads the fields of an acknowledgement, and records an error for each invalid one.
///
/// Version 1 has the fields of the event within `event`, version 2 beside it. Both versions accept both forms; a field
/// that is missing in one form is taken from the other. Errors have the form of the version, but in version 1 the flat
/// form if only that was sent.
pub fn take(fields: &mut BodyFields, api: &Api, caller: &Caller) -> NewAck {
    let is_nested = fields.has("event");
    let is_flat = fields.has("timestamp") || fields.has("description");
    let nests = api.version.nests_ack_events() && (is_nested || !is_flat);
    if nests && !is_nested {
        fields.error("event", REQUIRED);
    }
    let AckRequest { expiration } = AckRequest::take(fields);
    let nested = if nests || fields.is_object("event") { fields.nested("event") } else { None };
    let mut event = fields.pick(&["timestamp", "description"]);
    if let Some(nested) = nested {
        event = if nests { nested.filled_from(event) } else { event.filled_from(nested) };
    }
    if !api.version.nests_ack_events() || !may_omit_timestamp(caller) {
        event.require("timestamp");
    }
    let AckEventRequest { timestamp, description } = AckEventRequest::take(&mut event);
    if nests {
        fields.absorb("event", event);
    } else {
        fields.join(event);
    }
    NewAck { timestamp, description: description.unwrap_or_default(), expiration: expiration.flatten() }
}

//! One change on many incidents (contract section 12).

use axum::{extract::State, http::StatusCode, response::Response};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

use crate::{
    domain::limits,
    http::{
        Answer, Api,
        argus::shared::{
            acks, events,
            render::Renderer,
            requests::{BulkAckRequest, BulkChanges, BulkEventRequest, BulkTicketUrlRequest},
            tickets,
        },
        auth::Authenticated,
        body::Payload,
        fields::Fields,
        page::Location,
        reply,
    },
    service::BulkRefusal,
};

/// Acknowledge many incidents
#[utoipa::path(post, path = "/incidents/acks/bulk/", tag = "bulk", request_body = BulkAckRequest,
    responses((status = 201, body = BulkChanges)))]
pub async fn acknowledge(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    location: Location,
    payload: Payload,
) -> Answer {
    let (ids, new) =
        payload.parse(|fields| take(fields, "ack", |nested| Some(acks::take(nested, &api, &caller)))).await?;
    let results = api.service.bulk_acks(&caller, ids, new).await?;
    let renderer = Renderer::new(&api);
    Ok(answer(&Changes {
        api: &api,
        location: &location,
        key: "ack",
        results: &results,
        render: |ack| renderer.ack(ack),
    }))
}

/// Add an event to many incidents
#[utoipa::path(post, path = "/incidents/events/bulk/", tag = "bulk", request_body = BulkEventRequest,
    responses((status = 201, body = BulkChanges)))]
pub async fn add_events(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    location: Location,
    payload: Payload,
) -> Answer {
    let (ids, new) =
        payload.parse(|fields| take(fields, "event", |nested| events::take(nested, &api, &caller))).await?;
    let results = api.service.bulk_events(&caller, ids, new).await?;
    let renderer = Renderer::new(&api);
    Ok(answer(&Changes {
        api: &api,
        location: &location,
        key: "event",
        results: &results,
        render: |event| renderer.event(event),
    }))
}

/// Set the ticket address of many incidents
#[utoipa::path(post, path = "/incidents/ticket_url/bulk/", tag = "bulk", request_body = BulkTicketUrlRequest,
    responses((status = 201, body = BulkChanges)))]
pub async fn set_ticket_urls(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    location: Location,
    payload: Payload,
) -> Answer {
    let both = |fields: &mut Fields| {
        let (ids, url) = (take_ids(fields), tickets::take(fields));
        ids.zip(url)
    };
    let (ids, url) = payload.parse(both).await?;
    let results = api.service.bulk_ticket_urls(&caller, ids, url).await?;
    Ok(answer(&Changes {
        api: &api,
        location: &location,
        key: "ticket_url",
        results: &results,
        render: String::as_str,
    }))
}

fn answer<'a, T, B: Serialize, F: Fn(&'a T) -> B>(changes: &Changes<'a, T, F>) -> Response {
    reply::json(changes.status(), changes)
}

/// The ids, and what is to be done to each.
fn take<T>(
    fields: &mut Fields,
    key: &str,
    take_nested: impl FnOnce(&mut Fields) -> Option<T>,
) -> Option<(Vec<u64>, T)> {
    let ids = take_ids(fields);
    fields.require(key);
    let mut nested = fields.nested(key)?;
    let new = take_nested(&mut nested);
    fields.absorb(key, nested);
    ids.zip(new)
}

fn take_ids(fields: &mut Fields) -> Option<Vec<u64>> {
    fields.require("ids");
    fields.keys("ids")
}

/// `{"changes": {"<pk>": {"<key>": ..., "status": ..., "errors": ...}}}`
struct Changes<'a, T, F> {
    api: &'a Api,
    location: &'a Location,
    key: &'static str,
    results: &'a [(u64, Result<T, BulkRefusal>)],
    render: F,
}

impl<T, F> Changes<'_, T, F> {
    /// It counts as done unless there was nothing to do it to.
    fn status(&self) -> StatusCode {
        let nothing_there = self.results.iter().all(|(_, result)| matches!(result, Err(BulkRefusal::Unknown)));
        if nothing_there { StatusCode::BAD_REQUEST } else { StatusCode::CREATED }
    }

    fn errors(&self, id: u64, refusal: BulkRefusal) -> Value {
        match refusal {
            BulkRefusal::Unknown => json!({ "ids": format!("Incident with id {id} could not be found.") }),
            BulkRefusal::Event(refusal) => {
                json!({ "type": events::refusal_text(refusal, self.api, self.location, id) })
            }
            BulkRefusal::TooManyAcks => {
                let text = format!("An incident can have at most {} acknowledgements.", limits::ACKS_PER_INCIDENT);
                json!({ "non_field_errors": [text] })
            }
        }
    }
}

impl<'a, T, B: Serialize, F: Fn(&'a T) -> B> Serialize for Changes<'a, T, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_map(Some(1))?;
        body.serialize_entry("changes", &ById(self))?;
        body.end()
    }
}

struct ById<'a, 'b, T, F>(&'b Changes<'a, T, F>);

impl<'a, T, B: Serialize, F: Fn(&'a T) -> B> Serialize for ById<'a, '_, T, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let changes = self.0;
        let outcome = |id: u64, result: &'a Result<T, BulkRefusal>| match result {
            Ok(done) => {
                Outcome { key: changes.key, done: Some((changes.render)(done)), status: 201, errors: Value::Null }
            }
            Err(refusal) => Outcome { key: changes.key, done: None, status: 400, errors: changes.errors(id, *refusal) },
        };
        serializer.collect_map(changes.results.iter().map(|(id, result)| (id, outcome(*id, result))))
    }
}

struct Outcome<B> {
    key: &'static str,
    done: Option<B>,
    status: u16,
    errors: Value,
}

impl<B: Serialize> Serialize for Outcome<B> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_map(Some(3))?;
        body.serialize_entry(self.key, &self.done)?;
        body.serialize_entry("status", &self.status)?;
        body.serialize_entry("errors", &self.errors)?;
        body.end()
    }
}

//! Changes of many incidents at once (contract section 12).

use axum::{
    body::Body,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Value, json};

use crate::domain::{IncidentId, limits};
use crate::http::{
    Api, ApiError, BodyFields, Call, HandlerResult, Location, Payload, Request,
    argus::shared::{
        acks::{self, AckRequest},
        events::{self, EventRequest},
        render::{AckBody, EventBody, Renderer},
        requests::BulkChanges,
        tickets::TicketUrl,
    },
    reply, request,
};
use crate::service::{BulkAction, BulkEvent, BulkOutcome, BulkRefusal};

request! {
    pub struct BulkAckRequest requires ["ids", "ack"] {
        ids: Vec<u64>,
        ack: AckRequest,
    }
}

request! {
    pub struct BulkEventRequest requires ["ids", "event"] {
        ids: Vec<u64>,
        event: EventRequest,
    }
}

request! {
    pub struct BulkTicketUrlRequest requires ["ids", "ticket_url"] {
        ids: Vec<u64>,
        ticket_url: String,
    }
}

/// Acknowledge many incidents
#[utoipa::path(post, path = "/incidents/acks/bulk/", tag = "bulk", request_body = BulkAckRequest,
    responses((status = 201, body = BulkChanges)))]
pub async fn acknowledge(Call { api, caller }: Call, location: Location, payload: Payload) -> HandlerResult {
    let take_ack = |nested: &mut BodyFields| {
        let new = acks::take(nested, &api, &caller);
        let timestamp = new.timestamp.unwrap_or_else(|| api.service.now());
        // Checked here so that the error is reported together with those of the ids.
        if !nested.has_errors() && new.expiration.is_some_and(|expiration| expiration <= timestamp) {
            nested.error("non_field_errors", "'expiration' is earlier than creation timestamp.");
        }
        Some(new)
    };
    let (ids, new) = payload.parse(|fields| take(fields, "ack", take_ack)).await?;
    let done = api.service.incidents().bulk(&caller, ids, BulkAction::Acknowledge(new)).await;
    let outcome = done.map_err(|error| ApiError::from(error).within("ack"))?;
    Ok(Changes::new(api, location, outcome).answer())
}

/// Add an event to many incidents
#[utoipa::path(post, path = "/incidents/events/bulk/", tag = "bulk", request_body = BulkEventRequest,
    responses((status = 201, body = BulkChanges)))]
pub async fn add_events(Call { api, caller }: Call, location: Location, payload: Payload) -> HandlerResult {
    let (ids, new) = payload.parse(|fields| take(fields, "event", |nested| events::take(nested, &caller))).await?;
    let done = api.service.incidents().bulk(&caller, ids, BulkAction::Event(new)).await;
    let outcome = done.map_err(|error| ApiError::from(error).within("event"))?;
    Ok(Changes::new(api, location, outcome).answer())
}

/// Set the ticket address of many incidents
#[utoipa::path(post, path = "/incidents/ticket_url/bulk/", tag = "bulk", request_body = BulkTicketUrlRequest,
    responses((status = 201, body = BulkChanges)))]
pub async fn set_ticket_urls(Call { api, caller }: Call, location: Location, payload: Payload) -> HandlerResult {
    let both = |fields: &mut BodyFields| {
        let is_empty = !fields.has("ids");
        let ids = take_ids(fields);
        // Without ids no other error is reported (contract section 12).
        if is_empty { None } else { ids.zip(TicketUrl::take(fields).ticket_url) }
    };
    let (ids, url) = payload.parse(both).await?;
    let outcome = api.service.incidents().bulk(&caller, ids, BulkAction::TicketUrl(url)).await?;
    Ok(Changes::new(api, location, outcome).answer())
}

/// Reads the ids and the object at `key` that describes the change.
fn take<T>(
    fields: &mut BodyFields,
    key: &str,
    take_nested: impl FnOnce(&mut BodyFields) -> Option<T>,
) -> Option<(Vec<u64>, T)> {
    let ids = take_ids(fields);
    fields.require(key);
    let mut nested = fields.nested(key)?;
    let new = take_nested(&mut nested);
    fields.absorb(key, nested);
    ids.zip(new)
}

fn take_ids(fields: &mut BodyFields) -> Option<Vec<u64>> {
    fields.require("ids");
    fields.keys("ids")
}

/// Size of a part of the answer, in bytes.
const CHUNK: usize = 64 << 10;

/// Answer of a bulk change: `{"changes": {"<pk>": {"<key>": ..., "status": ..., "errors": ...}}}`. It is written while
/// it is sent, because it may have a hundred thousand entries.
struct Changes {
    api: Api,
    location: Location,
    outcome: BulkOutcome,
    /// Status and error of incidents that the change did not reach.
    not_reached: (StatusCode, Value),
    /// Number of entries that are written.
    written: usize,
}

impl Changes {
    fn new(api: Api, location: Location, outcome: BulkOutcome) -> Self {
        let failure = outcome.failure.clone().map(ApiError::from);
        let not_reached = failure
            .map_or((StatusCode::INTERNAL_SERVER_ERROR, Value::Null), |error| (error.status(), error.body().clone()));
        Self { api, location, outcome, not_reached, written: 0 }
    }

    /// Returns 201, or 400 if none of the incidents exists.
    fn status(&self) -> StatusCode {
        let nothing_there = self.outcome.rows.iter().all(|(_, row)| matches!(row, Err(BulkRefusal::Unknown)));
        if nothing_there { StatusCode::BAD_REQUEST } else { StatusCode::CREATED }
    }

    fn answer(mut self) -> Response {
        let status = self.status();
        let first = match self.chunk() {
            Ok(chunk) => chunk,
            Err(error) => return ApiError::internal(&error).into_response(),
        };
        if self.is_complete() {
            return reply::json_body(status, Body::from(first));
        }
        let first = stream::iter([Ok(first)]);
        let rest = stream::unfold(self, |mut changes| async move {
            if changes.is_complete() {
                return None;
            }
            let chunk = changes.chunk();
            Some((chunk, changes))
        });
        // The compression polls the stream again after its end.
        reply::json_body(status, Body::from_stream(first.chain(rest).fuse()))
    }

    fn is_complete(&self) -> bool {
        self.written == self.outcome.rows.len()
    }

    /// Returns the next part of the answer. The first and the last one include the enclosing brackets.
    fn chunk(&mut self) -> Result<Bytes, serde_json::Error> {
        let mut json = Vec::with_capacity(CHUNK + 1_024);
        if self.written == 0 {
            json.extend_from_slice(br#"{"changes":{"#);
        }
        let renderer = Renderer::new(&self.api);
        let mut written = self.written;
        for (id, row) in self.outcome.rows.iter().skip(self.written) {
            if written > 0 {
                json.push(b',');
            }
            json.extend_from_slice(format!("\"{id}\":").as_bytes());
            serde_json::to_writer(&mut json, &self.row(&renderer, *id, *row))?;
            written += 1;
            if json.len() > CHUNK {
                break;
            }
        }
        self.written = written;
        if self.is_complete() {
            json.extend_from_slice(b"}}");
        }
        Ok(json.into())
    }

    fn row<'a>(
        &'a self,
        renderer: &'a Renderer<'_>,
        id: u64,
        row: Result<Option<BulkEvent>, BulkRefusal>,
    ) -> BulkRow<'a> {
        let key = match &self.outcome.action {
            BulkAction::Acknowledge(_) => "ack",
            BulkAction::Event(_) => "event",
            BulkAction::TicketUrl(_) => "ticket_url",
        };
        let (done, status, errors) = match row {
            Ok(event) => (BulkChange::new(renderer, &self.outcome, id, event), 201, Value::Null),
            Err(BulkRefusal::NotReached) => {
                (BulkChange::Nothing, self.not_reached.0.as_u16(), self.not_reached.1.clone())
            }
            Err(refusal) => (BulkChange::Nothing, 400, self.errors(id, refusal)),
        };
        BulkRow { key, done, status, errors }
    }

    fn errors(&self, id: u64, refusal: BulkRefusal) -> Value {
        match refusal {
            BulkRefusal::Unknown => json!({ "ids": format!("Incident with id {id} could not be found.") }),
            BulkRefusal::Event(refusal) => {
                json!({ "type": events::refusal_text(refusal, &self.api, &self.location, id) })
            }
            BulkRefusal::TooManyAcks => {
                let text = format!("An incident can have at most {} acknowledgements.", limits::ACKS_PER_INCIDENT);
                json!({ "non_field_errors": [text] })
            }
            BulkRefusal::Changed | BulkRefusal::NotReached => Value::Null,
        }
    }
}

struct BulkRow<'a> {
    key: &'static str,
    done: BulkChange<'a>,
    status: u16,
    errors: Value,
}

#[derive(Serialize)]
#[serde(untagged)]
enum BulkChange<'a> {
    Ack(AckBody<'a>),
    Event(EventBody<'a>),
    TicketUrl(&'a str),
    Nothing,
}

impl<'a> BulkChange<'a> {
    fn new(renderer: &'a Renderer<'_>, outcome: &'a BulkOutcome, id: u64, event: Option<BulkEvent>) -> Self {
        match (&outcome.action, event) {
            (BulkAction::Acknowledge(new), Some(event)) => {
                Self::Ack(renderer.bulk_ack(outcome.actor, new, IncidentId(id), event))
            }
            (BulkAction::Event(new), Some(event)) => {
                Self::Event(renderer.bulk_event(outcome.actor, new.into(), IncidentId(id), event))
            }
            (BulkAction::TicketUrl(url), _) => Self::TicketUrl(url),
            (_, None) => Self::Nothing,
        }
    }
}

impl Serialize for BulkRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_map(Some(3))?;
        body.serialize_entry(self.key, &self.done)?;
        body.serialize_entry("status", &self.status)?;
        body.serialize_entry("errors", &self.errors)?;
        body.end()
    }
}

//! Listing, reading, creating, changing and deleting incidents (contract sections 5 to 7).

use axum::{extract::State, http::StatusCode};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    render::{IncidentBody, Renderer},
    requests::IncidentList,
    tags::TagRequest,
};
use crate::domain::{EndTime, Incident, IncidentId, Level, Tag, Timestamp, limits};
use crate::http::{
    Api, ApiError, BodyFields, Call, HandlerResult, Key, Location, Params, Payload, Request, TextRule,
    docs::Detail,
    page::PageQuery,
    query::{self, MineQuery, Scope, WideQuery},
    reply, request,
    request::AnyJson,
};
use crate::service::{Caller, Cursor, IncidentEdit, NewIncident, PageRequest};

request! {
    pub struct IncidentRequest requires ["start_time", "tags"] {
        start_time: Timestamp = datetime,
        /// A time, `infinity` (the default: open, no end known) or null (stateless).
        end_time: EndTime = end_time,
        /// Primary key of a source. Only for superusers.
        source: u64 = key,
        /// Unique within the source unless empty.
        source_incident_id: String = text(TextRule::up_to(limits::SOURCE_INCIDENT_ID)),
        /// May be relative to the source's base address.
        details_url: String = text(TextRule::up_to(limits::URL)),
        description: String = text(TextRule::up_to(limits::DESCRIPTION)),
        /// 1 (critical) to 5 (information, the default).
        level: Level = level,
        ticket_url: String = url,
        /// Any JSON except null.
        metadata: String as AnyJson = json,
        tags: Vec<Tag> as Vec<TagRequest> = tags,
    }
}

/// Fields of a new incident that version 1 ignores.
pub const READ_SINCE_V2: &[&str] = &["metadata"];

request! {
    /// Unknown fields are refused.
    pub struct IncidentEditRequest fills IncidentEdit {
        details_url: String = text(TextRule::up_to(limits::URL)),
        ticket_url: String = url,
        level: Level = level,
        metadata: String as AnyJson = json,
        description: String = text(TextRule::up_to(limits::DESCRIPTION)),
        /// Replaces the whole set. Required by PUT.
        tags: Vec<Tag> as Vec<TagRequest> = tags,
    }
}

/// List incidents
///
/// Newest start first.
#[utoipa::path(get, path = "/incidents/", tag = "incidents", params(PageQuery, MineQuery, WideQuery),
    responses((status = 200, body = IncidentList)))]
pub async fn list(Call { api, caller }: Call, location: Location) -> HandlerResult {
    page(&api, &caller, &location, Scope::All).await
}

/// Create an incident
///
/// For source users, and for superusers on behalf of any source.
#[utoipa::path(post, path = "/incidents/", tag = "incidents", request_body = IncidentRequest,
    responses((status = 201, body = IncidentBody<'static>)))]
pub async fn create(call: Call, payload: Payload) -> HandlerResult {
    create_from(call, payload).await
}

/// List the caller's incidents
///
/// Incidents of the caller's source, newest start first. Empty for end users.
#[utoipa::path(get, path = "/incidents/mine/", tag = "incidents", params(PageQuery, MineQuery),
    responses((status = 200, body = IncidentList)))]
pub async fn mine(Call { api, caller }: Call, location: Location) -> HandlerResult {
    let source = caller.source.as_ref().map(|source| source.id);
    page(&api, &caller, &location, Scope::Mine(source)).await
}

/// Create an incident of the caller's source
///
/// The same as `incidents/`.
#[utoipa::path(post, path = "/incidents/mine/", tag = "incidents", request_body = IncidentRequest,
    responses((status = 201, body = IncidentBody<'static>)))]
pub async fn create_mine(call: Call, payload: Payload) -> HandlerResult {
    create_from(call, payload).await
}

/// Read an incident
#[utoipa::path(get, path = "/incidents/{pk}/", tag = "incidents",
    responses((status = 200, body = IncidentBody<'static>)))]
pub async fn retrieve(State(api): State<Api>, Key(pk): Key) -> HandlerResult {
    let incident = api.service.incidents().incident(IncidentId(pk)).await?;
    Ok(answer(&api, StatusCode::OK, &incident))
}

/// Change an incident
///
/// Each changed field creates an event.
#[utoipa::path(method(put, patch), path = "/incidents/{pk}/", tag = "incidents", request_body = IncidentEditRequest,
    responses((status = 200, body = IncidentBody<'static>)))]
pub async fn edit(Call { api, caller }: Call, Key(pk): Key, payload: Payload) -> HandlerResult {
    let id = IncidentId(pk);
    let edit = existing(&api, id, read_edit(payload).await).await?;
    let incident = api.service.incidents().edit_incident(&caller, id, edit).await?;
    Ok(answer(&api, StatusCode::OK, &incident))
}

/// Delete an incident
///
/// Refused unless the server is configured to allow it.
#[utoipa::path(delete, path = "/incidents/{pk}/", tag = "incidents",
    responses((status = 204), (status = 403, body = Detail), (status = 405, body = Detail)))]
pub async fn delete(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    api.service.incidents().delete_incident(&caller, IncidentId(pk)).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// Returns `read`, but an unknown incident is reported before an error in the body. The incident is looked up only if
/// `read` is an error.
pub async fn existing<T>(api: &Api, id: IncidentId, read: Result<T, ApiError>) -> Result<T, ApiError> {
    if read.is_err() {
        api.service.incidents().incident(id).await?;
    }
    read
}

async fn create_from(Call { api, caller }: Call, payload: Payload) -> HandlerResult {
    let new = payload.parse(|fields| take_new(fields, &api)).await?;
    let incident = api.service.incidents().create_incident(&caller, new).await?;
    Ok(answer(&api, StatusCode::CREATED, &incident))
}

fn answer(api: &Api, status: StatusCode, incident: &Incident) -> axum::response::Response {
    let size = Renderer::size_of(std::slice::from_ref(incident));
    reply::sized_json(status, &Renderer::new(api).incident(incident), size)
}

#[derive(Serialize)]
struct CountBody<'a> {
    count: u64,
    params: &'a Params,
}

async fn page(api: &Api, caller: &Caller, location: &Location, scope: Scope) -> HandlerResult {
    let directory = api.service.directory();
    let context = query::Context {
        directory: &directory,
        zone: api.service.settings().time_zone,
        version: api.version,
        caller: caller.id(),
    };
    let criteria = query::criteria(&location.params, scope, context)?;
    if location.params.has("count") {
        let count = api.service.incidents().count_incidents(criteria).await?;
        return Ok(reply::json(StatusCode::OK, &CountBody { count, params: &location.params }));
    }
    let request = PageRequest {
        size: location.page_size(),
        cursor: location.cursor::<Cursor>()?,
        metadata: api.version.has_metadata(),
    };
    let page = api.service.incidents().incidents_page(criteria, request).await?;
    let renderer = Renderer::new(api);
    let body = location.page(renderer.incidents(&page.rows), page.next.as_ref(), page.previous.as_ref());
    Ok(reply::sized_json(StatusCode::OK, &body, Renderer::size_of(&page.rows)))
}

fn take_new(fields: &mut BodyFields, api: &Api) -> Option<NewIncident> {
    api.version.absent_in("IncidentRequest").for_each(|name| fields.ignore(name));
    let sent = IncidentRequest::take(fields);
    Some(NewIncident {
        source: sent.source,
        start: sent.start_time?,
        end: sent.end_time.unwrap_or_default(),
        source_incident_id: sent.source_incident_id.unwrap_or_default(),
        details_url: sent.details_url.unwrap_or_default(),
        description: sent.description.unwrap_or_default(),
        level: sent.level,
        ticket_url: sent.ticket_url.unwrap_or_default(),
        metadata: sent.metadata,
        tags: sent.tags?,
    })
}

async fn read_edit(payload: Payload) -> Result<IncidentEdit, ApiError> {
    let mut fields = payload.fields().await?;
    let offending: Map<String, Value> = fields
        .names()
        .filter(|name| !IncidentEditRequest::FIELDS.contains(name))
        .map(|name| {
            let exists = IncidentRequest::FIELDS.contains(&name) || ["pk", "id"].contains(&name);
            let text = if exists { "The field is not allowed to be changed." } else { "The field does not exist." };
            (name.to_owned(), Value::from(text))
        })
        .collect();
    if !offending.is_empty() {
        return Err(ApiError::fields(offending));
    }
    fields.require_all(&["tags"]);
    let edit = IncidentEditRequest::take(&mut fields);
    fields.finish()?;
    Ok(edit)
}

/// Returns whether the caller may omit `timestamp`. Sources must say when an event happened (contract section 9.1).
#[must_use]
pub fn may_omit_timestamp(caller: &Caller) -> bool {
    caller.source.is_none()
}

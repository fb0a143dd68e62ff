//! Sources and their types (contract section 4).

use axum::{extract::State, http::StatusCode};

use super::render::{SourceBody, SourceTypeBody};
use crate::domain::{SourceDraft, SourceId, limits};
use crate::http::{
    Api, ApiError, BodyFields, Call, HandlerResult, Key, Payload, Request, TextRule, argus::keys::Name, reply, request,
    stream,
};
use crate::service::{Model, Refusal};

request! {
    pub struct SourceRequest requires ["name", "type"] {
        name: String = text(TextRule::filled_up_to(limits::SOURCE_NAME)),
        /// The name of a source type.
        source_type "type": String = text(TextRule::up_to(limits::SOURCE_TYPE_NAME)),
        base_url: String = text(TextRule::up_to(limits::URL)),
        /// Username of the source user that is created; the default is the name of the source.
        username: String = text(TextRule::up_to(limits::PERSON_NAME)),
    }
}

request! {
    pub struct SourceEditRequest {
        name: String = text(TextRule::filled_up_to(limits::SOURCE_NAME)),
    }
}

request! {
    pub struct SourceTypeRequest requires ["name"] {
        /// In lower case.
        name: String = text(TextRule::filled_up_to(limits::SOURCE_TYPE_NAME)),
    }
}

/// List sources
#[utoipa::path(get, path = "/incidents/sources/", tag = "sources",
    responses((status = 200, body = Vec<SourceBody<'static>>)))]
pub async fn list(Call { api, caller }: Call) -> HandlerResult {
    let write = |api: &Api, rows: &mut stream::Rows| {
        rows.extend(api.service.directory().sources.values().map(|it| SourceBody::new(it)))
    };
    stream::from_memory(api, caller.id(), stream::ARRAY, write).await
}

/// Create a source
///
/// Also creates its source user, who has neither a password nor a token yet. Only for superusers.
#[utoipa::path(post, path = "/incidents/sources/", tag = "sources", request_body = SourceRequest,
    responses((status = 201, body = SourceBody<'static>)))]
pub async fn create(Call { api, caller }: Call, payload: Payload) -> HandlerResult {
    let mut fields = payload.fields().await?;
    let is_nested = fields.is_object("type");
    let SourceRequest { name, source_type, base_url, username } = SourceRequest::take(&mut fields);
    if is_nested {
        return Err(Refusal::UnknownSourceType.into());
    }
    if name.is_none() || source_type.is_none() {
        return Err(fields.refuse());
    }
    fields.finish()?;
    let username = username.filter(|username| !username.is_empty());
    let new = SourceDraft { name, source_type, base_url, username, heartbeat_frequency: None };
    let source = api.service.sources().create_source(&caller, new).await?;
    Ok(reply::json(StatusCode::CREATED, &SourceBody::new(&source)))
}

/// Read a source
#[utoipa::path(get, path = "/incidents/sources/{pk}/", tag = "sources",
    responses((status = 200, body = SourceBody<'static>)))]
pub async fn retrieve(State(api): State<Api>, Key(pk): Key) -> HandlerResult {
    let directory = api.service.directory();
    let source = directory.source(SourceId(pk)).ok_or_else(|| ApiError::no_match(Model::Source))?;
    Ok(reply::json(StatusCode::OK, &SourceBody::new(source)))
}

/// Rename a source
///
/// Other fields cannot be changed. Only for superusers.
#[utoipa::path(method(put, patch), path = "/incidents/sources/{pk}/", tag = "sources",
    request_body = SourceEditRequest, responses((status = 200, body = SourceBody<'static>)))]
pub async fn edit(Call { api, caller }: Call, Key(pk): Key, payload: Payload) -> HandlerResult {
    let directory = api.service.directory();
    let source = directory.source(SourceId(pk)).ok_or_else(|| ApiError::no_match(Model::Source))?;
    let take = |fields: &mut BodyFields| {
        fields.require_all(&["name"]);
        Some(SourceEditRequest::take(fields).name)
    };
    let Some(name) = payload.parse(take).await? else {
        return Ok(reply::json(StatusCode::OK, &SourceBody::new(source)));
    };
    let source = api.service.sources().rename_source(&caller, SourceId(pk), name).await?;
    Ok(reply::json(StatusCode::OK, &SourceBody::new(&source)))
}

/// List source types
///
/// Sorted by name.
#[utoipa::path(get, path = "/incidents/source-types/", tag = "sources",
    responses((status = 200, body = Vec<SourceTypeBody<'static>>)))]
pub async fn list_types(Call { api, caller }: Call) -> HandlerResult {
    let write = |api: &Api, rows: &mut stream::Rows| {
        rows.extend(api.service.directory().source_types.iter().map(|name| SourceTypeBody::new(name)))
    };
    stream::from_memory(api, caller.id(), stream::ARRAY, write).await
}

/// Create a source type
#[utoipa::path(post, path = "/incidents/source-types/", tag = "sources", request_body = SourceTypeRequest,
    responses((status = 201, body = SourceTypeBody<'static>)))]
pub async fn create_type(Call { api, caller }: Call, payload: Payload) -> HandlerResult {
    let name = payload.parse(|fields| SourceTypeRequest::take(fields).name).await?;
    api.service.sources().create_source_type(&caller, name.clone()).await?;
    Ok(reply::json(StatusCode::CREATED, &SourceTypeBody::new(&name)))
}

/// Read a source type
#[utoipa::path(get, path = "/incidents/source-types/{name}/", tag = "sources",
    responses((status = 200, body = SourceTypeBody<'static>)))]
pub async fn retrieve_type(State(api): State<Api>, Name(name): Name) -> HandlerResult {
    if !api.service.directory().source_types.contains(&name) {
        return Err(ApiError::no_match(Model::SourceType));
    }
    Ok(reply::json(StatusCode::OK, &SourceTypeBody::new(&name)))
}

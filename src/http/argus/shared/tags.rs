//! Reading, adding and removing single tags of an incident (contract section 11.2).

use axum::{extract::State, http::StatusCode};
use serde::Serialize;

use crate::domain::{IncidentId, Tag};
use crate::http::{Api, ApiError, Call, HandlerResult, Key, Payload, Request, argus::keys::KeyAndName, reply, request};
use crate::service::Model;

request! {
    pub struct TagRequest requires ["tag"] {
        /// `key=value`; the key consists of lower case letters, digits and underscores.
        tag: Tag as String = tag,
    }
}

#[derive(Serialize)]
struct TagBody<'a> {
    tag: &'a str,
}

/// List the tags of an incident
#[utoipa::path(get, path = "/incidents/{pk}/tags/", tag = "tags", responses((status = 200, body = Vec<TagRequest>)))]
pub async fn list(State(api): State<Api>, Key(pk): Key) -> HandlerResult {
    let tags = api.service.incidents().tags(IncidentId(pk)).await?;
    let bodies: Vec<TagBody<'_>> = tags.iter().map(|tag| TagBody { tag: tag.tag.as_str() }).collect();
    Ok(reply::json(StatusCode::OK, &bodies))
}

/// Add a tag
///
/// Changes nothing if the incident already has it.
#[utoipa::path(post, path = "/incidents/{pk}/tags/", tag = "tags", request_body = TagRequest,
    responses((status = 201, body = TagRequest)))]
pub async fn create(Call { api, caller }: Call, Key(pk): Key, payload: Payload) -> HandlerResult {
    let tag = payload.parse(|fields| TagRequest::take(fields).tag).await?;
    api.service.incidents().add_tag(&caller, IncidentId(pk), tag.clone()).await?;
    Ok(reply::json(StatusCode::CREATED, &TagBody { tag: tag.as_str() }))
}

/// Read a tag
#[utoipa::path(get, path = "/incidents/{pk}/tags/{tag}/", tag = "tags", responses((status = 200, body = TagRequest)))]
pub async fn retrieve(State(api): State<Api>, KeyAndName(pk, tag): KeyAndName) -> HandlerResult {
    let tag = parse(&tag)?;
    let tags = api.service.incidents().tags(IncidentId(pk)).await?;
    if !tags.iter().any(|known| known.tag == tag) {
        return Err(ApiError::no_match(Model::Tag));
    }
    Ok(reply::json(StatusCode::OK, &TagBody { tag: tag.as_str() }))
}

/// Remove a tag
#[utoipa::path(delete, path = "/incidents/{pk}/tags/{tag}/", tag = "tags", responses((status = 204)))]
pub async fn delete(Call { api, caller }: Call, KeyAndName(pk, tag): KeyAndName) -> HandlerResult {
    api.service.incidents().remove_tag(&caller, IncidentId(pk), &parse(&tag)?).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn parse(text: &str) -> Result<Tag, ApiError> {
    Tag::parse(text).map_err(|error| ApiError::list(error.to_string()))
}

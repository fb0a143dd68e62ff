//! Whole lists in one answer, and what clients filter them by (contract section 6).

use axum::{extract::State, http::StatusCode};
use serde::Serialize;

use crate::{
    domain::filter::Criteria,
    http::{
        Answer, Api,
        argus::shared::{
            render::{IncidentBody, Renderer, SourceBody},
            requests::ListMetadata,
            whole_list::whole_list,
        },
        reply,
    },
};

/// List open incidents
///
/// All of them at once, newest start first.
#[utoipa::path(get, path = "/incidents/open/", tag = "incidents",
    responses((status = 200, body = Vec<IncidentBody<'static>>)))]
pub async fn open(State(api): State<Api>) -> Answer {
    whole_list(api, Criteria { open: Some(true), ..Criteria::default() }, |api| Renderer::new(api)).await
}

/// List open incidents that nobody has acknowledged
///
/// All of them at once, newest start first.
#[utoipa::path(get, path = "/incidents/open+unacked/", tag = "incidents",
    responses((status = 200, body = Vec<IncidentBody<'static>>)))]
pub async fn open_unacked(State(api): State<Api>) -> Answer {
    whole_list(api, Criteria { open: Some(true), acked: Some(false), ..Criteria::default() }, |api| Renderer::new(api))
        .await
}

#[derive(Serialize)]
struct MetadataBody<'a> {
    #[serde(rename = "sourceSystems")]
    sources: Vec<SourceBody<'a>>,
}

/// What incidents can be filtered by
#[utoipa::path(get, path = "/incidents/metadata/", tag = "incidents",
    responses((status = 200, body = ListMetadata)))]
pub async fn metadata(State(api): State<Api>) -> Answer {
    let directory = api.service.directory();
    let sources = directory.sources_sorted().into_iter().map(|source| SourceBody::new(source)).collect();
    Ok(reply::json(StatusCode::OK, &MetadataBody { sources }))
}

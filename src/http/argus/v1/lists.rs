//! Whole lists in one answer, and what clients filter them by (contract section 6).

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::StatusCode,
};
use futures_util::{StreamExt, stream};
use serde::Serialize;

use crate::{
    domain::{filter::Criteria, incident::Incident},
    http::{
        Answer, Api,
        argus::shared::{
            render::{IncidentBody, Renderer, SourceBody},
            requests::ListMetadata,
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
    all(api, Criteria { open: Some(true), ..Criteria::default() }).await
}

/// List open incidents that nobody has acknowledged
///
/// All of them at once, newest start first.
#[utoipa::path(get, path = "/incidents/open+unacked/", tag = "incidents",
    responses((status = 200, body = Vec<IncidentBody<'static>>)))]
pub async fn open_unacked(State(api): State<Api>) -> Answer {
    all(api, Criteria { open: Some(true), acked: Some(false), ..Criteria::default() }).await
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

/// Written chunk by chunk, so that no list is too long; mistakes show before the first byte.
async fn all(api: Api, criteria: Criteria) -> Answer {
    let mut incidents = api.service.all_incidents(criteria);
    let Some(first) = incidents.next().await.transpose()? else {
        return Ok(reply::json_body(StatusCode::OK, Body::from("[]")));
    };
    let start = chunk(&api, b'[', &first);
    let rest = stream::unfold(Some((api, incidents)), async |state| {
        let (api, mut incidents) = state?;
        match incidents.next().await {
            Some(Ok(rows)) => Some((Ok(chunk(&api, b',', &rows)), Some((api, incidents)))),
            Some(Err(error)) => {
                tracing::error!("a list broke off: {error}");
                Some((Err(error), None))
            }
            None => Some((Ok(Bytes::from_static(b"]")), None)),
        }
    });
    // The compression asks again after the end.
    let body = Body::from_stream(stream::iter([Ok(start)]).chain(rest).fuse());
    Ok(reply::json_body(StatusCode::OK, body))
}

fn chunk(api: &Api, separator: u8, rows: &[Incident]) -> Bytes {
    let renderer = Renderer::new(api);
    let mut bytes = Vec::with_capacity(Renderer::size_of(rows));
    bytes.push(separator);
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            bytes.push(b',');
        }
        if let Err(error) = serde_json::to_writer(&mut bytes, &renderer.incident(row)) {
            tracing::error!("incident {} cannot be written: {error}", row.id);
        }
    }
    bytes.into()
}

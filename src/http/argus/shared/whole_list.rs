//! A list that is not paged, in one answer.

use axum::{
    body::{Body, Bytes},
    http::StatusCode,
};
use futures_util::{StreamExt, stream};

use super::render::Renderer;
use crate::{
    domain::{filter::AnyOf, incident::Incident},
    http::{Answer, Api, reply},
};

/// Written chunk by chunk, so that no list is too long; mistakes show before the first byte.
pub async fn whole_list(api: Api, wanted: impl Into<AnyOf>, renderer: fn(&Api) -> Renderer<'_>) -> Answer {
    let mut incidents = api.service.all_incidents(wanted);
    let Some(first) = incidents.next().await.transpose()? else {
        return Ok(reply::json_body(StatusCode::OK, Body::from("[]")));
    };
    let start = chunk(&renderer(&api), b'[', &first);
    let rest = stream::unfold(Some((api, incidents)), move |state| async move {
        let (api, mut incidents) = state?;
        match incidents.next().await {
            Some(Ok(rows)) => Some((Ok(chunk(&renderer(&api), b',', &rows)), Some((api, incidents)))),
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

fn chunk(renderer: &Renderer<'_>, separator: u8, rows: &[Incident]) -> Bytes {
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

//! Lists, written chunk by chunk so that none is too long (contact API contract section 9).

use axum::{
    body::{Body, Bytes},
    http::StatusCode,
    response::Response,
};
use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::{Dialect, Problem};
use crate::{http::reply, service::List};

/// Mistakes show before the first byte.
pub(super) async fn streamed<T: Send + 'static>(
    dialect: Dialect,
    mut list: List<T>,
    shown: fn(&T) -> Value,
) -> Result<Response, Problem> {
    let (open, close) = dialect.list();
    let first = match list.next().await {
        None => return Ok(whole(dialect, std::iter::empty())),
        Some(rows) => chunk(open, rows.map_err(|error| Problem::internal(&error))?.iter().map(shown)),
    };
    let rest = stream::unfold(Some(list), move |list| async move {
        let mut list = list?;
        match list.next().await {
            Some(Ok(rows)) => Some((Ok(chunk(",", rows.iter().map(shown))), Some(list))),
            Some(Err(error)) => {
                tracing::error!("a list broke off: {error}");
                Some((Err(error), None))
            }
            None => Some((Ok(Bytes::from_static(close.as_bytes())), None)),
        }
    });
    // The compression asks again after the end.
    let body = Body::from_stream(stream::iter([Ok(first)]).chain(rest).fuse());
    Ok(reply::json_body(StatusCode::OK, body))
}

pub(super) fn whole(dialect: Dialect, rows: impl Iterator<Item = Value>) -> Response {
    let (open, close) = dialect.list();
    let mut bytes = chunk(open, rows).to_vec();
    bytes.extend_from_slice(close.as_bytes());
    reply::json_body(StatusCode::OK, Body::from(bytes))
}

fn chunk(before: &str, rows: impl Iterator<Item = Value>) -> Bytes {
    let mut bytes = before.as_bytes().to_vec();
    for (index, row) in rows.enumerate() {
        if index > 0 {
            bytes.push(b',');
        }
        bytes.extend_from_slice(row.to_string().as_bytes());
    }
    bytes.into()
}

//! Answers in JSON.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::ApiError;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

#[must_use]
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    sized_json(status, value, 256)
}

/// Returns an answer in JSON. `size` is its estimated size in bytes.
#[must_use]
pub fn sized_json(status: StatusCode, value: &impl Serialize, size: usize) -> Response {
    let mut bytes = Vec::with_capacity(size);
    match serde_json::to_writer(&mut bytes, value) {
        Ok(()) => json_body(status, Body::from(bytes)),
        Err(error) => ApiError::internal(&error).into_response(),
    }
}

/// Returns an answer with a body that is JSON already.
#[must_use]
pub fn json_body(status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}

#[must_use]
pub fn empty(status: StatusCode) -> Response {
    status.into_response()
}

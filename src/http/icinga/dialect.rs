//! The two dialects of the contact API and the shapes of their answers (contact API contract section 1).

use axum::{http::StatusCode, response::Response};
use serde_json::{Value, json};

use super::request_path::Endpoint;
use crate::http::reply;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// The form in which the API was first requested.
    #[default]
    Issue,
    /// The form that was released.
    Current,
}

impl Dialect {
    pub(super) fn single(self, object: &Value) -> Response {
        match self {
            Self::Issue => reply::json(StatusCode::OK, &json!({ "status": "success", "data": [object] })),
            Self::Current => reply::json(StatusCode::OK, &json!({ "data": object })),
        }
    }

    pub(super) fn created(self, endpoint: Endpoint) -> Response {
        let body = match self {
            Self::Issue => json!({ "status": "success", "data": null }),
            Self::Current => json!({ "message": format!("{} created successfully", endpoint.label(self)) }),
        };
        reply::json(StatusCode::CREATED, &body)
    }

    pub(super) fn error(self, status: StatusCode, message: &str) -> Response {
        let body = match self {
            Self::Issue => json!({ "status": "error", "message": message }),
            Self::Current => json!({ "message": message }),
        };
        reply::json(status, &body)
    }

    /// Returns the text before and after the objects of a list.
    pub(super) const fn list(self) -> (&'static str, &'static str) {
        match self {
            Self::Issue => ("[", "]"),
            Self::Current => ("{\"data\":[", "]}"),
        }
    }
}

//! Cross-origin requests of front ends on other hosts (contract section 21.3).

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use url::Url;

const HEADERS: HeaderValue =
    HeaderValue::from_static("accept, authorization, content-type, user-agent, x-csrftoken, x-requested-with");
const METHODS: HeaderValue = HeaderValue::from_static("DELETE, GET, OPTIONS, PATCH, POST, PUT");
/// Seconds for which a browser may cache the answer to a preflight request.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");
const VARY: HeaderValue = HeaderValue::from_static("origin");

/// Origins of the front ends, as browsers send them.
#[derive(Clone, Debug)]
pub struct Origins(Arc<[HeaderValue]>);

impl Origins {
    /// Creates the list of origins. Default ports are omitted, as browsers do. Addresses without a host have no origin
    /// and are skipped.
    #[must_use]
    pub fn new(frontends: &[Url]) -> Self {
        let origins = frontends.iter().map(Url::origin).filter(url::Origin::is_tuple);
        Self(origins.filter_map(|origin| HeaderValue::from_str(&origin.ascii_serialization()).ok()).collect())
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Answers preflight requests of the front ends, and allows them to read every other answer, errors included. Cookies
/// are not allowed: the front ends send tokens.
pub async fn allow(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).filter(|origin| origins.0.contains(origin)).cloned();
    let asks_first =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if origin.is_some() && asks_first {
        let allowed = [
            (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
            (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
        ];
        (StatusCode::OK, allowed).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    if !varies_by_origin(headers) {
        headers.append(header::VARY, VARY);
    }
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
}

fn varies_by_origin(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::VARY).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|name| name.trim().eq_ignore_ascii_case("origin"))
}

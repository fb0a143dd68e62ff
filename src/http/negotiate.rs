//! Content negotiation, the headers of all answers (contract section 1.2), and the answers to methods that a path does
//! not support.

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use rustc_hash::FxHashMap;
use serde_json::json;
use utoipa::openapi::path::PathItem;

use super::{Api, ApiError, Version, docs, native, params, reply};

static HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::VARY, HeaderValue::from_static("Accept, Cookie, origin")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

/// Value of `Cache-Control` unless a handler sets another one, because answers may contain a new token or data for the
/// caller only. The pages that show the documents of the API contain neither.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const DOCUMENT_PAGES: &str = "/swagger-ui/";

/// Methods, name and description of each path, by its route.
pub struct Surface(FxHashMap<String, Endpoint>);

struct Endpoint {
    allow: HeaderValue,
    name: String,
    description: String,
}

impl Surface {
    pub(super) fn new() -> Self {
        let documents = Version::ALL.map(docs::openapi).into_iter().chain([docs::native_openapi()]);
        let paths = documents.flat_map(|document| document.paths.paths);
        Self(paths.map(|(path, item)| (path, Endpoint::new(&item))).collect())
    }
}

impl Endpoint {
    fn new(item: &PathItem) -> Self {
        let operations = docs::operations(item);
        let mut methods: Vec<&str> = operations.iter().map(|(method, _)| *method).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        let first = operations.first().map(|(_, operation)| *operation);
        Self {
            allow: HeaderValue::from_str(&methods.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS")),
            name: first.and_then(|operation| operation.summary.clone()).unwrap_or_default(),
            description: first.and_then(|operation| operation.description.clone()).unwrap_or_default(),
        }
    }
}

pub async fn frame(State(api): State<Api>, request: Request, next: Next) -> Response {
    let endpoint = request.extensions().get::<MatchedPath>().and_then(|path| api.shared.surface.0.get(path.as_str()));
    let allow = endpoint.map(|endpoint| endpoint.allow.clone());
    let is_document_page = request.uri().path().contains(DOCUMENT_PAGES);
    let mut response = match negotiate(&request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in &HEADERS {
        headers.entry(name).or_insert_with(|| value.clone());
    }
    if !is_document_page {
        headers.entry(header::CACHE_CONTROL).or_insert(NO_STORE);
    }
    if let Some(allow) = allow {
        headers.insert(header::ALLOW, allow);
    }
    response
}

/// Answers methods that a path does not support: OPTIONS with a description of the path, others with 405.
pub async fn other_method(State(api): State<Api>, path: MatchedPath, method: Method) -> Response {
    let endpoint = api.shared.surface.0.get(path.as_str());
    match endpoint {
        Some(endpoint) if method == Method::OPTIONS => reply::json(
            StatusCode::OK,
            &json!({
                "name": endpoint.name,
                "description": endpoint.description,
                "renders": ["application/json"],
                "parses": ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
            }),
        ),
        _ => ApiError::detail(StatusCode::METHOD_NOT_ALLOWED, format!("Method \"{method}\" not allowed."))
            .into_response(),
    }
}

#[must_use]
pub fn unknown_path() -> ApiError {
    ApiError::not_found()
}

fn negotiate(request: &Request) -> Result<(), ApiError> {
    let path = request.uri().path();
    let is_schema = path.contains("/schema/");
    if !path.starts_with("/api/") && !path.starts_with(native::PREFIX) {
        return Ok(());
    }
    match params::last(request.uri().query(), "format").as_deref() {
        None | Some("" | "json" | "api") => {}
        Some("yaml" | "openapi" | "openapi-json") if is_schema => {}
        Some(_) => return Err(ApiError::not_found()),
    }
    if is_schema || accepts_json(request.headers()) {
        return Ok(());
    }
    Err(ApiError::detail(StatusCode::NOT_ACCEPTABLE, "Could not satisfy the request Accept header."))
}

/// Returns whether the client accepts JSON. Browsers, which ask for HTML, get JSON too.
fn accepts_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::ACCEPT).into_iter().peekable();
    if values.peek().is_none() {
        return true;
    }
    let ranges = values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let mut kinds = ranges.map(|range| range.split(';').next().unwrap_or_default().trim());
    kinds.any(|kind| {
        ["", "*/*", "application/*", "application/json", "text/*", "text/html"]
            .iter()
            .any(|known| kind.eq_ignore_ascii_case(known))
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn status(uri: &str, accept: Option<&str>) -> u16 {
        let mut request = Request::builder().uri(uri);
        if let Some(accept) = accept {
            request = request.header(header::ACCEPT, accept);
        }
        negotiate(&request.body(Body::empty()).unwrap()).map_or_else(|error| error.status().as_u16(), |()| 200)
    }

    #[test]
    fn gives_json_to_those_who_want_it() {
        for accept in [
            None,
            Some("*/*"),
            Some("application/json"),
            Some("Application/JSON;q=0.5"),
            Some("text/html,application/xhtml+xml"),
            Some("image/png, application/*"),
        ] {
            assert_eq!(status("/api/v2/incidents/", accept), 200, "{accept:?}");
        }
        assert_eq!(status("/api/v2/incidents/", Some("image/png")), 406);
    }

    #[test]
    fn knows_one_format() {
        assert_eq!(status("/api/v2/incidents/?format=json", None), 200);
        assert_eq!(status("/api/v2/incidents/?format=xml", None), 404);
        assert_eq!(status("/api/v2/incidents/?format=yaml", None), 404);
        assert_eq!(status("/api/v2/schema/?format=yaml", None), 200);
    }
}

//! Request bodies: JSON, forms and multipart forms, within the limits of size, time and memory (contract section 1.1).
//!
//! The only reader of bodies, for the APIs and for the pages.

pub mod budget;
mod cost;
mod form;

use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{FromRequest, Request, State},
    http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use chrono_tz::Tz;
use http_body_util::BodyExt;
use hyper::body::Body as _;
use serde_json::{Map, Value, value::RawValue};

use self::budget::{Budget, Charge, Exhausted, Holder};
use super::{Api, ApiError, BodyFields, fields::python, peer, request};
use crate::domain::{exact_json, limits};
use crate::service::Caller;
use crate::telemetry::{current_request, in_request};

/// Body that is not read yet. Objects are looked up and rights are checked before it is.
pub struct Payload {
    method: Method,
    headers: HeaderMap,
    body: Body,
    /// Largest accepted size, in bytes.
    longest: usize,
    terms: Terms,
}

/// Limits for the body of one request.
#[derive(Clone)]
struct Terms {
    charge: Arc<Charge>,
    timeout: Duration,
    /// Time zone of times without an offset.
    zone: Tz,
}

/// Reason why a body was not received or not parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("The request's body is larger than {0} bytes.")]
    TooLarge(usize),
    #[error("The request's body holds too many values.")]
    TooManyValues,
    #[error("The request's body did not arrive within {} seconds.", .0.as_secs())]
    TooSlow(Duration),
    #[error("The server is receiving too many large requests at the moment. Try again in a few seconds.")]
    Busy,
    #[error("The request's body cannot be read: {0}")]
    Unreadable(String),
}

/// Parsed body.
#[derive(Clone, Debug)]
pub struct Input {
    pub value: Value,
    /// Whether the body was a form. All values are then strings, and lists are repeated fields.
    pub is_form: bool,
    /// See [`exact_members`].
    exact: HashMap<String, String>,
}

/// Returns, by name, the text of each member with an integer that loses digits when it is parsed. `json` must be valid.
#[must_use]
pub fn exact_members(json: &[u8], parsed: &Value) -> HashMap<String, String> {
    let Some(members) = parsed.as_object().filter(|_| exact_json::has_lost_digits(parsed)) else {
        return HashMap::new();
    };
    let written: HashMap<String, &RawValue> = serde_json::from_slice(json).unwrap_or_default();
    let lost = written.into_iter().filter(|(name, _)| members.get(name).is_some_and(exact_json::has_lost_digits));
    lost.map(|(name, value)| (name, exact_json::compact(value.get()))).collect()
}

impl From<Exhausted> for BodyError {
    fn from(_: Exhausted) -> Self {
        Self::Busy
    }
}

impl BodyError {
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge(_) | Self::TooManyValues => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unreadable(_) => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        let answer = Self::detail(error.status(), error.to_string());
        match error {
            BodyError::Busy => {
                let seconds = HeaderValue::from(limits::BODY_RETRY_AFTER.as_secs());
                answer.with_header(header::RETRY_AFTER, seconds)
            }
            _ => answer,
        }
    }
}

/// Gives each request with a body its terms, and holds its charge until the request is answered. Wraps all handlers.
///
/// A request that is large or of unknown length is carried out on a task of its own. Otherwise its charge would be
/// released when the client disconnects, while its command still waits for the writer.
pub async fn admit(State(api): State<Api>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let holder = Holder::of_address(peer::client(api.settings(), &parts));
    let charge = Arc::new(api.shared.bodies.open(holder));
    parts.extensions.insert(Terms {
        charge: Arc::clone(&charge),
        timeout: api.settings().body_timeout,
        zone: api.zoned().zone(),
    });
    let is_short = announced(&parts.headers).is_some_and(|bytes| bytes <= limits::CANCELLED_BODY_BYTES);
    let request = Request::from_parts(parts, body);
    if is_short {
        let response = next.run(request).await;
        drop(charge);
        return response;
    }
    let work = async move {
        let response = next.run(request).await;
        drop(charge);
        response
    };
    let carried_out = match current_request() {
        Some(id) => tokio::spawn(in_request(id, work)),
        None => tokio::spawn(work),
    };
    carried_out.await.unwrap_or_else(|error| ApiError::internal(&error).into_response())
}

impl<S: Sync> FromRequest<S> for Payload {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        let (parts, body) = request.into_parts();
        let caller = parts.extensions.get::<Caller>().cloned();
        Ok(Self::new(parts, body, caller.as_ref()))
    }
}

impl Payload {
    /// Creates the payload of a request. Without a `caller` only a few KiB are accepted.
    #[must_use]
    pub fn new(parts: Parts, body: Body, caller: Option<&Caller>) -> Self {
        let terms = Terms::of(&parts.extensions);
        if let Some(caller) = caller {
            terms.charge.assign(Holder::User(caller.user.id));
        }
        let longest = if caller.is_some() { limits::BODY_BYTES } else { limits::ANONYMOUS_BODY_BYTES };
        Self { method: parts.method, headers: parts.headers, body, longest, terms }
    }

    /// Reads the body as an object.
    pub async fn fields(self) -> Result<BodyFields, ApiError> {
        let (is_whole, zone) = (self.method != Method::PATCH, self.terms.zone);
        Ok(self.read().await?.into_fields()?.of(is_whole, zone))
    }

    /// Reads and checks a body that a `request!` declares.
    pub async fn request<R: request::Request>(self) -> Result<R::Target, ApiError> {
        self.parse(|fields| Some(R::take(fields))).await
    }

    /// Reads the body and calls `take` with its fields. `take` returns `None` if it recorded an error.
    pub async fn parse<T>(self, take: impl FnOnce(&mut BodyFields) -> Option<T>) -> Result<T, ApiError> {
        let mut fields = self.fields().await?;
        let taken = take(&mut fields);
        match taken {
            Some(taken) if !fields.has_errors() => Ok(taken),
            _ => Err(fields.refuse()),
        }
    }

    /// Reads and parses the body by its `Content-Type`. An empty body is an empty object.
    pub async fn read(self) -> Result<Input, ApiError> {
        let media_type = self.headers.get(header::CONTENT_TYPE).cloned();
        let media_type = media_type.as_ref().map_or("", |value| value.to_str().unwrap_or("?"));
        let terms = self.terms.clone();
        let bytes = self.receive().await?;
        if bytes.is_empty() {
            return Ok(Input { value: Value::Object(Map::new()), is_form: false, exact: HashMap::new() });
        }
        match essence(media_type).as_str() {
            "application/json" => {
                terms.permit(cost::of_json(&bytes), &bytes)?;
                match serde_json::from_slice(&bytes) {
                    Ok(value) => Ok(Input { exact: exact_members(&bytes, &value), value, is_form: false }),
                    Err(error) => Err(bad_request(format!("JSON parse error - {error}"))),
                }
            }
            "application/x-www-form-urlencoded" => {
                terms.permit(cost::of_form(&bytes), &bytes)?;
                Ok(Input { value: form::urlencoded(&bytes), is_form: true, exact: HashMap::new() })
            }
            "multipart/form-data" => {
                terms.permit(cost::of_multipart(&bytes), &bytes)?;
                match form::multipart(media_type, bytes).await {
                    Ok(value) => Ok(Input { value, is_form: true, exact: HashMap::new() }),
                    Err(error) => Err(bad_request(format!("Multipart form parse error - {error}"))),
                }
            }
            _ => Err(ApiError::detail(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("Unsupported media type \"{media_type}\" in request."),
            )),
        }
    }

    /// Reads the body as JSON, whatever its `Content-Type` is. `None` if it is empty.
    pub async fn json(self) -> Result<Option<serde_json::Result<Value>>, BodyError> {
        let terms = self.terms.clone();
        let bytes = self.receive().await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        terms.permit(cost::of_json(&bytes), &bytes)?;
        Ok(Some(serde_json::from_slice(&bytes)))
    }

    /// Reads a URL-encoded form as bytes, and charges what parsing it costs.
    pub async fn form(self) -> Result<Vec<u8>, BodyError> {
        let terms = self.terms.clone();
        let bytes = self.receive().await?;
        terms.permit(cost::of_form(&bytes), &bytes)?;
        Ok(bytes)
    }

    /// Receives the whole body, within the limits of size, time and memory.
    pub async fn receive(self) -> Result<Vec<u8>, BodyError> {
        let Self { headers, body, longest, terms, .. } = self;
        if announced(&headers).is_some_and(|bytes| bytes > longest as u64) {
            return Err(BodyError::TooLarge(longest));
        }
        tokio::select! {
            biased;
            () = terms.charge.dropped() => Err(BodyError::Busy),
            received = tokio::time::timeout(terms.timeout, collect(body, longest, &terms.charge)) => {
                let bytes = received.map_err(|_| BodyError::TooSlow(terms.timeout))??;
                terms.charge.received()?;
                Ok(bytes)
            }
        }
    }
}

/// Collects the frames of a body. Each is copied, because a frame of one byte would keep a whole buffer alive.
async fn collect(mut body: Body, longest: usize, charge: &Charge) -> Result<Vec<u8>, BodyError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| BodyError::Unreadable(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        let length = bytes.len() + data.len();
        if length > longest {
            return Err(BodyError::TooLarge(longest));
        }
        if length > bytes.capacity() {
            let capacity = length.next_power_of_two().min(longest);
            charge.raise(capacity, length)?;
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

impl Terms {
    /// Returns the terms of the request. Tests without the layer get default terms.
    fn of(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_else(|| Self {
            charge: Arc::new(Budget::default().open(Holder::of_address(None))),
            timeout: limits::BODY_TIMEOUT,
            zone: Tz::UTC,
        })
    }

    /// Charges the memory that parsing `body` takes.
    fn permit(&self, cost: usize, body: &[u8]) -> Result<(), BodyError> {
        if cost > limits::PARSED_BODY_BYTES {
            return Err(BodyError::TooManyValues);
        }
        Ok(self.charge.raise(body.len().saturating_add(cost), body.len())?)
    }
}

impl Input {
    pub fn into_fields(self) -> Result<BodyFields, ApiError> {
        match self.value {
            Value::Object(map) => Ok(BodyFields::new(map, self.is_form).with_exact(self.exact)),
            Value::Null => Err(ApiError::non_field("No data provided")),
            other => Err(ApiError::non_field(python::not_a_dictionary(&other))),
        }
    }
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Returns the media type without parameters, in lower case.
#[must_use]
pub fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn bad_request(text: String) -> ApiError {
    ApiError::detail(StatusCode::BAD_REQUEST, text)
}

#[cfg(test)]
mod fuzz;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn payload(media_type: &str, body: impl Into<Body>) -> Payload {
        let mut headers = HeaderMap::new();
        if !media_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, media_type.parse().unwrap());
        }
        let terms = Terms::of(&Extensions::new());
        Payload { method: Method::POST, headers, body: body.into(), longest: limits::BODY_BYTES, terms }
    }

    async fn error(media_type: &str, body: impl Into<Body>) -> (u16, Value) {
        let error = payload(media_type, body).fields().await.unwrap_err();
        (error.status().as_u16(), error.body().clone())
    }

    #[tokio::test]
    async fn takes_nothing_for_an_empty_object() {
        for media_type in ["", "text/plain", "application/json"] {
            assert_eq!(payload(media_type, "").read().await.unwrap().value, json!({}));
        }
    }

    #[tokio::test]
    async fn takes_json_with_any_charset_parameter() {
        let input = payload("Application/JSON; charset=utf-8", r#"{"a": [1]}"#).read().await.unwrap();
        assert_eq!((input.value, input.is_form), (json!({"a": [1]}), false));
    }

    #[tokio::test]
    async fn takes_both_kinds_of_forms() {
        let input = payload("application/x-www-form-urlencoded", "a=1&b=%C3%A5+b").read().await.unwrap();
        assert_eq!((input.value, input.is_form), (json!({"a": "1", "b": "å b"}), true));
        let multipart = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n";
        let input = payload("multipart/form-data; boundary=x", multipart).read().await.unwrap();
        assert_eq!(input.value, json!({"a": "1"}));
    }

    #[tokio::test]
    async fn refuses_other_types_with_the_text_of_the_contract() {
        let expected = json!({"detail": "Unsupported media type \"text/plain\" in request."});
        assert_eq!(error("text/plain", "x").await, (415, expected));
        assert_eq!(error("", "x").await.0, 415);
    }

    #[tokio::test]
    async fn refuses_broken_json() {
        let deep = "[".repeat(100_000);
        let invalid = b"{\"a\": \"\xff\"}".to_vec();
        for body in ["{".to_owned().into_bytes(), deep.into_bytes(), invalid, b"{\"a\": 1e999}".to_vec()] {
            let (status, body) = error("application/json", body).await;
            assert_eq!(status, 400);
            assert!(body["detail"].as_str().unwrap().starts_with("JSON parse error - "), "{body}");
        }
        assert_eq!(error("multipart/form-data; boundary=x", "--x\r\n").await.0, 400);
        assert_eq!(error("multipart/form-data", "--x\r\n").await.0, 400);
    }

    #[tokio::test]
    async fn names_the_wrong_type() {
        for (body, name) in [("[]", "list"), ("\"x\"", "str"), ("1", "int"), ("1.5", "float"), ("true", "bool")] {
            let text = format!("Invalid data. Expected a dictionary, but got {name}.");
            assert_eq!(error("application/json", body).await, (400, json!({"non_field_errors": [text]})));
        }
        let expected = json!({"non_field_errors": ["No data provided"]});
        assert_eq!(error("application/json", "null").await, (400, expected));
    }

    #[tokio::test]
    async fn refuses_what_becomes_too_large() {
        let text = json!({"detail": "The request's body holds too many values."});
        let lists = format!("[{}[]]", "[],".repeat(500_000));
        assert_eq!(error("application/json", lists).await, (413, text.clone()));
        assert_eq!(error("application/x-www-form-urlencoded", "a&".repeat(500_000)).await, (413, text.clone()));
        let parts = format!("{}--x--\r\n", "--x\r\n\r\n\r\n".repeat(300_000));
        assert_eq!(error("multipart/form-data; boundary=x", parts).await, (413, text));
    }

    #[tokio::test]
    async fn takes_a_body_in_frames_of_a_byte() {
        let frames = br#"{"a": 1}"#.iter().map(|byte| Ok::<_, Infallible>(vec![*byte]));
        let body = Body::from_stream(futures_util::stream::iter(frames));
        assert_eq!(payload("application/json", body).read().await.unwrap().value, json!({"a": 1}));
    }

    #[tokio::test]
    async fn refuses_what_is_too_large() {
        assert_eq!(error("application/json", vec![b' '; limits::BODY_BYTES + 1]).await.0, 413);
    }
}

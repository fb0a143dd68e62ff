//! Error answers of the contact API, in both dialects (contact API contract sections 2 to 8).

use std::{borrow::Cow, fmt::Display, time::Duration};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{Dialect, request_path::Endpoint};
use crate::http::{ApiError, answers::Busy};
use crate::service::{ContactRefusal, StoreError, policy::CONTACT_API};

type Said = (StatusCode, Cow<'static, str>);

#[derive(Debug)]
pub(super) struct Problem(Box<ProblemParts>);

#[derive(Debug)]
struct ProblemParts {
    issue: Said,
    current: Said,
    envelope: Envelope,
    header: Option<(HeaderName, HeaderValue)>,
}

#[derive(Clone, Copy, Debug)]
enum Envelope {
    OfDialect,
    /// Errors before the API itself have the same form in both dialects.
    Issue,
    Empty,
}

impl Problem {
    pub(super) fn into_response(self, dialect: Dialect) -> Response {
        let ProblemParts { issue, current, envelope, header } = *self.0;
        let (status, message) = match dialect {
            Dialect::Issue => issue,
            Dialect::Current => current,
        };
        let mut response = match envelope {
            Envelope::OfDialect => dialect.error(status, &message),
            Envelope::Issue => Dialect::Issue.error(status, &message),
            Envelope::Empty => status.into_response(),
        };
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
        response
    }

    fn either(issue: Said, current: Said) -> Self {
        Self(Box::new(ProblemParts { issue, current, envelope: Envelope::OfDialect, header: None }))
    }

    fn both(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        Self::either((status, text.clone()), (status, text))
    }

    fn worded(status: StatusCode, issue: &'static str, current: &'static str) -> Self {
        Self::either((status, issue.into()), (status, current.into()))
    }

    fn enveloped(mut self, envelope: Envelope) -> Self {
        self.0.envelope = envelope;
        self
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }

    pub(super) fn bad_request(text: impl Into<Cow<'static, str>>) -> Self {
        Self::both(StatusCode::BAD_REQUEST, text)
    }

    /// Creates a 422 about a field of the body.
    pub(super) fn unprocessable(text: impl Into<Cow<'static, str>>) -> Self {
        Self::both(StatusCode::UNPROCESSABLE_ENTITY, text)
    }

    pub(super) fn unauthorized() -> Self {
        let challenge = HeaderValue::from_static("Basic realm=\"argusd\", charset=\"UTF-8\"");
        Self::both(StatusCode::UNAUTHORIZED, "").enveloped(Envelope::Empty).with(header::WWW_AUTHENTICATE, challenge)
    }

    pub(super) fn forbidden() -> Self {
        Self::both(StatusCode::FORBIDDEN, format!("No permission for {CONTACT_API}")).enveloped(Envelope::Issue)
    }

    pub(super) fn too_many_tries(retry_after: Duration) -> Self {
        let seconds = retry_after.as_secs().saturating_add(1);
        Self::both(
            StatusCode::TOO_MANY_REQUESTS,
            format!("Too many failed tries. Expected available in {seconds} seconds."),
        )
        .with(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    pub(super) fn busy(busy: Busy) -> Self {
        Self::both(busy.status(), busy.text()).with(header::RETRY_AFTER, Busy::retry_after())
    }

    pub(super) fn no_page() -> Self {
        Self::both(StatusCode::NOT_FOUND, "Page not found.").enveloped(Envelope::Issue)
    }

    pub(super) fn no_endpoint(name: &str) -> Self {
        Self::both(StatusCode::NOT_FOUND, format!("Endpoint {name} not found"))
    }

    pub(super) fn method(text: String, allow: &'static str) -> Self {
        Self::both(StatusCode::METHOD_NOT_ALLOWED, text).with(header::ALLOW, HeaderValue::from_static(allow))
    }

    pub(super) fn not_json() -> Self {
        Self::bad_request("Invalid request body: given content is not a valid JSON")
    }

    pub(super) fn empty_body() -> Self {
        Self::bad_request("Invalid request body: given content is empty")
    }

    pub(super) fn unexpected_body() -> Self {
        Self::bad_request("Invalid request body: body is only allowed for POST and PUT requests")
    }

    pub(super) fn content_type() -> Self {
        Self::worded(
            StatusCode::BAD_REQUEST,
            "No JSON content",
            "Invalid request header: Content-Type must be application/json",
        )
    }

    pub(super) fn filter_only_get() -> Self {
        Self::worded(
            StatusCode::BAD_REQUEST,
            "Filter is only allowed for GET requests",
            "Unexpected query parameter: Filter is only allowed for GET requests",
        )
    }

    pub(super) fn identifier_and_filter() -> Self {
        Self::bad_request(
            "Invalid request: GET with identifier and query parameters, it's not allowed to use both together.",
        )
    }

    pub(super) fn identifier_required() -> Self {
        Self::worded(StatusCode::BAD_REQUEST, "Identifier is required", "Invalid request: Identifier is required")
    }

    pub(super) fn bad_identifier() -> Self {
        Self::bad_request("The given identifier is not a valid UUID")
    }

    /// Error of a PUT whose UUIDs in path and body differ.
    pub(super) fn mismatch() -> Self {
        let text = "Identifier mismatch";
        Self::either((StatusCode::BAD_REQUEST, text.into()), (StatusCode::UNPROCESSABLE_ENTITY, text.into()))
    }

    /// Error of a POST that replaces an object by one with the same UUID.
    pub(super) fn same_identifier() -> Self {
        Self::unprocessable("Identifier mismatch: the Payload id must be different from the URL identifier")
    }

    pub(super) fn not_found(endpoint: Endpoint) -> Self {
        let text = |dialect| format!("{} not found", endpoint.label(dialect)).into();
        Self::either((StatusCode::NOT_FOUND, text(Dialect::Issue)), (StatusCode::NOT_FOUND, text(Dialect::Current)))
    }

    fn exists(endpoint: Endpoint) -> Self {
        let text = |dialect| format!("{} already exists", endpoint.label(dialect)).into();
        Self::either(
            (StatusCode::UNPROCESSABLE_ENTITY, text(Dialect::Issue)),
            (StatusCode::UNPROCESSABLE_ENTITY, text(Dialect::Current)),
        )
    }

    pub(super) fn refused(refusal: ContactRefusal, endpoint: Endpoint) -> Self {
        match refusal {
            ContactRefusal::Forbidden => Self::forbidden(),
            ContactRefusal::NotFound => Self::not_found(endpoint),
            ContactRefusal::Exists => Self::exists(endpoint),
            ContactRefusal::UnknownChannel(channel) => {
                Self::unprocessable(format!("Channel with identifier {channel} does not exist"))
            }
            ContactRefusal::AddressRequired(kind) => Self::unprocessable(format!(
                "Invalid request body: an address according to default_channel type {kind} is required"
            )),
            ContactRefusal::UsernameTaken(name) => Self::unprocessable(format!("Username {name} already exists")),
            ContactRefusal::NameTaken(name) => Self::unprocessable(format!("Name {name} already exists")),
            ContactRefusal::UnknownGroup(group) => {
                Self::unprocessable(format!("Contact Group with identifier {group} does not exist"))
            }
            ContactRefusal::UnknownContact(contact) => {
                Self::unprocessable(format!("User with identifier {contact} not found"))
            }
            ContactRefusal::TooManyGroups(contact) => {
                Self::unprocessable(format!("User with identifier {contact} is in too many groups"))
            }
            ContactRefusal::Store(error) => error.into(),
        }
    }

    pub(super) fn internal(error: &dyn Display) -> Self {
        ApiError::internal(error).into()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        ApiError::from(error).into()
    }
}

/// Converts errors that are not about contacts to the form of this API.
impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        if error.status() == StatusCode::INTERNAL_SERVER_ERROR {
            return Self::both(error.status(), "An error occurred, please check the log.");
        }
        let text = error.body().get("detail").and_then(|detail| detail.as_str()).unwrap_or_default().to_owned();
        let problem = Self::both(error.status(), text);
        match error.header() {
            Some((name, value)) => problem.with(name, value),
            None => problem,
        }
    }
}

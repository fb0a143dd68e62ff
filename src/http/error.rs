//! Errors of the APIs. Only this module decides which status and body an error of the service gets (contract sections
//! 1.2 and 1.3).

mod channels;
mod profiles;

use std::fmt::Display;

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::reply;
use crate::domain::{Timestamp, limits, setting::BadSetting};
use crate::service::{AuthFailure, LoginFailure, Model, Refusal, SearchError, ServiceError, StoreError};
use crate::telemetry::current_request;

pub use profiles::unknown_key;

pub const REQUIRED: &str = "This field is required.";
pub const NOT_NULL: &str = "This field may not be null.";
pub const NOT_BLANK: &str = "This field may not be blank.";
pub const NO_NUL: &str = "Null characters are not allowed.";
const NOT_PERMITTED: &str = "You do not have permission to perform this action.";
const NO_CHOICE: &str = "Select a valid choice. That choice is not one of the available choices.";

/// Error answer of an API: status, body, and an optional header.
#[derive(Debug)]
pub struct ApiError(Box<Refused>);

#[derive(Debug)]
struct Refused {
    status: StatusCode,
    body: Value,
    header: Option<(HeaderName, HeaderValue)>,
}

impl ApiError {
    #[must_use]
    pub fn new(status: StatusCode, body: Value) -> Self {
        Self(Box::new(Refused { status, body, header: None }))
    }

    /// Creates an error with the body `{"detail": text}`.
    #[must_use]
    pub fn detail(status: StatusCode, text: impl Into<String>) -> Self {
        Self::new(status, json!({ "detail": text.into() }))
    }

    /// Creates a 400 with the body `["text"]`, for refusals by rules of incident handling.
    #[must_use]
    pub fn list(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, json!([text.into()]))
    }

    /// Creates a 400 with the body `{name: ["text"]}`.
    #[must_use]
    pub fn field(name: &str, text: impl Into<String>) -> Self {
        Self::fields(Map::from_iter([(name.to_owned(), json!([text.into()]))]))
    }

    /// Creates a 400 about the object as a whole.
    #[must_use]
    pub fn non_field(text: impl Into<String>) -> Self {
        Self::field("non_field_errors", text)
    }

    /// Moves the error into the field `name`, whose value is the object that it is about. Changes only 400s whose body
    /// is an object.
    #[must_use]
    pub fn within(mut self, name: &str) -> Self {
        if self.0.status == StatusCode::BAD_REQUEST && self.0.body.is_object() {
            self.0.body = json!({ name: self.0.body.take() });
        }
        self
    }

    #[must_use]
    pub fn fields(errors: Map<String, Value>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Value::Object(errors))
    }

    /// Creates the 404 of a path that does not exist.
    #[must_use]
    pub fn not_found() -> Self {
        Self::detail(StatusCode::NOT_FOUND, "Not found.")
    }

    #[must_use]
    pub fn no_match(model: Model) -> Self {
        Self::detail(StatusCode::NOT_FOUND, format!("No {} matches the given query.", model.class()))
    }

    #[must_use]
    pub fn forbidden() -> Self {
        Self::detail(StatusCode::FORBIDDEN, NOT_PERMITTED)
    }

    #[must_use]
    pub fn unauthorized(text: impl Into<String>) -> Self {
        Self::detail(StatusCode::UNAUTHORIZED, text)
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Token"))
    }

    /// Creates a 500. Logs the error under the id that the client gets.
    #[must_use]
    pub fn internal(error: &dyn Display) -> Self {
        let id = logged_id();
        tracing::error!(request_id = %id, "a request failed: {error}");
        Self::detail(StatusCode::INTERNAL_SERVER_ERROR, format!("Internal error, see the server's log for {id}."))
    }

    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }

    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    #[must_use]
    pub fn body(&self) -> &Value {
        &self.0.body
    }

    /// Returns the additional header, such as `Retry-After`.
    #[must_use]
    pub fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        self.0.header.clone()
    }

    /// Moves the body one level deeper, under `name`.
    #[must_use]
    pub fn under(mut self, name: &str) -> Self {
        self.0.body = Value::Object(Map::from_iter([(name.to_owned(), self.0.body)]));
        self
    }
}

/// Returns the id of the current request, under which an error is logged and shown. Outside of requests a new one.
#[must_use]
pub fn logged_id() -> String {
    current_request().map_or_else(|| Uuid::new_v4().to_string(), |id| id.as_str().to_owned())
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Refused { status, body, header } = *self.0;
        let mut response = reply::json(status, &body);
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Store(error) | ServiceError::Search(SearchError::Store(error)) => error.into(),
            ServiceError::Search(SearchError::TooManyFilters(limit)) => Self::field(
                "under_maintenance",
                format!("Planned maintenance names more than {limit} filters right now, too many to search by."),
            ),
            ServiceError::Search(error) => Self::internal(&error),
            ServiceError::NotFound(model) => Self::no_match(model),
            ServiceError::Forbidden => Self::forbidden(),
            ServiceError::TooOften { retry_after } => {
                let seconds = retry_after.as_secs().saturating_add(1);
                let text = format!("Request was throttled. Expected available in {seconds} seconds.");
                Self::detail(StatusCode::TOO_MANY_REQUESTS, text)
                    .with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
            }
            ServiceError::Internal(_) => Self::internal(&error),
            ServiceError::Refused(refusal) => refusal.into(),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::detail(
                StatusCode::INSUFFICIENT_STORAGE,
                "The server's disk is full. Nothing was stored; try again later.",
            ),
            StoreError::Unavailable(why) => Self::detail(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("The data file is not available: {why}. Nothing was stored; try again later."),
            ),
            StoreError::Closed => {
                Self::detail(StatusCode::SERVICE_UNAVAILABLE, "The data file is not available now; try again later.")
            }
            StoreError::Damaged(_) | StoreError::Io(_) => Self::internal(&error),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::SourceFieldForbidden => {
                Self::list("You must be a superuser to be allowed to specify the 'source' field.")
            }
            Refusal::NoSource => Self::list("The requesting user must have a connected source system."),
            Refusal::UnknownSource(pk) => Self::list(format!("SourceSystem with pk={pk} does not exist.")),
            Refusal::DuplicateSourceIncidentId { source_name, id } => Self::list(format!(
                "Source \"{source_name}\" already has an incident with source_incident_id \"{id}\"."
            )),
            Refusal::EndBeforeStart => Self::non_field("'end_time' cannot be before 'start_time'."),
            Refusal::ForeignTags(tags) => Self::fields(
                tags.iter()
                    .map(|tag| {
                        let text = "Cannot remove this tag when you're not the one who added it.";
                        (tag.to_string(), Value::from(text))
                    })
                    .collect(),
            ),
            Refusal::TooManyTags => Self::field("tags", too_many(limits::TAGS_PER_INCIDENT)),
            Refusal::Event(refusal) => Self::new(StatusCode::BAD_REQUEST, json!({ "type": refusal.to_string() })),
            Refusal::TimestampRequired => Self::field("timestamp", REQUIRED),
            Refusal::AckExpired => Self::list("Cannot change expired Acknowledgement"),
            Refusal::ExpirationBeforeTimestamp => Self::non_field("'expiration' is earlier than creation timestamp."),
            Refusal::ExpirationNotInFuture(now) => Self::field(
                "expiration",
                format!("'expiration' must be later than current moment ({}) or null.", moment(now)),
            ),
            Refusal::TooManyAcks => {
                Self::non_field(format!("An incident can have at most {} acknowledgements.", limits::ACKS_PER_INCIDENT))
            }
            Refusal::Indelible => Self::detail(
                StatusCode::METHOD_NOT_ALLOWED,
                "Deletion of incidents is turned off, see setting INDELIBLE_INCIDENTS",
            ),
            Refusal::UnknownIncidentForTags(pk) => Self::list(format!("An incident with pk={pk} does not exist")),
            Refusal::TooManyIds => Self::field("ids", too_many(limits::BULK_IDS)),
            Refusal::IncidentsAlready
            | Refusal::OwnRights
            | Refusal::SelectionTooOld
            | Refusal::SourceHasIncidents(_)
            | Refusal::SourceInFilter { .. }
            | Refusal::OwnSource => Self::non_field(refusal.to_string()),
            Refusal::InactiveUser(_) => Self::field("user", refusal.to_string()),
            Refusal::SourceExists => Self::field("__all__", "Source system with this Name and Type already exists."),
            Refusal::BadHeartbeatFrequency => Self::field("heartbeat_frequency", refusal.to_string()),
            Refusal::UnknownProfile(_) => Self::detail(StatusCode::NOT_FOUND, "Not found."),
            Refusal::UnknownSourceType => Self::field("type", NO_CHOICE),
            Refusal::SourceTypeExists => Self::field("name", "source system type with this name already exists."),
            Refusal::NotLowercase(name) => Self::field("name", format!("'{name}' is not a lowercase string")),
            Refusal::BadUsername => Self::field(
                "username",
                "username: Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ \
                 characters.",
            ),
            Refusal::Password(problem) => Self::field("password", problem.to_string()),
            Refusal::BadEmail(_) => Self::field("email", BadSetting::Email.to_string()),
            Refusal::UsernameTaken => Self::field("username", "A user with that username already exists."),
            Refusal::Empty(field) => Self::field(field, NOT_BLANK),
            Refusal::TooLong { field, limit } => Self::field(field, too_long(limit)),
            Refusal::NoClassicToken(username) => Self::list(format!(
                "No token for the user '{username}' exists, one needs to be created in the admin interface."
            )),
            Refusal::BadTokenValue | Refusal::TokenTaken | Refusal::TooManyTokens => {
                Self::field("token", refusal.to_string())
            }
            Refusal::TimeslotExists { name, owner } => Self::field(
                "name",
                format!("The name \"{name}\" is already in use for a another timeslot owned by user {owner}."),
            ),
            Refusal::FilterExists { name, owner } => Self::field(
                "name",
                format!("The name \"{name}\" is already in use for another filter owned by user {owner}."),
            ),
            Refusal::TooMany { what, limit } => Self::non_field(format!("A user can have at most {limit} {what}.")),
            Refusal::TooManyInAll { field, what, limit } => {
                Self::field(field, format!("There can be at most {limit} {what}."))
            }
            Refusal::FilterTooLarge { bytes, limit } => {
                Self::field("filter", format!("A filter can have at most {limit} bytes; this one has {bytes}."))
            }
            Refusal::Channel(refusal) => refusal.into(),
            Refusal::Notification(refusal) => refusal.into(),
            Refusal::UnknownKey { field, pk } => Self::field(field, unknown_key(pk)),
            Refusal::NotGivenUp(_) => Self::list(refusal.to_string()),
            Refusal::TicketPluginMissing => Self::new(
                StatusCode::BAD_REQUEST,
                Value::from(
                    "No path to ticket plugin can be found in the settings. Please update the setting \
                     \"TICKET_PLUGIN\".",
                ),
            ),
        }
    }
}

impl From<AuthFailure> for ApiError {
    fn from(failure: AuthFailure) -> Self {
        match failure {
            AuthFailure::Invalid => Self::unauthorized("Invalid token."),
            AuthFailure::Expired => Self::unauthorized("Token has expired."),
            AuthFailure::Inactive => Self::unauthorized("User inactive or deleted."),
            AuthFailure::Store(error) => error.into(),
        }
    }
}

/// Converts a failed login. `bad_credentials` creates the error for a wrong username or password, which differs between
/// endpoints.
#[must_use]
pub fn login_failure(failure: LoginFailure, bad_credentials: impl FnOnce(&str) -> ApiError) -> ApiError {
    match failure {
        LoginFailure::BadCredentials => bad_credentials("Unable to log in with provided credentials."),
        LoginFailure::TooManyTries { retry_after } => {
            let seconds = retry_after.as_secs().saturating_add(1);
            ApiError::detail(
                StatusCode::TOO_MANY_REQUESTS,
                format!("Too many failed tries. Expected available in {seconds} seconds."),
            )
            .with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
        }
        LoginFailure::Store(error) => error.into(),
    }
}

#[must_use]
pub fn too_long(characters: usize) -> String {
    format!("Ensure this field has no more than {characters} characters.")
}

#[must_use]
pub fn too_short(characters: usize) -> String {
    format!("Ensure this field has at least {characters} characters.")
}

#[must_use]
pub fn too_many(elements: usize) -> String {
    format!("Ensure this field has no more than {elements} elements.")
}

fn moment(at: Timestamp) -> String {
    at.to_datetime().format("%Y-%m-%d %H:%M:%S%.6f+00:00").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(error: impl Into<ApiError>) -> (u16, Value) {
        let error = error.into();
        (error.status().as_u16(), error.body().clone())
    }

    #[test]
    fn a_store_that_cannot_write_says_so() {
        assert_eq!(shown(StoreError::Full).0, 507);
        assert_eq!(shown(StoreError::Closed).0, 503);
        assert_eq!(shown(ServiceError::Store(StoreError::Unavailable("x".to_owned()))).0, 503);
        for error in [StoreError::Full, StoreError::Closed] {
            assert!(shown(error).1["detail"].is_string());
        }
    }

    #[test]
    fn internal_errors_keep_what_happened_to_themselves() {
        let (status, body) = shown(StoreError::Damaged("secret".to_owned()));
        let detail = body["detail"].as_str().unwrap();
        assert_eq!(status, 500);
        assert!(!detail.contains("secret"));
        let id = detail.trim_end_matches('.').rsplit(' ').next().unwrap();
        assert!(Uuid::parse_str(id).is_ok(), "{detail}");
    }

    #[test]
    fn those_who_try_too_often_have_to_wait() {
        let failure = LoginFailure::TooManyTries { retry_after: std::time::Duration::from_millis(1500) };
        let response = login_failure(failure, |text| ApiError::non_field(text)).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }

    #[test]
    fn refusals_have_the_shapes_of_the_contract() {
        for (refusal, body) in [
            (Refusal::NoSource, json!(["The requesting user must have a connected source system."])),
            (Refusal::UnknownSource(9), json!(["SourceSystem with pk=9 does not exist."])),
            (Refusal::EndBeforeStart, json!({"non_field_errors": ["'end_time' cannot be before 'start_time'."]})),
            (Refusal::TimestampRequired, json!({"timestamp": ["This field is required."]})),
            (Refusal::TooManyTags, json!({"tags": ["Ensure this field has no more than 200 elements."]})),
            (Refusal::AckExpired, json!(["Cannot change expired Acknowledgement"])),
        ] {
            assert_eq!(shown(refusal), (400, body));
        }
        assert_eq!(shown(Refusal::Indelible).0, 405);
        assert_eq!(shown(ServiceError::Forbidden).0, 403);
    }
}

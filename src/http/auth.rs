//! Who calls: the token or the session cookie of a request, and what is said where it is missing or wrong (contract
//! section 2).

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Api, answers::Recipient, cookies, error::ApiError};
use crate::service::{Action, Caller, Service};

pub const NO_CREDENTIALS: &str = "Authentication credentials were not provided.";

/// The rights that paths take: one to read them, one for everything else.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    pub read: Action,
    pub write: Action,
}

impl Needs {
    #[must_use]
    pub const fn all(action: Action) -> Self {
        Self { read: action, write: action }
    }

    #[must_use]
    pub fn token(self) -> bool {
        !self.read.is_public()
    }
}

/// Lets only callers pass who have a good token and the right for what they ask, and says who they are. Wraps whole paths,
/// so that it comes before "method not allowed".
pub async fn require(State((api, needs)): State<(Api, Needs)>, mut request: Request, next: Next) -> Response {
    let action = if request.method().is_safe() { needs.read } else { needs.write };
    match authenticate(&api.service, request.method(), request.headers()).await {
        Ok(Some(caller)) => {
            if request.uri().path().contains("/incidents/") {
                api.service.sources().note_seen(&caller);
            }
            let (recipient, may) = (Recipient(caller.id()), caller.may(action));
            request.extensions_mut().insert(caller);
            let mut response = if may { next.run(request).await } else { ApiError::forbidden().into_response() };
            response.extensions_mut().insert(recipient);
            response
        }
        Ok(None) => ApiError::unauthorized(NO_CREDENTIALS).into_response(),
        Err(error) => error.into_response(),
    }
}

/// `None`: no token was given, and no cookie of a session that there is.
///
/// A browser sends cookies along whoever made it ask, so whatever changes something needs the second secret of the session.
pub async fn authenticate(service: &Service, method: &Method, headers: &HeaderMap) -> Result<Option<Caller>, ApiError> {
    if let Some(secret) = token(headers)? {
        return Ok(Some(service.people().authenticate(secret).await?));
    }
    let Some(secret) = cookies::get(headers, cookies::SESSION) else { return Ok(None) };
    let Some(caller) = service.people().session(secret) else { return Ok(None) };
    if method.is_safe() {
        return Ok(Some(caller));
    }
    match headers.get(cookies::CSRF_HEADER) {
        None => Err(csrf_failure("CSRF token missing.")),
        Some(sent) if service.people().is_csrf_token(secret, sent.as_bytes()) => Ok(Some(caller)),
        Some(_) => Err(csrf_failure("CSRF token from the 'X-Csrftoken' HTTP header incorrect.")),
    }
}

fn csrf_failure(text: &str) -> ApiError {
    ApiError::detail(StatusCode::FORBIDDEN, format!("CSRF Failed: {text}"))
}

/// `None`: nothing there, or of another scheme.
fn token(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let mut words = value.as_bytes().split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    if !words.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"token")) {
        return Ok(None);
    }
    let Some(secret) = words.next() else {
        return Err(ApiError::unauthorized("Invalid token header. No credentials provided."));
    };
    if words.next().is_some() {
        return Err(ApiError::unauthorized("Invalid token header. Token string should not contain spaces."));
    }
    match std::str::from_utf8(secret) {
        Ok(secret) => Ok(Some(secret)),
        Err(_) => {
            Err(ApiError::unauthorized("Invalid token header. Token string should not contain invalid characters."))
        }
    }
}

/// Whom [`require`] let pass.
#[derive(Clone, Debug)]
pub struct Authenticated(pub Caller);

impl<S: Sync> FromRequestParts<S> for Authenticated {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Caller>();
        caller.cloned().map(Self).ok_or_else(|| ApiError::unauthorized(NO_CREDENTIALS))
    }
}

/// The headers of a request to an endpoint that looks for a token itself.
#[derive(Clone, Debug)]
pub struct Headers(pub HeaderMap);

impl<S: Sync> FromRequestParts<S> for Headers {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.headers.clone()))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(value: &[u8]) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        token(&headers)
            .map(|secret| secret.map(str::to_owned))
            .map_err(|error| error.body()["detail"].as_str().unwrap().to_owned())
    }

    #[test]
    fn finds_the_token() {
        assert!(token(&HeaderMap::new()).unwrap().is_none());
        for value in ["Token abc", "token abc", "TOKEN  abc "] {
            assert_eq!(read(value.as_bytes()), Ok(Some("abc".to_owned())), "{value}");
        }
        for value in ["Bearer abc", "Basic YTpi", "", "Tokenabc"] {
            assert_eq!(read(value.as_bytes()), Ok(None), "{value}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_it() {
        assert_eq!(read(b"Token"), Err("Invalid token header. No credentials provided.".to_owned()));
        assert_eq!(read(b"Token a b"), Err("Invalid token header. Token string should not contain spaces.".to_owned()));
        assert!(read(b"Token \xff\xfe").is_err());
    }
}

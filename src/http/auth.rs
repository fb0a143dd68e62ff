//! Authentication of requests: finds the caller by the token or the session cookie, and answers requests whose
//! credentials are missing or wrong (contract section 2).

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Api, ApiError, answers::Recipient, cookies};
use crate::service::{Action, Caller, Service};

pub const NO_CREDENTIALS: &str = "Authentication credentials were not provided.";

/// Actions that a caller must be allowed to do to request a path: one for safe methods, one for all others.
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

/// Refuses requests without valid credentials or without the right to the action, and adds the caller to the others.
/// Wraps whole paths, so that rights are checked before "method not allowed".
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

/// Returns the caller, or `None` if the request has no token and no cookie of an existing session.
///
/// A browser sends cookies with requests that other sites caused, so a request that changes something also needs the
/// CSRF token of the session.
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

/// Returns the token of a request, or `None` if there is no `Authorization` header or it has another scheme.
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

/// State of the API, and the caller that [`require`] admitted.
#[derive(Clone)]
pub struct Call {
    pub api: Api,
    pub caller: Caller,
}

impl FromRequestParts<Api> for Call {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Caller>().ok_or_else(|| ApiError::unauthorized(NO_CREDENTIALS))?;
        Ok(Self { api: api.clone(), caller: caller.clone() })
    }
}

/// Headers of a request, for endpoints that authenticate the caller themselves.
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

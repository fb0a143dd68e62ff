//! Authentication and rights of the contact API: HTTP Basic with username and password, or a token (contact API
//! contract section 3).

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::Problem;
use crate::http::{Api, Client, routes::Needed};
use crate::service::{AuthFailure, Caller, LoginFailure};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
enum SentCredential {
    Password(String, String),
    Token(String),
}

/// Authenticates the caller and checks that they may use this API.
pub(super) async fn caller(api: &Api, parts: &mut Parts) -> Result<Caller, Problem> {
    let caller = match read(&parts.headers).ok_or_else(Problem::unauthorized)? {
        SentCredential::Token(token) => {
            api.service.people().authenticate(&token).await.map_err(|failure| match failure {
                AuthFailure::Store(error) => error.into(),
                AuthFailure::Invalid | AuthFailure::Expired | AuthFailure::Inactive => Problem::unauthorized(),
            })?
        }
        SentCredential::Password(username, password) => {
            let Ok(Client(peer)) = Client::from_request_parts(parts, api).await;
            let checked = api.service.people().authenticate_password(&username, &password, peer).await;
            checked.map_err(|failure| match failure {
                LoginFailure::BadCredentials => Problem::unauthorized(),
                LoginFailure::TooManyTries { retry_after } => Problem::too_many_tries(retry_after),
                LoginFailure::Store(error) => error.into(),
            })?
        }
    };
    match parts.extensions.get::<Needed>() {
        Some(Needed(action)) if caller.may(*action) => Ok(caller),
        _ => Err(Problem::forbidden()),
    }
}

/// Reads the credentials. `None` if there are none that can be understood.
fn read(headers: &HeaderMap) -> Option<SentCredential> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.trim().split_once(' ')?;
    let rest = rest.trim();
    match scheme.to_ascii_lowercase().as_str() {
        "token" | "bearer" => Some(SentCredential::Token(rest.to_owned())),
        "basic" => {
            let text = String::from_utf8(BASE64.decode(rest).ok()?).ok()?;
            let (username, password) = text.split_once(':')?;
            Some(SentCredential::Password(username.to_owned(), password.to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: &str) -> Option<SentCredential> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        read(&headers)
    }

    #[test]
    fn reads_passwords_and_tokens() {
        let password =
            |name: &str, password: &str| Some(SentCredential::Password(name.to_owned(), password.to_owned()));
        assert_eq!(sent("Basic YW5uOmE6Yg=="), password("ann", "a:b"));
        assert_eq!(sent("basic  YW5uOmE6Yg"), password("ann", "a:b"));
        assert_eq!(sent("Basic OsOl"), password("", "å"));
        assert_eq!(sent("Bearer abc"), Some(SentCredential::Token("abc".to_owned())));
        assert_eq!(sent("token abc"), Some(SentCredential::Token("abc".to_owned())));
        for bad in ["", "Basic", "Basic ///", "Basic YW5u", "Basic /w==", "Digest x"] {
            assert_eq!(sent(bad), None, "{bad}");
        }
    }
}

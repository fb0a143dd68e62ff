//! Primary keys and names in paths.

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};

use crate::http::ApiError;

/// Primary key in a path. Anything but a number is a 404 (contract section 1.2).
#[derive(Clone, Copy, Debug)]
pub struct Key(pub u64);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = raw(parts, state).await?;
        params.iter().next().and_then(|(_, text)| key(text)).map(Self).ok_or_else(ApiError::not_found)
    }
}

/// Primary keys in a path: an incident and a part of it.
#[derive(Clone, Copy, Debug)]
pub struct KeyPair(pub u64, pub u64);

impl<S: Send + Sync> FromRequestParts<S> for KeyPair {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = raw(parts, state).await?;
        let mut keys = params.iter().map(|(_, text)| key(text));
        match (keys.next().flatten(), keys.next().flatten()) {
            (Some(outer), Some(inner)) => Ok(Self(outer, inner)),
            _ => Err(ApiError::not_found()),
        }
    }
}

/// Name at the end of a path.
#[derive(Clone, Debug)]
pub struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = raw(parts, state).await?;
        params.iter().last().map(|(_, text)| Self(text.to_owned())).ok_or_else(ApiError::not_found)
    }
}

/// Primary key followed by a name in a path.
#[derive(Clone, Debug)]
pub struct KeyAndName(pub u64, pub String);

impl<S: Send + Sync> FromRequestParts<S> for KeyAndName {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = raw(parts, state).await?;
        let mut values = params.iter().map(|(_, text)| text);
        match (values.next().and_then(key), values.next()) {
            (Some(key), Some(name)) => Ok(Self(key, name.to_owned())),
            _ => Err(ApiError::not_found()),
        }
    }
}

async fn raw<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams, ApiError> {
    RawPathParams::from_request_parts(parts, state).await.map_err(|_| ApiError::not_found())
}

fn key(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

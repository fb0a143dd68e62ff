//! Logging in with a password, and logging out (contract section 2.4).

use axum::{
    extract::State,
    http::{HeaderValue, Method, StatusCode, header},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::limits;
use crate::http::{
    Api, ApiError, BodyFields, Client, HandlerResult, Payload, Request, TextRule,
    auth::{self, Headers},
    error::login_failure,
    reply, request,
};

request! {
    pub struct Credentials requires ["username", "password"] {
        username: String = text(TextRule::filled_up_to(limits::PERSON_NAME)),
        password: String = secret,
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenBody {
    pub token: String,
}

/// Get a token for a password
///
/// Replaces the token that the previous call created.
#[utoipa::path(post, path = "/token-auth/", tag = "auth", request_body = Credentials,
    responses((status = 200, body = TokenBody)))]
pub async fn exchange(State(api): State<Api>, Client(peer): Client, payload: Payload) -> HandlerResult {
    let (username, password) = read(payload.fields().await?)?;
    match api.service.people().exchange_password(&username, &password, peer).await {
        Ok(token) => Ok(reply::json(StatusCode::OK, &TokenBody { token })),
        Err(failure) => Err(login_failure(failure, |text| ApiError::non_field(text))),
    }
}

/// End the session
///
/// Deletes the token of the request and clears the cookie that holds it.
#[utoipa::path(post, path = "/auth/logout/", tag = "auth", responses((status = 200)))]
pub async fn logout(State(api): State<Api>, method: Method, Headers(headers): Headers) -> HandlerResult {
    if let Ok(Some(caller)) = auth::authenticate(&api.service, &method, &headers).await {
        api.service.people().end_session(&caller).await?;
    }
    let mut response = reply::empty(StatusCode::OK);
    let gone = HeaderValue::from_static("token=; Max-Age=0; Path=/; SameSite=Lax");
    response.headers_mut().insert(header::SET_COOKIE, gone);
    Ok(response)
}

/// Reads the username and the password.
pub fn read(mut fields: BodyFields) -> Result<(String, String), ApiError> {
    let sent = Credentials::take(&mut fields);
    sent.username.zip(sent.password).ok_or_else(|| fields.refuse())
}

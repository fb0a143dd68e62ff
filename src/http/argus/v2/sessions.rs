//! Login tokens, and the replacement of a classic token (contract section 2.4).

use axum::{
    extract::State,
    http::{Method, StatusCode},
    response::Response,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::Timestamp;
use crate::http::{
    Api, ApiError, Call, Client, HandlerResult, Payload,
    argus::shared::{
        render::{At, Renderer},
        tokens::{self, Credentials, TokenBody},
    },
    auth::{self, Headers, NO_CREDENTIALS},
    docs::Detail,
    error::login_failure,
    reply,
};
use crate::service::{AuthFailure, Caller, Credential};

#[derive(Serialize, ToSchema)]
#[schema(as = LoginToken)]
pub struct LoginTokenBody {
    #[schema(value_type = String, format = DateTime)]
    expiry: At,
    token: String,
}

/// Replace the caller's token
#[utoipa::path(post, path = "/auth/refresh-token/", tag = "auth", responses((status = 200, body = TokenBody)))]
pub async fn refresh(Call { api, caller }: Call) -> HandlerResult {
    let token = api.service.people().refresh_token(&caller).await?;
    Ok(reply::json(StatusCode::OK, &TokenBody { token }))
}

/// Log in
///
/// With username and password, or with an empty body and a token. The body must be JSON. Failures are answered with
/// 403.
#[utoipa::path(post, path = "/auth/token/login/", tag = "auth", request_body = Credentials,
    responses((status = 200, body = LoginTokenBody), (status = 403, body = Detail)))]
pub async fn login(
    State(api): State<Api>,
    Client(peer): Client,
    Headers(headers): Headers,
    payload: Payload,
) -> HandlerResult {
    let input = payload.read().await.map_err(forbidden)?;
    if input.is_form {
        return Err(refused("The username and password have to be sent as JSON."));
    }
    if input.value.as_object().is_some_and(serde_json::Map::is_empty) {
        let caller = auth::authenticate(&api.service, &Method::POST, &headers).await.map_err(forbidden)?;
        let caller = caller.ok_or_else(|| refused(NO_CREDENTIALS))?;
        return Ok(logged_in(&api, api.service.people().login_as(&caller).await?));
    }
    let (username, password) = input.into_fields().and_then(tokens::read).map_err(forbidden)?;
    match api.service.people().login(&username, &password, peer).await {
        Ok(login) => Ok(logged_in(&api, login)),
        Err(failure) => Err(login_failure(failure, refused)),
    }
}

/// Revoke the login token of the request
#[utoipa::path(post, path = "/auth/token/logout/", tag = "auth", responses((status = 204)))]
pub async fn logout(Call { api, caller }: Call) -> HandlerResult {
    require_login_token(&caller)?;
    api.service.people().logout(&caller).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// Revoke all login tokens of the caller
#[utoipa::path(post, path = "/auth/token/logoutall", tag = "auth", responses((status = 204)))]
pub async fn logout_all(Call { api, caller }: Call) -> HandlerResult {
    require_login_token(&caller)?;
    api.service.people().logout_all(&caller).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

fn require_login_token(caller: &Caller) -> Result<(), ApiError> {
    match caller.credential {
        Credential::Login(_) => Ok(()),
        Credential::Classic(_) | Credential::Session(_) | Credential::Password | Credential::Local => {
            Err(AuthFailure::Invalid.into())
        }
    }
}

fn logged_in(api: &Api, (token, expiry): (String, Timestamp)) -> Response {
    let expiry = Renderer::new(api).at(expiry);
    reply::json(StatusCode::OK, &LoginTokenBody { expiry, token })
}

/// Converts errors about input and tokens to a 403 whose text says what is wrong.
fn forbidden(error: ApiError) -> ApiError {
    let is_about_the_client = matches!(
        error.status(),
        StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED | StatusCode::UNSUPPORTED_MEDIA_TYPE
    );
    if !is_about_the_client {
        return error;
    }
    let text = error.body().get("detail").and_then(|detail| detail.as_str()).map(str::to_owned);
    refused(&text.unwrap_or_else(|| error.body().to_string()))
}

fn refused(text: &str) -> ApiError {
    ApiError::detail(StatusCode::FORBIDDEN, text)
}

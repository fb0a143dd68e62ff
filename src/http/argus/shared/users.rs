//! Users, as other users see them (contract section 3).

use axum::{extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{User, UserId};
use crate::http::{Api, ApiError, HandlerResult, Key, reply};
use crate::service::Model;

#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserBody<'a> {
    username: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    email: &'a str,
}

impl<'a> UserBody<'a> {
    #[must_use]
    pub fn new(user: &'a User) -> Self {
        Self { username: &user.username, first_name: &user.first_name, last_name: &user.last_name, email: &user.email }
    }
}

/// Read a user
#[utoipa::path(get, path = "/auth/users/{pk}/", tag = "auth", responses((status = 200, body = UserBody<'static>)))]
pub async fn retrieve(State(api): State<Api>, Key(pk): Key) -> HandlerResult {
    let directory = api.service.directory();
    let user = directory.user(UserId(pk)).ok_or_else(|| ApiError::no_match(Model::User))?;
    Ok(reply::json(StatusCode::OK, &UserBody::new(user)))
}

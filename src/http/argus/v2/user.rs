//! The caller with the address of the administration pages (contract section 3).

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{Call, HandlerResult, Location, argus::shared::users::UserBody, reply};

#[derive(Serialize, ToSchema)]
#[schema(as = CurrentUser)]
pub struct CurrentUserBody<'a> {
    #[serde(flatten)]
    user: UserBody<'a>,
    /// Null for users who may not see the administration pages.
    admin_url: Option<String>,
}

/// Read the caller
#[utoipa::path(get, path = "/auth/user/", tag = "auth", responses((status = 200, body = CurrentUserBody<'static>)))]
pub async fn retrieve(Call { caller, .. }: Call, location: Location) -> HandlerResult {
    let admin_url = caller.user.is_staff.then(|| format!("{}/admin/", location.origin));
    let body = CurrentUserBody { user: UserBody::new(&caller.user), admin_url };
    Ok(reply::json(StatusCode::OK, &body))
}

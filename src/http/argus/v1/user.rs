//! The caller with their phone numbers (contract section 3).

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{
    Destination,
    destination::{PHONE_NUMBER, SMS},
};
use crate::http::{Call, HandlerResult, argus::shared::users::UserBody, reply};

#[derive(Serialize, ToSchema)]
#[schema(as = CurrentUser)]
pub struct CurrentUserBody<'a> {
    #[serde(flatten)]
    user: UserBody<'a>,
    phone_numbers: Vec<PhoneNumberBody<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PhoneNumber)]
pub struct PhoneNumberBody<'a> {
    pk: u64,
    user: u64,
    phone_number: &'a str,
}

/// Read the caller
#[utoipa::path(get, path = "/auth/user/", tag = "auth", responses((status = 200, body = CurrentUserBody<'static>)))]
pub async fn retrieve(Call { api, caller }: Call) -> HandlerResult {
    let directory = api.service.directory();
    let destinations = directory.destinations_of(caller.id());
    let phone_numbers = destinations.into_iter().filter_map(|destination| phone_number(destination)).collect();
    let body = CurrentUserBody { user: UserBody::new(&caller.user), phone_numbers };
    Ok(reply::json(StatusCode::OK, &body))
}

/// Returns the phone number of a destination, or `None` if its medium is not SMS.
#[must_use]
pub fn phone_number(destination: &Destination) -> Option<PhoneNumberBody<'_>> {
    let phone_number = destination.settings.get(PHONE_NUMBER).filter(|_| destination.medium == SMS)?;
    Some(PhoneNumberBody { pk: destination.id.0, user: destination.owner.0, phone_number })
}

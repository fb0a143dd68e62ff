//! Phone numbers of the caller (contract section 3).

use axum::http::StatusCode;

use super::user::{PhoneNumberBody, phone_number};
use crate::domain::{DestinationId, limits, phone, setting::BadSetting};
use crate::http::{ApiError, BodyFields, Call, HandlerResult, Key, Payload, Request, reply, request};
use crate::service::{Model, notifications::phone_numbers::phone_number_of};

request! {
    pub struct PhoneNumberRequest requires ["phone_number"] {
        /// With country code, such as +12125552368.
        phone_number: String = phone_number,
    }
}

/// List the caller's phone numbers
#[utoipa::path(get, path = "/auth/phone-number/", tag = "auth",
    responses((status = 200, body = Vec<PhoneNumberBody<'static>>)))]
pub async fn list(Call { api, caller }: Call) -> HandlerResult {
    let directory = api.service.directory();
    let destinations = directory.destinations_of(caller.id());
    let bodies: Vec<PhoneNumberBody<'_>> = destinations.into_iter().filter_map(|it| phone_number(it)).collect();
    Ok(reply::json(StatusCode::OK, &bodies))
}

/// Add a phone number
#[utoipa::path(post, path = "/auth/phone-number/", tag = "auth", request_body = PhoneNumberRequest,
    responses((status = 201, body = PhoneNumberBody<'static>)))]
pub async fn create(Call { api, caller }: Call, payload: Payload) -> HandlerResult {
    let number = payload.parse(|fields| PhoneNumberRequest::take(fields).phone_number).await?;
    let destination = api.service.notifications().create_phone_number(&caller, number).await?;
    Ok(reply::json(StatusCode::CREATED, &phone_number(&destination)))
}

/// Read a phone number
#[utoipa::path(get, path = "/auth/phone-number/{pk}/", tag = "auth",
    responses((status = 200, body = PhoneNumberBody<'static>)))]
pub async fn retrieve(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    let directory = api.service.directory();
    let destination = phone_number_of(&directory, caller.id(), DestinationId(pk)).ok_or_else(unknown)?;
    Ok(reply::json(StatusCode::OK, &phone_number(destination)))
}

/// Change a phone number
#[utoipa::path(method(put, patch), path = "/auth/phone-number/{pk}/", tag = "auth",
    request_body = PhoneNumberRequest, responses((status = 200, body = PhoneNumberBody<'static>)))]
pub async fn edit(Call { api, caller }: Call, Key(pk): Key, payload: Payload) -> HandlerResult {
    let id = DestinationId(pk);
    let directory = api.service.directory();
    let destination = phone_number_of(&directory, caller.id(), id).ok_or_else(unknown)?;
    let sent = payload.request::<PhoneNumberRequest>().await?;
    let Some(number) = sent.phone_number else { return Ok(reply::json(StatusCode::OK, &phone_number(destination))) };
    let destination = api.service.notifications().edit_phone_number(&caller, id, number).await?;
    Ok(reply::json(StatusCode::OK, &phone_number(&destination)))
}

/// Delete a phone number
///
/// It is also removed from the profiles that use it.
#[utoipa::path(delete, path = "/auth/phone-number/{pk}/", tag = "auth", responses((status = 204)))]
pub async fn delete(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    api.service.notifications().delete_phone_number(&caller, DestinationId(pk)).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

impl BodyFields {
    /// Reads a phone number and normalizes it.
    fn phone_number(&mut self, name: &str) -> Option<String> {
        if !self.has(name) {
            return None;
        }
        let number = phone::normalize(&self.required_text(name, limits::PHONE_NUMBER)?);
        if number.is_none() {
            self.error(name, BadSetting::Phone.to_string());
        }
        number
    }
}

fn unknown() -> ApiError {
    ApiError::no_match(Model::Destination)
}

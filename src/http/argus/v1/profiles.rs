//! Notification profiles of the caller in the form of version 1: with media and one phone number (contract section
//! 15.2).

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::user::{PhoneNumberBody, phone_number};
use crate::domain::{
    Destination, DestinationId, Directory, FilterId, Profile, ProfileDraft, ProfileId, ProfileReach, TimeslotId,
    destination::EMAIL, limits, profile::ClassicReach,
};
use crate::http::{
    Api, BodyFields, Call, HandlerResult, Key, Payload, Request, Version,
    argus::shared::{
        filters::FilterBody,
        profiles::{Known, filters_of},
        timeslots::TimeslotBody,
    },
    reply, request, stream,
};
use crate::service::Configured;

const BY_EMAIL: &str = "EM";
const BY_SMS: &str = "SM";

request! {
    /// Required fields are optional in PATCH.
    pub struct NotificationProfileRequest requires ["timeslot", "filters"] {
        /// Filters of the caller, at least one. All must match.
        filters: Vec<FilterId> = references(limits::FILTERS_PER_PROFILE, false),
        /// `EM` (the default) and `SM`.
        media: Vec<&'static str> = choices(&[BY_EMAIL, BY_SMS]),
        /// Required if `media` contains `SM`.
        phone_number: u64 = key,
        /// One of the caller's timeslots.
        timeslot: TimeslotId = reference,
        active: bool = flag,
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = NotificationProfile)]
pub struct ProfileBody<'a> {
    pk: u64,
    #[schema(value_type = TimeslotBody<'static>, required)]
    timeslot: Option<TimeslotBody<'a>>,
    filters: Vec<FilterBody<'a>>,
    /// `EM`, `SM`, both or none.
    media: Vec<&'static str>,
    active: bool,
    phone_number: Option<PhoneNumberBody<'a>>,
}

impl<'a> ProfileBody<'a> {
    fn new(profile: &'a Profile, directory: &'a Directory) -> Self {
        let destinations = || profile.destinations.iter().filter_map(|id| directory.destinations.get(id));
        let number: Option<&Destination> =
            destinations().map(AsRef::as_ref).find(|destination| phone_number(destination).is_some());
        let has_email = destinations().any(|destination| destination.medium == EMAIL);
        let media = [has_email.then_some(BY_EMAIL), number.map(|_| BY_SMS)];
        Self {
            pk: profile.id.0,
            timeslot: directory.timeslots.get(&profile.timeslot).map(|it| TimeslotBody::new(it)),
            filters: filters_of(profile, directory).map(|it| FilterBody::new(it, Version::V1)).collect(),
            media: media.into_iter().flatten().collect(),
            active: profile.active,
            phone_number: number.and_then(phone_number),
        }
    }
}

/// List the caller's profiles
#[utoipa::path(get, path = "/notificationprofiles/", tag = "notification profiles",
    responses((status = 200, body = Vec<ProfileBody<'static>>)))]
pub async fn list(Call { api, caller }: Call) -> HandlerResult {
    let user = caller.id();
    let write = move |api: &Api, rows: &mut stream::Rows| {
        let directory = api.service.directory();
        let profiles = directory.profiles_of(user).into_iter();
        rows.extend(profiles.map(|it| ProfileBody::new(it, &directory)))
    };
    stream::from_memory(api, user, stream::ARRAY, write).await
}

/// Create a profile
#[utoipa::path(post, path = "/notificationprofiles/", tag = "notification profiles",
    request_body = NotificationProfileRequest, responses((status = 201, body = ProfileBody<'static>)))]
pub async fn create(Call { api, caller }: Call, payload: Payload) -> HandlerResult {
    let directory = api.service.directory();
    let known = Known { directory: &directory, caller: &caller, before: None };
    let new = payload.parse(|fields| Some(take(fields, &known))).await?;
    let profile = api.service.put(&caller, None, new).await?;
    Ok(reply::json(StatusCode::CREATED, &ProfileBody::new(&profile, &api.service.directory())))
}

/// Read a profile
#[utoipa::path(get, path = "/notificationprofiles/{pk}/", tag = "notification profiles",
    responses((status = 200, body = ProfileBody<'static>)))]
pub async fn retrieve(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    let directory = api.service.directory();
    let profile = Profile::find(&directory, caller.id(), ProfileId(pk))?;
    Ok(reply::json(StatusCode::OK, &ProfileBody::new(profile, &directory)))
}

/// Change a profile
///
/// Destinations of other media than e-mail and SMS are kept.
#[utoipa::path(method(put, patch), path = "/notificationprofiles/{pk}/", tag = "notification profiles",
    request_body = NotificationProfileRequest, responses((status = 200, body = ProfileBody<'static>)))]
pub async fn edit(Call { api, caller }: Call, Key(pk): Key, payload: Payload) -> HandlerResult {
    let id = ProfileId(pk);
    let directory = api.service.directory();
    let before = Profile::find(&directory, caller.id(), id)?;
    let known = Known { directory: &directory, caller: &caller, before: Some(before) };
    let edit = payload.parse(|fields| Some(take(fields, &known))).await?;
    let profile = api.service.put(&caller, Some(id), edit).await?;
    Ok(reply::json(StatusCode::OK, &ProfileBody::new(&profile, &api.service.directory())))
}

/// Reads the fields of a profile. In a PUT or POST without `media`, the medium is e-mail.
fn take(fields: &mut BodyFields, known: &Known<'_>) -> ProfileDraft {
    let is_whole = fields.is_whole();
    let sent = NotificationProfileRequest::take(fields);
    let media = sent.media.or_else(|| is_whole.then(|| vec![BY_EMAIL]));
    let number = sent.phone_number.map(DestinationId);
    let edit = ProfileDraft {
        name: None,
        timeslot: sent.timeslot,
        filters: sent.filters,
        reach: Some(ProfileReach::Classic(ClassicReach {
            email: media.as_ref().map(|media| media.contains(&BY_EMAIL)),
            sms: media.as_ref().map(|media| media.contains(&BY_SMS)),
            number: (is_whole || fields.has("phone_number")).then_some(number),
        })),
        active: sent.active,
    };
    known.check(fields, &edit);
    edit
}

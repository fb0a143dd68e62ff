//! Notification profiles of the caller (contract section 15.1).

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::destinations::DestinationBody;
use crate::domain::{
    DestinationId, Directory, FilterId, Profile, ProfileDraft, ProfileId, ProfileReach, TimeslotId, limits,
};
use crate::http::{
    Api, BodyFields, Call, HandlerResult, Key, Payload, Request, TextRule, Version,
    argus::shared::{
        filters::FilterBody,
        profiles::{Known, filters_of},
        timeslots::TimeslotBody,
    },
    reply, request, stream,
};
use crate::service::{Configured, Service};

request! {
    /// Required fields are optional in PATCH.
    pub struct NotificationProfileRequest fills ProfileDraft requires ["timeslot", "filters"] {
        /// Filters of the caller or public ones, at least one. All must match.
        filters: Vec<FilterId> = references(limits::FILTERS_PER_PROFILE, false),
        /// Destinations of the caller.
        reach "destinations": ProfileReach as Vec<DestinationId> = reach,
        /// Null, or unique among the caller's profiles.
        name: Option<String> = nullable_text[TextRule::up_to(limits::PROFILE_NAME)],
        /// One of the caller's timeslots.
        timeslot: TimeslotId = reference,
        active: bool = flag,
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = NotificationProfile)]
pub struct ProfileBody<'a> {
    pk: u64,
    name: Option<&'a str>,
    #[schema(value_type = TimeslotBody<'static>, required)]
    timeslot: Option<TimeslotBody<'a>>,
    filters: Vec<FilterBody<'a>>,
    destinations: Vec<DestinationBody<'a>>,
    active: bool,
}

impl<'a> ProfileBody<'a> {
    fn new(profile: &'a Profile, directory: &'a Directory, service: &Service) -> Self {
        let destinations = profile.destinations.iter().filter_map(|id| directory.destinations.get(id));
        Self {
            pk: profile.id.0,
            name: profile.name.as_deref(),
            timeslot: directory.timeslots.get(&profile.timeslot).map(|it| TimeslotBody::new(it)),
            filters: filters_of(profile, directory).map(|it| FilterBody::new(it, Version::V2)).collect(),
            destinations: destinations.map(|it| DestinationBody::new(it, service)).collect(),
            active: profile.active,
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
        rows.extend(profiles.map(|it| ProfileBody::new(it, &directory, &api.service)))
    };
    stream::from_memory(api, user, stream::ARRAY, write).await
}

/// Create a profile
#[utoipa::path(post, path = "/notificationprofiles/", tag = "notification profiles", request_body = NotificationProfileRequest,
    responses((status = 201, body = ProfileBody<'static>)))]
pub async fn create(Call { api, caller }: Call, payload: Payload) -> HandlerResult {
    let directory = api.service.directory();
    let known = Known { directory: &directory, caller: &caller, before: None };
    let new = payload.parse(|fields| Some(take(fields, &known))).await?;
    let profile = api.service.put(&caller, None, new).await?;
    Ok(reply::json(StatusCode::CREATED, &ProfileBody::new(&profile, &api.service.directory(), &api.service)))
}

/// Read a profile
#[utoipa::path(get, path = "/notificationprofiles/{pk}/", tag = "notification profiles",
    responses((status = 200, body = ProfileBody<'static>)))]
pub async fn retrieve(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    let directory = api.service.directory();
    let profile = Profile::find(&directory, caller.id(), ProfileId(pk))?;
    Ok(reply::json(StatusCode::OK, &ProfileBody::new(profile, &directory, &api.service)))
}

/// Change a profile
///
/// `name`, `destinations` and `active` keep their values if they are absent.
#[utoipa::path(method(put, patch), path = "/notificationprofiles/{pk}/", tag = "notification profiles",
    request_body = NotificationProfileRequest, responses((status = 200, body = ProfileBody<'static>)))]
pub async fn edit(Call { api, caller }: Call, Key(pk): Key, payload: Payload) -> HandlerResult {
    let id = ProfileId(pk);
    let directory = api.service.directory();
    let before = Profile::find(&directory, caller.id(), id)?;
    let known = Known { directory: &directory, caller: &caller, before: Some(before) };
    let edit = payload.parse(|fields| Some(take(fields, &known))).await?;
    let profile = api.service.put(&caller, Some(id), edit).await?;
    Ok(reply::json(StatusCode::OK, &ProfileBody::new(&profile, &api.service.directory(), &api.service)))
}

fn take(fields: &mut BodyFields, known: &Known<'_>) -> ProfileDraft {
    let edit = NotificationProfileRequest::take(fields);
    known.check(fields, &edit);
    edit
}

impl BodyFields {
    fn reach(&mut self, name: &str) -> Option<ProfileReach> {
        self.references(name, limits::DESTINATIONS_PER_PROFILE, true).map(ProfileReach::Destinations)
    }
}

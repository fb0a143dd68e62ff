//! What is the same of notification profiles in all versions (contract section 15).

use axum::{extract::State, http::StatusCode};

use super::{render::IncidentBody, whole_list::whole_list};
use crate::{
    domain::{directory::Directory, ids::ProfileId, profile::Profile, stored_filter::StoredFilter},
    http::{Answer, Api, argus::keys::Key, auth::Authenticated, error::ApiError, query, reply},
    service::Model,
};

/// List the incidents of a profile
///
/// Those that match any of its filters, open and closed, newest start first.
#[utoipa::path(get, path = "/notificationprofiles/{pk}/incidents/", tag = "notification profiles",
    responses((status = 200, body = Vec<IncidentBody<'static>>)))]
pub async fn incidents(State(api): State<Api>, Authenticated(caller): Authenticated, Key(pk): Key) -> Answer {
    let directory = api.service.directory();
    let profile = directory
        .profile_of(caller.id(), ProfileId(pk))
        .ok_or_else(|| ApiError::list(format!("Notification profile with pk={pk} does not exist.")))?;
    let wanted = query::of_profile(profile, &directory);
    whole_list(api, caller.id(), wanted, false).await
}

/// Delete a profile
#[utoipa::path(delete, path = "/notificationprofiles/{pk}/", tag = "notification profiles",
    responses((status = 204)))]
pub async fn delete(State(api): State<Api>, Authenticated(caller): Authenticated, Key(pk): Key) -> Answer {
    api.service.delete_profile(&caller, ProfileId(pk)).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

#[must_use]
pub fn unknown() -> ApiError {
    ApiError::no_match(Model::Profile)
}

/// In order.
pub fn filters_of<'a>(profile: &'a Profile, directory: &'a Directory) -> impl Iterator<Item = &'a StoredFilter> {
    profile.filters.iter().filter_map(|id| directory.filters.get(id)).map(AsRef::as_ref)
}

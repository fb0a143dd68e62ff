//! Parts of notification profiles that are the same in all versions (contract section 15).

use axum::http::StatusCode;

use super::{render::IncidentBody, whole_list::whole_list};
use crate::domain::{
    DestinationId, Directory, FilterId, Profile, ProfileDraft, ProfileId, ProfileReach, StoredFilter, TimeslotId,
    destination::SMS, profile::ClassicReach,
};
use crate::http::{ApiError, BodyFields, Call, HandlerResult, Key, query, reply};
use crate::service::Caller;

/// List the incidents of a profile
///
/// Incidents that match any filter of the profile, open and closed, newest start first.
#[utoipa::path(get, path = "/notificationprofiles/{pk}/incidents/", tag = "notification profiles",
    responses((status = 200, body = Vec<IncidentBody<'static>>)))]
pub async fn incidents(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    let directory = api.service.directory();
    let profile = directory
        .profile_of(caller.id(), ProfileId(pk))
        .ok_or_else(|| ApiError::list(format!("Notification profile with pk={pk} does not exist.")))?;
    let wanted = query::of_profile(profile, &directory);
    whole_list(api, caller.id(), wanted).await
}

/// Delete a profile
#[utoipa::path(delete, path = "/notificationprofiles/{pk}/", tag = "notification profiles",
    responses((status = 204)))]
pub async fn delete(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    api.service.delete::<Profile>(&caller, ProfileId(pk)).await?;
    Ok(reply::empty(StatusCode::NO_CONTENT))
}

/// Returns the filters of a profile, in order.
pub fn filters_of<'a>(profile: &'a Profile, directory: &'a Directory) -> impl Iterator<Item = &'a StoredFilter> {
    profile.filters.iter().filter_map(|id| directory.filters.get(id)).map(AsRef::as_ref)
}

/// Configuration and caller that the references of a draft are checked against before the request is carried out.
pub struct Known<'a> {
    pub directory: &'a Directory,
    pub caller: &'a Caller,
    /// The profile that is changed; its existing references stay valid. `None` for a new profile.
    pub before: Option<&'a Profile>,
}

impl Known<'_> {
    /// Records an error for each field that names something unknown, so that one answer lists all of them. The service
    /// checks again when it carries out the request.
    pub fn check(&self, fields: &mut BodyFields, edit: &ProfileDraft) {
        let (directory, owner) = (self.directory, self.caller.id());
        let timeslot = edit.timeslot.map(|id| id.0);
        fields.expect_known("timeslot", timeslot, |id| directory.timeslots.contains_key(&TimeslotId(id)));
        let filters = edit.filters.iter().flatten().map(|id| id.0);
        fields.expect_known("filters", filters, |id| {
            let id = FilterId(id);
            self.before.is_some_and(|it| it.filters.contains(&id)) || directory.usable_filter(owner, id).is_some()
        });
        let own = |id| directory.destination_of(owner, DestinationId(id));
        match &edit.reach {
            Some(ProfileReach::Destinations(ids)) => {
                fields.expect_known("destinations", ids.iter().map(|id| id.0), |id| own(id).is_some());
            }
            Some(ProfileReach::Classic(ClassicReach { number, .. })) => {
                let number = number.flatten().map(|id| id.0);
                fields.expect_known("phone_number", number, |id| own(id).is_some_and(|it| it.medium == SMS));
            }
            None => {}
        }
    }
}

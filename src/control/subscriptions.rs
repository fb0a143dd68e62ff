//! Administrative commands about filters and notification profiles of all users (contract section 24).

use std::sync::Arc;

use super::{AdminReply, FilterRow, accounts::named, execute::AdminError, rows::ProfileRow};
use crate::domain::{Profile, ProfileId, StoredFilter};
use crate::service::Service;

pub(super) fn list_filters(service: &Service, id: Option<u64>, name: Option<&str>) -> AdminReply {
    let directory = service.directory();
    let is_meant =
        |filter: &StoredFilter| id.is_none_or(|id| filter.id.0 == id) && name.is_none_or(|name| filter.name == name);
    let mut filters: Vec<_> = directory.filters.values().filter(|filter| is_meant(filter)).collect();
    filters.sort_by_key(|filter| filter.id);
    AdminReply::Filters(filters.into_iter().map(|filter| FilterRow::new(filter, &directory)).collect())
}

/// Lists the profiles of all users, or of one.
pub(super) fn list_profiles(service: &Service, username: Option<&str>) -> Result<AdminReply, AdminError> {
    let owner = username.map(|name| named(service, name)).transpose()?.map(|user| user.id);
    let directory = service.directory();
    let wanted = |profile: &&Arc<Profile>| owner.is_none_or(|owner| profile.owner == owner);
    let mut profiles: Vec<_> = directory.profiles.values().filter(wanted).collect();
    profiles.sort_by_key(|profile| profile.id);
    Ok(AdminReply::Profiles(profiles.into_iter().map(|profile| ProfileRow::new(profile, &directory)).collect()))
}

/// Switches profiles on or off. Replies with their new states.
pub(super) async fn toggle_profiles(service: &Service, ids: Vec<u64>) -> Result<AdminReply, AdminError> {
    let ids = ids.into_iter().map(ProfileId).collect();
    let toggled = service.notifications().toggle_profiles(&service.people().local_caller()?, ids).await?;
    let lines: Vec<String> = toggled
        .iter()
        .map(|profile| format!("profile {} is {}", profile.id, if profile.active { "active" } else { "inactive" }))
        .collect();
    Ok(AdminReply::Text(lines.join("\n")))
}

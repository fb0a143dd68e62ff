//! Administrative commands about filters and notification profiles of all users (contract section 24).

use super::{AdminReply, FilterRow, execute::AdminError};
use crate::domain::{ProfileId, StoredFilter};
use crate::service::Service;

pub(super) fn list_filters(service: &Service, id: Option<u64>, name: Option<&str>) -> AdminReply {
    let directory = service.directory();
    let is_meant =
        |filter: &StoredFilter| id.is_none_or(|id| filter.id.0 == id) && name.is_none_or(|name| filter.name == name);
    let mut filters: Vec<_> = directory.filters.values().filter(|filter| is_meant(filter)).collect();
    filters.sort_by_key(|filter| filter.id);
    AdminReply::Filters(filters.into_iter().map(|filter| FilterRow::new(filter, &directory)).collect())
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

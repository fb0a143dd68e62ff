//! Destinations of a user, which only that user can see (contract section 16).

use std::sync::Arc;

use crate::domain::{AnyMedium, Destination, DestinationDraft, DestinationId, Profile};
use crate::service::{Caller, Model, Notifications, ServiceError};
use crate::store::Command;

impl Notifications {
    pub async fn put_destination(
        &self,
        caller: &Caller,
        id: Option<DestinationId>,
        draft: DestinationDraft,
    ) -> Result<Arc<Destination>, ServiceError> {
        draft.check()?;
        let owner = caller.id();
        let apply = move |before: Option<&Destination>, command: &Command<'_>| {
            let directory = command.directory();
            if let (None, Some(AnyMedium::Plugin(slug))) = (before, &draft.medium) {
                directory.offered_channel(slug).ok_or(ServiceError::NotFound(Model::Medium))?;
            }
            Ok(draft.apply(before, owner, directory)?)
        };
        self.put_with(caller, id, apply, stage).await
    }
}

/// Stages a destination. If it is the synced destination and its settings change, it becomes an ordinary one, and a new
/// synced destination is created (contract section 16.3).
fn stage(command: &mut Command<'_>, before: Option<&Destination>, after: &mut Destination) {
    if let Some(before) = before.filter(|before| before.synced && after.settings != before.settings) {
        after.synced = false;
        let id = command.new_destination_id();
        command.put_destination(Destination { id, label: None, ..before.clone() });
    }
    command.put_destination(after.clone());
}

/// Stages the deletion of a destination, and removes it from the profiles that lead to it.
pub(in crate::service) fn forget_destination(command: &mut Command<'_>, id: DestinationId) {
    let profiles = command.directory().profiles_where(|profile| profile.destinations.contains(&id));
    let profiles: Vec<Profile> = profiles.into_iter().map(|profile| Profile::clone(profile)).collect();
    for mut profile in profiles {
        profile.destinations.retain(|it| *it != id);
        command.put_profile(profile);
    }
    command.delete_destination(id);
}

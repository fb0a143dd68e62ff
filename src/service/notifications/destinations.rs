//! Destinations of a user, which nobody else sees (contract section 16).

use std::sync::Arc;

use crate::{
    domain::{
        destination::{Destination, DestinationDraft},
        ids::DestinationId,
        medium::AnyMedium,
        profile::Profile,
    },
    service::{Caller, Model, NotificationRefusal, Notifications, ProfileLabel, ServiceError, configuration::Drafted},
    store::Command,
};

impl Drafted for Destination {
    const MODEL: Model = Model::Destination;
    const IS_PERSONAL: bool = true;
}

impl Notifications {
    pub async fn create_destination(
        &self,
        caller: &Caller,
        draft: DestinationDraft,
    ) -> Result<Arc<Destination>, ServiceError> {
        self.put_destination(caller, None, draft).await
    }

    pub async fn edit_destination(
        &self,
        caller: &Caller,
        id: DestinationId,
        draft: DestinationDraft,
    ) -> Result<Arc<Destination>, ServiceError> {
        self.put_destination(caller, Some(id), draft).await
    }

    async fn put_destination(
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
        self.put_by(caller, id, apply, stage).await
    }

    /// Refused while a profile leads to it, and for the one that follows the user's address.
    pub async fn delete_destination(&self, caller: &Caller, id: DestinationId) -> Result<(), ServiceError> {
        let owner = caller.id();
        self.delete::<Destination>(caller, id, move |destination, command| {
            if destination.synced {
                return Err(NotificationRefusal::DestinationSynced.into());
            }
            let leads_to_it = |profile: &Profile| profile.destinations.contains(&id);
            let profiles = ProfileLabel::of_users(command.directory(), owner, leads_to_it);
            if !profiles.is_empty() {
                return Err(NotificationRefusal::DestinationInProfiles(profiles).into());
            }
            Ok(())
        })
        .await
    }
}

/// The new form of a destination. One that followed the user's address and leads elsewhere now becomes an ordinary one,
/// and a fresh one follows (contract section 16.3).
fn stage(command: &mut Command<'_>, before: Option<&Destination>, after: &mut Destination) {
    if let Some(before) = before.filter(|before| before.synced && after.settings != before.settings) {
        after.synced = false;
        let id = command.new_destination_id();
        command.put_destination(Destination { id, label: None, ..before.clone() });
    }
    command.put_destination(after.clone());
}

/// Stages its end; the profiles that led to it just lose it.
pub(in crate::service) fn forget_destination(command: &mut Command<'_>, id: DestinationId) {
    let profiles = command.directory().profiles_where(|profile| profile.destinations.contains(&id));
    let profiles: Vec<Profile> = profiles.into_iter().map(|profile| Profile::clone(profile)).collect();
    for mut profile in profiles {
        profile.destinations.retain(|it| *it != id);
        command.put_profile(profile);
    }
    command.delete_destination(id);
}

//! Destinations of a user, which nobody else sees (contract section 16).

use std::{collections::BTreeMap, sync::Arc};

use super::{Caller, Model, NotificationRefusal, ProfileLabel, Refusal, Service, ServiceError};
use crate::{
    domain::{
        destination::Destination,
        directory::Directory,
        draft::check_length,
        ids::{DestinationId, UserId},
        limits::{DESTINATION_LABEL, DESTINATIONS_PER_USER},
        medium::{AnyMedium, changed_settings},
        profile::Profile,
    },
    store::Command,
};

/// A destination to be created, for the caller.
#[derive(Clone, Debug)]
pub struct NewDestination {
    pub medium: AnyMedium,
    pub label: Option<String>,
    /// Checked by [`crate::domain::setting::Form::normalize`].
    pub settings: BTreeMap<String, String>,
}

/// What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct DestinationEdit {
    /// Cannot change; refused if it is another one.
    pub medium: Option<AnyMedium>,
    pub label: Option<Option<String>>,
    /// See [`changed_settings`].
    pub settings: Option<BTreeMap<String, Option<String>>>,
}

impl Service {
    pub async fn create_destination(
        &self,
        caller: &Caller,
        new: NewDestination,
    ) -> Result<Arc<Destination>, ServiceError> {
        check_length("label", DESTINATION_LABEL, new.label.as_deref())?;
        let owner = caller.id();
        let destination = self
            .store()
            .write(Some(owner), move |command| {
                let mut destination = Destination {
                    id: DestinationId(0),
                    owner,
                    medium: new.medium.slug().to_owned(),
                    label: new.label,
                    settings: new.settings,
                    synced: false,
                };
                if let AnyMedium::Plugin(slug) = &new.medium {
                    command.directory().offered_channel(slug).ok_or(ServiceError::NotFound(Model::Medium))?;
                }
                check_room(command.directory(), owner)?;
                check_free(command.directory(), &destination)?;
                destination.id = command.new_destination_id();
                command.put_destination(destination.clone());
                Ok::<_, ServiceError>(destination)
            })
            .await?;
        Ok(Arc::new(destination))
    }

    pub async fn edit_destination(
        &self,
        caller: &Caller,
        id: DestinationId,
        edit: DestinationEdit,
    ) -> Result<Arc<Destination>, ServiceError> {
        check_length("label", DESTINATION_LABEL, edit.label.as_ref().and_then(Option::as_deref))?;
        let owner = caller.id();
        let destination = self
            .store()
            .write(Some(owner), move |command| {
                let directory = command.directory();
                let before =
                    directory.destination_of(owner, id).cloned().ok_or(ServiceError::NotFound(Model::Destination))?;
                let mut after = Destination::clone(&before);
                if edit.medium.as_ref().is_some_and(|medium| medium.slug() != before.medium) {
                    return Err(NotificationRefusal::MediumFixed.into());
                }
                after.label = edit.label.unwrap_or(after.label);
                if let Some(given) = edit.settings {
                    after.settings = changed_settings(&AnyMedium::from_slug(&before.medium), &before.settings, given);
                }
                check_free(directory, &after)?;
                if after == *before {
                    return Ok(before);
                }
                replace(command, &before, &mut after);
                Ok::<_, ServiceError>(Arc::new(after))
            })
            .await?;
        Ok(destination)
    }

    /// Refused while a profile leads to it, and for the one that follows the user's address.
    pub async fn delete_destination(&self, caller: &Caller, id: DestinationId) -> Result<(), ServiceError> {
        let owner = caller.id();
        self.store()
            .write(Some(owner), move |command| {
                let directory = command.directory();
                let destination =
                    directory.destination_of(owner, id).ok_or(ServiceError::NotFound(Model::Destination))?;
                if destination.synced {
                    return Err(NotificationRefusal::DestinationSynced.into());
                }
                let profiles = ProfileLabel::of_users(directory, owner, |profile| profile.destinations.contains(&id));
                if !profiles.is_empty() {
                    return Err(NotificationRefusal::DestinationInProfiles(profiles).into());
                }
                command.delete_destination(id);
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(())
    }
}

/// The new form of a destination. One that followed the user's address and leads elsewhere now becomes an ordinary one,
/// and a fresh one follows (contract section 16.3).
pub(super) fn replace(command: &mut Command<'_>, before: &Destination, after: &mut Destination) {
    if before.synced && after.settings != before.settings {
        after.synced = false;
        let id = command.new_destination_id();
        command.put_destination(Destination { id, label: None, ..before.clone() });
    }
    command.put_destination(after.clone());
}

/// Stages its end; the profiles that led to it just lose it.
pub(super) fn forget_destination(command: &mut Command<'_>, id: DestinationId) {
    let profiles = command.directory().profiles_where(|profile| profile.destinations.contains(&id));
    let profiles: Vec<Profile> = profiles.into_iter().map(|profile| Profile::clone(profile)).collect();
    for mut profile in profiles {
        profile.destinations.retain(|it| *it != id);
        command.put_profile(profile);
    }
    command.delete_destination(id);
}

pub(super) fn check_room(directory: &Directory, owner: UserId) -> Result<(), Refusal> {
    if directory.destinations_of(owner).len() < DESTINATIONS_PER_USER {
        return Ok(());
    }
    Err(Refusal::TooMany { what: "destinations", limit: DESTINATIONS_PER_USER })
}

/// No two of a user lead to the same place, or have the same label and medium.
fn check_free(directory: &Directory, wanted: &Destination) -> Result<(), NotificationRefusal> {
    for other in directory.destinations_of(wanted.owner) {
        if other.id == wanted.id || other.medium != wanted.medium {
            continue;
        }
        if address(other) == address(wanted) {
            return Err(NotificationRefusal::DestinationExists);
        }
        if wanted.label.is_some() && other.label == wanted.label {
            return Err(NotificationRefusal::LabelTaken);
        }
    }
    Ok(())
}

/// Does a destination of another user lead to the same place?
#[must_use]
pub fn is_shared(directory: &Directory, destination: &Destination) -> bool {
    directory.destinations.values().any(|other| {
        other.owner != destination.owner && other.medium == destination.medium && address(other) == address(destination)
    })
}

pub(super) fn address(destination: &Destination) -> Option<&String> {
    destination.settings.get(AnyMedium::from_slug(&destination.medium).address_key())
}

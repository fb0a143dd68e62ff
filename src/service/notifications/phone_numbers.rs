//! Phone numbers of a user: SMS destinations in the form of API version 1 (contract section 3).

use std::{collections::BTreeMap, sync::Arc};

use crate::domain::{
    Destination, DestinationId, Directory, UserId,
    destination::{PHONE_NUMBER, SMS, check_room},
};
use crate::service::{
    Caller, Model, NotificationRefusal, Notifications, ServiceError, configuration::stage,
    notifications::destinations::forget_destination,
};
use crate::store::Command;

impl Notifications {
    /// Creates an SMS destination. `number` is in E.164 format (see [`crate::domain::phone`]).
    pub async fn create_phone_number(&self, caller: &Caller, number: String) -> Result<Arc<Destination>, ServiceError> {
        let owner = caller.id();
        let apply = move |_: Option<&Destination>, command: &Command<'_>| {
            check_room(command.directory(), owner)?;
            check_free(command.directory(), owner, None, &number)?;
            let settings = BTreeMap::from([(PHONE_NUMBER.to_owned(), number)]);
            let (id, medium) = (DestinationId(0), SMS.to_owned());
            Ok(Destination { id, owner, medium, label: None, settings, synced: false })
        };
        self.put_with(caller, None, apply, stage).await
    }

    pub async fn edit_phone_number(
        &self,
        caller: &Caller,
        id: DestinationId,
        number: String,
    ) -> Result<Arc<Destination>, ServiceError> {
        let owner = caller.id();
        let apply = move |before: Option<&Destination>, command: &Command<'_>| {
            let mut after = before.filter(|it| it.medium == SMS).ok_or(UNKNOWN)?.clone();
            check_free(command.directory(), owner, Some(id), &number)?;
            after.settings.insert(PHONE_NUMBER.to_owned(), number);
            Ok(after)
        };
        self.put_with(caller, Some(id), apply, stage).await
    }

    /// Deletes an SMS destination, and removes it from the profiles that lead to it.
    pub async fn delete_phone_number(&self, caller: &Caller, id: DestinationId) -> Result<(), ServiceError> {
        let owner = caller.id();
        self.write(Some(owner), move |command| {
            phone_number_of(command.directory(), owner, id).ok_or(UNKNOWN)?;
            forget_destination(command, id);
            Ok(())
        })
        .await
    }
}

const UNKNOWN: ServiceError = ServiceError::NotFound(Model::Destination);

/// Returns the SMS destination with this id. `None` for destinations of other users or other media.
#[must_use]
pub fn phone_number_of(directory: &Directory, owner: UserId, id: DestinationId) -> Option<&Arc<Destination>> {
    directory.destination_of(owner, id).filter(|destination| destination.medium == SMS)
}

fn check_free(
    directory: &Directory,
    owner: UserId,
    own: Option<DestinationId>,
    number: &str,
) -> Result<(), NotificationRefusal> {
    let taken = directory.destinations_of(owner).into_iter().any(|it| {
        it.medium == SMS && Some(it.id) != own && it.settings.get(PHONE_NUMBER).is_some_and(|known| known == number)
    });
    if taken { Err(NotificationRefusal::PhoneNumberExists) } else { Ok(()) }
}

//! Creates, edits and deletes things of the configuration of any kind. `domain` decides what they become and what
//! cannot be deleted.

use std::sync::Arc;

use super::{Caller, Service, ServiceError};
use crate::domain::{Directory, Managed, UserId, draft::Draft};
use crate::store::{Command, Kind, Map, Numbered};

/// A kind of thing that the methods here create, change and delete.
pub trait Configured: Managed + Numbered + Clone + PartialEq {
    fn find(directory: &Directory, user: UserId, key: Self::Key) -> Result<&Arc<Self>, ServiceError> {
        let owner = |thing: &Self| thing.owner().map(|(_, owner)| owner);
        let found = Self::map(directory).get(&key).filter(|it| !Self::IS_PERSONAL || owner(it) == Some(user));
        found.ok_or(ServiceError::NotFound(Self::SUBJECT.into()))
    }
}

impl<T: Managed + Numbered + Clone + PartialEq> Configured for T {}

impl Service {
    /// Applies `draft` to the thing with this key and stores the result. Without a key, stores a new thing.
    pub async fn put<D: Draft>(
        &self,
        caller: &Caller,
        key: Option<<D::Thing as Kind>::Key>,
        draft: D,
    ) -> Result<Arc<D::Thing>, ServiceError>
    where
        D::Thing: Configured,
    {
        caller.require(D::Thing::ACTION)?;
        draft.check()?;
        let user = caller.id();
        let apply = move |before: Option<&D::Thing>, command: &Command<'_>| {
            Ok(draft.apply(before, user, command.directory(), command.now())?)
        };
        self.put_with(caller, key, apply, stage).await
    }

    /// Like [`Service::put`], for results that depend on more than the configuration, or if `stage` stages more.
    pub(super) async fn put_with<T: Configured>(
        &self,
        caller: &Caller,
        key: Option<T::Key>,
        draft: impl FnOnce(Option<&T>, &Command<'_>) -> Result<T, ServiceError> + Send + 'static,
        stage: impl FnOnce(&mut Command<'_>, Option<&T>, &mut T) + Send + 'static,
    ) -> Result<Arc<T>, ServiceError> {
        caller.require(T::ACTION)?;
        let user = caller.id();
        let write = move |command: &mut Command<'_>| {
            let before = key.map(|key| T::find(command.directory(), user, key)).transpose()?.cloned();
            let mut after = draft(before.as_deref(), command)?;
            match &before {
                Some(before) if **before == after => return Ok(Arc::clone(before)),
                Some(_) => {}
                None => after.give_number(command),
            }
            stage(command, before.as_deref(), &mut after);
            Ok(Arc::new(after))
        };
        self.write(Some(user), write).await
    }

    pub async fn delete<T: Configured>(&self, caller: &Caller, key: T::Key) -> Result<(), ServiceError> {
        self.delete_with::<T>(caller, key, |_, _| Ok(())).await
    }

    /// Like [`Service::delete`]. `more` can refuse the deletion; otherwise it stages the changes that follow from it.
    pub(super) async fn delete_with<T: Configured>(
        &self,
        caller: &Caller,
        key: T::Key,
        more: impl FnOnce(&T, &mut Command<'_>) -> Result<(), ServiceError> + Send + 'static,
    ) -> Result<(), ServiceError> {
        caller.require(T::ACTION)?;
        let user = caller.id();
        let write = move |command: &mut Command<'_>| {
            let thing = Arc::clone(T::find(command.directory(), user, key)?);
            thing.check_deletion(command.directory(), command.now())?;
            more(&thing, command)?;
            command.delete::<T>(key);
            Ok(())
        };
        self.write(Some(user), write).await
    }
}

/// Stages the thing and nothing else.
pub(super) fn stage<T: Configured>(command: &mut Command<'_>, _: Option<&T>, after: &mut T) {
    command.put(after.clone());
}

//! Creates, edits and deletes things of the configuration, whatever their kind. What a draft makes of them is decided by
//! `domain`.

use std::sync::Arc;

use super::{Caller, Model, Service, ServiceError};
use crate::{
    domain::{directory::Directory, ids::UserId},
    store::{Command, Map, Numbered},
};

/// A kind of thing that is made and changed by drafts.
pub(super) trait Drafted: Numbered + Clone + PartialEq {
    const MODEL: Model;
    /// Nobody but its owner can find it.
    const IS_PERSONAL: bool = false;

    fn found(directory: &Directory, user: UserId, key: Self::Key) -> Result<&Arc<Self>, ServiceError> {
        let owner = |thing: &Self| thing.owner().map(|(_, owner)| owner);
        let found = Self::map(directory).get(&key).filter(|it| !Self::IS_PERSONAL || owner(it) == Some(user));
        found.ok_or(ServiceError::NotFound(Self::MODEL))
    }
}

impl Service {
    /// Stores what `draft` makes of the thing with this key, or as a new one.
    pub(super) async fn put<T: Drafted>(
        &self,
        caller: &Caller,
        key: Option<T::Key>,
        draft: impl FnOnce(Option<&T>, &Command<'_>) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<Arc<T>, ServiceError> {
        self.put_by(caller, key, draft, |command, _, after| command.put(after.clone())).await
    }

    /// [`Service::put`], where `stage` stages what has become of the thing.
    pub(super) async fn put_by<T: Drafted>(
        &self,
        caller: &Caller,
        key: Option<T::Key>,
        draft: impl FnOnce(Option<&T>, &Command<'_>) -> Result<T, ServiceError> + Send + 'static,
        stage: impl FnOnce(&mut Command<'_>, Option<&T>, &mut T) + Send + 'static,
    ) -> Result<Arc<T>, ServiceError> {
        let user = caller.id();
        let write = move |command: &mut Command<'_>| {
            let before = key.map(|key| T::found(command.directory(), user, key)).transpose()?.cloned();
            let mut after = draft(before.as_deref(), command)?;
            match &before {
                Some(before) if **before == after => return Ok(Arc::clone(before)),
                Some(_) => {}
                None => after.give_number(command),
            }
            stage(command, before.as_deref(), &mut after);
            Ok(Arc::new(after))
        };
        Ok(self.store().write(Some(user), write).await?)
    }

    /// Unless `check` refuses, which may stage what else changes with it.
    pub(super) async fn delete<T: Drafted>(
        &self,
        caller: &Caller,
        key: T::Key,
        check: impl FnOnce(&T, &mut Command<'_>) -> Result<(), ServiceError> + Send + 'static,
    ) -> Result<(), ServiceError> {
        let user = caller.id();
        let write = move |command: &mut Command<'_>| {
            let thing = Arc::clone(T::found(command.directory(), user, key)?);
            check(&thing, command)?;
            command.delete::<T>(key);
            Ok(())
        };
        Ok(self.store().write(Some(user), write).await?)
    }
}

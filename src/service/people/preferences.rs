//! Preferences of users for the pages.

use crate::domain::{Preferences, draft::check_length, limits::LAST_VIEW};
use crate::service::{Caller, People, ServiceError};

impl People {
    /// Returns the caller's preferences, or the defaults if none are stored.
    pub async fn preferences(&self, caller: &Caller) -> Result<Preferences, ServiceError> {
        let user = caller.id();
        let found = self.store().read_few(move |snapshot| snapshot.preferences(user)).await?;
        Ok(found.unwrap_or_default())
    }

    /// Changes the preferences, based on what is stored at that time, so that simultaneous changes do not undo each
    /// other.
    pub async fn change_preferences(
        &self,
        caller: &Caller,
        change: impl FnOnce(&mut Preferences) + Send + 'static,
    ) -> Result<(), ServiceError> {
        let user = caller.id();
        self.write(Some(user), move |command| {
            let mut preferences = command.preferences(user)?.unwrap_or_default();
            change(&mut preferences);
            check_length("last_view", LAST_VIEW, Some(&preferences.last_view))?;
            command.put_preferences(user, preferences);
            Ok(())
        })
        .await
    }
}

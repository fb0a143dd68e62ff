//! What users chose for the pages.

use super::{Caller, Service, ServiceError, users::check_length};
use crate::domain::{limits::LAST_VIEW, preferences::Preferences};

impl Service {
    /// The defaults where nothing was chosen.
    pub async fn preferences(&self, caller: &Caller) -> Result<Preferences, ServiceError> {
        let user = caller.id();
        let found = self.store().read_few(move |snapshot| snapshot.preferences(user)).await?;
        Ok(found.unwrap_or_default())
    }

    pub async fn set_preferences(&self, caller: &Caller, preferences: Preferences) -> Result<(), ServiceError> {
        check_length("last_view", LAST_VIEW, Some(&preferences.last_view))?;
        let user = caller.id();
        self.store()
            .write(Some(user), move |command| {
                command.put_preferences(user, preferences);
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(())
    }
}

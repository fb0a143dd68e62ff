//! What the operator chose, where decisions about who is told depend on it: kept with the configuration, so that past
//! decisions can be explained.

use crate::{
    domain::directory::DecisionSettings,
    service::{Notifications, ServiceError},
};

impl Notifications {
    /// From now on decisions are made by these. Does nothing if they are made by them already.
    pub async fn use_decision_settings(&self, settings: DecisionSettings) -> Result<(), ServiceError> {
        if *self.directory().settings == settings {
            return Ok(());
        }
        self.store()
            .write(None, move |command| {
                command.put_settings(settings);
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(())
    }
}

//! The operator's settings that decide who is notified. They are stored with the configuration, so that past decisions
//! can be explained.

use crate::domain::directory::DecisionSettings;
use crate::service::{Notifications, ServiceError};

impl Notifications {
    /// Stores the settings for decisions from now on. Does nothing if they are stored already.
    pub async fn use_decision_settings(&self, settings: DecisionSettings) -> Result<(), ServiceError> {
        if *self.directory().settings == settings {
            return Ok(());
        }
        self.write(None, move |command| {
            command.put_settings(settings);
            Ok(())
        })
        .await
    }
}

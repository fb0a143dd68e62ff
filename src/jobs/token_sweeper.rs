//! Deletes tokens that expired long ago, by a clock that runs at most twice as fast as real time.

use crate::domain::{Timestamp, limits::EXPIRY_CLOCK_STORED_EVERY_MICROS, token::ExpiryClock};
use crate::service::{Service, StoreError};

pub struct TokenSweeper {
    clock: ExpiryClock,
    /// Time of the clock when it was last stored.
    stored: Timestamp,
}

impl TokenSweeper {
    /// Continues with the clock of the last run of the server.
    #[must_use]
    pub fn new(service: &Service) -> Self {
        let stored = service.store().counters().trusted_time();
        let clock = ExpiryClock::new(stored, service.store().clock().both());
        Self { clock, stored: stored.unwrap_or(Timestamp::MIN) }
    }

    /// Deletes expired tokens. Returns their number.
    ///
    /// # Errors
    /// If nothing can be written. The next call tries again.
    pub async fn sweep(&mut self, service: &Service) -> Result<usize, StoreError> {
        let reached = self.clock.look(service.store().clock().both());
        let due = self.stored.saturating_add_micros(EXPIRY_CLOCK_STORED_EVERY_MICROS);
        let save = reached >= due;
        let deleted = service.people().sweep_tokens(reached, save).await?;
        if save {
            self.stored = reached;
        }
        Ok(deleted)
    }
}

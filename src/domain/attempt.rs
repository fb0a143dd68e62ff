//! Results of attempts to send a message.

use super::{limits::RETRY_AFTER_MAX_MICROS, time::MonotonicTime};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptOutcome {
    pub ended: AttemptEnd,
    /// What the provider, or the network, said.
    pub answer: String,
    /// Whether the server that messages of this type go to was there and takes messages otherwise.
    pub reached: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    Sent,
    /// Another attempt may succeed.
    Retry,
    /// The same, but not before this number of microseconds has passed, because the provider asked for it.
    RetryAfter(i64),
    /// Another attempt would end the same way. Says nothing about the destination.
    Failed,
}

impl AttemptOutcome {
    /// The provider took it, and said this.
    #[must_use]
    pub const fn sent(answer: String) -> Self {
        Self { ended: AttemptEnd::Sent, answer, reached: true }
    }

    /// Nobody was reached, or nobody who takes messages now.
    #[must_use]
    pub const fn retry(answer: String) -> Self {
        Self { ended: AttemptEnd::Retry, answer, reached: false }
    }

    #[must_use]
    pub const fn fail(answer: String) -> Self {
        Self { ended: AttemptEnd::Failed, answer, reached: true }
    }
}

impl AttemptEnd {
    /// Until when the destination wants to be left alone.
    #[must_use]
    pub fn asked_until(self, now: MonotonicTime) -> Option<MonotonicTime> {
        match self {
            Self::RetryAfter(micros) => Some(now.saturating_add_micros(micros.min(RETRY_AFTER_MAX_MICROS))),
            Self::Sent | Self::Retry | Self::Failed => None,
        }
    }
}

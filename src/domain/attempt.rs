//! Results of attempts to send a message.

use super::{MonotonicTime, limits::RETRY_AFTER_MAX_MICROS};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptOutcome {
    pub ended: AttemptEnd,
    /// Answer of the provider, or error of the network.
    pub answer: String,
    /// Whether a server that accepts messages of this type was reached.
    pub reached: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    Sent,
    /// A retry may succeed.
    Retry,
    /// A retry may succeed, but not before this number of microseconds, because the provider asked for it.
    RetryAfter(i64),
    /// A retry would fail in the same way. Says nothing about the destination.
    Failed,
}

impl AttemptOutcome {
    /// Returns the outcome of a message that the provider accepted with this answer.
    #[must_use]
    pub const fn sent(answer: String) -> Self {
        Self { ended: AttemptEnd::Sent, answer, reached: true }
    }

    /// Returns the outcome of an attempt that did not reach a server that accepts messages now.
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
    /// Returns until when the provider asked to wait, at most `RETRY_AFTER_MAX_MICROS` from `now`.
    #[must_use]
    pub fn asked_until(self, now: MonotonicTime) -> Option<MonotonicTime> {
        match self {
            Self::RetryAfter(micros) => Some(now.saturating_add_micros(micros.min(RETRY_AFTER_MAX_MICROS))),
            Self::Sent | Self::Retry | Self::Failed => None,
        }
    }
}

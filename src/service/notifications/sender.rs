//! Test messages. The service does not know how they are sent.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};

use crate::{
    domain::{
        attempt::AttemptEnd,
        destination::Destination,
        ids::{DestinationId, UserId},
        limits::{TEST_MESSAGE_EVERY, TEST_MESSAGES, TEST_SENDERS_KEPT},
        plugin::PluginInfo,
        time::Timestamp,
    },
    service::{Caller, Model, Notifications, ServiceError},
};

/// Carries messages to destinations.
pub trait MessageSender: Send + Sync {
    /// Sends a harmless message that `username` asked for, now and once. Ends within a bounded time.
    fn test<'a>(&'a self, destination: &'a Destination, username: &'a str) -> BoxFuture<'a, TestOutcome>;

    /// How sending went since the start, over each medium that was used.
    fn reached(&self) -> Vec<Reached> {
        Vec::new()
    }

    /// The types of the channel plug-ins that are installed.
    fn plugins(&self) -> &[String] {
        &[]
    }

    /// What one of them says of itself, or why it does not. `None`: it has not been asked yet.
    fn plugin(&self, _kind: &str) -> Option<Result<PluginInfo, String>> {
        None
    }
}

/// What attempts to send over a medium showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    pub medium: String,
    pub last_success: Option<Timestamp>,
    pub last_failure: Option<Timestamp>,
    /// When the first of the attempts failed that have failed in a row.
    pub unreachable_since: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestOutcome {
    pub ended: AttemptEnd,
    /// What the provider or the network said.
    pub answer: String,
    /// What happened on the way, line by line, without secrets.
    pub transcript: Vec<String>,
}

/// How often each user may send one.
pub(in crate::service) struct TestLimiter(DefaultKeyedRateLimiter<UserId>);

impl Default for TestLimiter {
    fn default() -> Self {
        let quota = Quota::with_period(TEST_MESSAGE_EVERY).unwrap_or(Quota::per_minute(TEST_MESSAGES));
        Self(RateLimiter::keyed(quota.allow_burst(TEST_MESSAGES)))
    }
}

impl TestLimiter {
    fn check(&self, user: UserId) -> Result<(), ServiceError> {
        if self.0.len() >= TEST_SENDERS_KEPT {
            self.0.retain_recent();
        }
        self.0.check_key(&user).map_err(|until| {
            let retry_after = until.wait_time_from(self.0.clock().now());
            ServiceError::TooOften { retry_after }
        })
    }
}

impl Notifications {
    /// From now on test messages go this way; the first one stays.
    pub fn send_through(&self, sender: Arc<dyn MessageSender>) {
        if self.inner.sender.set(sender).is_err() {
            tracing::warn!("test messages go another way already");
        }
    }

    /// One's own destinations only. Nothing is stored.
    pub async fn test_destination(&self, caller: &Caller, id: DestinationId) -> Result<TestOutcome, ServiceError> {
        let directory = self.directory();
        let destination =
            directory.destination_of(caller.id(), id).ok_or(ServiceError::NotFound(Model::Destination))?;
        self.inner.test_limiter.check(caller.id())?;
        let Some(sender) = self.inner.sender.get() else {
            return Err(ServiceError::Internal("nothing is sent here"));
        };
        let outcome = sender.test(destination, &caller.user.username).await;
        Ok(TestOutcome { answer: caller.answer(&outcome.answer).to_owned(), ..outcome })
    }
}

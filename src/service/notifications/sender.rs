//! Test messages. The service does not know how they are sent; a [`MessageSender`] does.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};

use crate::domain::{
    AttemptEnd, Destination, DestinationId, PluginInfo, UserId,
    doctor::Reached,
    limits::{TEST_MESSAGE_EVERY, TEST_MESSAGES, TEST_SENDERS_KEPT},
};
use crate::service::{Action, Caller, Model, Notifications, ServiceError};

/// Sends test messages to destinations, and knows the plug-ins.
pub trait MessageSender: Send + Sync {
    /// Sends one test message at once, requested by `username`. Ends within a bounded time.
    fn test<'a>(&'a self, destination: &'a Destination, username: &'a str) -> BoxFuture<'a, TestOutcome>;

    /// Sends a test mail to an address through the server's own mail server. Ends within a bounded time.
    fn test_mail<'a>(&'a self, _address: &'a str) -> BoxFuture<'a, MailTest> {
        let answer = "nothing is sent here".to_owned();
        Box::pin(async { MailTest { is_sent: false, answer, transcript: Vec::new() } })
    }

    /// Returns the results of sending since the start, for each medium that was used.
    fn reached(&self) -> Vec<Reached> {
        Vec::new()
    }

    /// Returns the results of all attempts since the start, for each medium that was used.
    fn messages(&self) -> Vec<MessageFigures> {
        Vec::new()
    }

    /// Returns the channel types of the installed plug-ins.
    fn plugins(&self) -> &[String] {
        &[]
    }

    /// Returns what a plug-in says about itself, or the reason why it does not. `None`: it has not been asked yet.
    fn plugin(&self, _kind: &str) -> Option<Result<PluginInfo, String>> {
        None
    }
}

/// Numbers of attempts to send via a medium since the start, by their results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageFigures {
    pub medium: String,
    pub sent: u64,
    pub retried: u64,
    /// Messages that are not tried again.
    pub failed: u64,
}

/// Result of a test mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailTest {
    pub is_sent: bool,
    /// Last answer of the mail server or the network.
    pub answer: String,
    /// Steps of the dialogue, one line each, without secrets.
    pub transcript: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestOutcome {
    pub ended: AttemptEnd,
    /// Answer of the provider or the network.
    pub answer: String,
    /// Steps of the attempt, one line each, without secrets.
    pub transcript: Vec<String>,
}

/// Limit on the rate of test messages of each user.
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
    /// Sets the sender of test messages. Only the first call has an effect.
    pub fn send_through(&self, sender: Arc<dyn MessageSender>) {
        if self.inner.sender.set(sender).is_err() {
            tracing::warn!("the sender of test messages is already set");
        }
    }

    /// Sends a test mail to any address, for the command line. Nothing is stored.
    pub async fn test_mail(&self, caller: &Caller, address: &str) -> Result<MailTest, ServiceError> {
        caller.require(Action::ManageUsers)?;
        let Some(sender) = self.inner.sender.get() else {
            return Err(ServiceError::Internal("nothing is sent here"));
        };
        Ok(sender.test_mail(address).await)
    }

    /// Sends a test message to a destination of the caller. Nothing is stored.
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

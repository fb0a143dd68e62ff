//! Test messages, over the same channels as all others.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::{
    clock::random_bytes,
    domain::destination::Destination,
    notify::{Channels, Content, Outcome, Outgoing},
    service::{Courier, TestOutcome, TestResult},
};

pub(super) struct ChannelCourier {
    pub channels: Arc<Channels>,
}

impl Courier for ChannelCourier {
    fn test<'a>(&'a self, destination: &'a Destination, username: &'a str) -> BoxFuture<'a, TestOutcome> {
        Box::pin(async move {
            let message = Outgoing {
                // Nobody takes one test for a repetition of another.
                id: format!("test-{:032x}", u128::from_be_bytes(random_bytes())),
                medium: destination.medium.clone(),
                settings: destination.settings.clone(),
                content: Content::Test { username: username.to_owned() },
                contact: None,
            };
            let (outcome, transcript) = self.channels.send(&message).await;
            let (result, answer) = match outcome {
                Outcome::Sent(answer) => (TestResult::Sent, answer),
                Outcome::Retry(answer) => (TestResult::Retry, answer),
                Outcome::Fail(answer) => (TestResult::Fail, answer),
            };
            TestOutcome { result, answer, transcript: transcript.lines().to_vec() }
        })
    }
}

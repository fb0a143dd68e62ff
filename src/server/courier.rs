//! Test messages, over the same channels as all others.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use futures_util::future::BoxFuture;

use crate::{
    clock::random_bytes,
    domain::{destination::Destination, plugin::PluginInfo},
    notify::{Channels, ContactCard, Content, Health, Outcome, Outgoing, Reach},
    service::{Courier, Reached, TestOutcome, TestResult},
    store::Store,
};

pub(super) struct ChannelCourier {
    pub channels: Arc<Channels>,
    pub store: Store,
    pub health: Arc<Health>,
    /// The types of the plug-ins that were installed when the server started.
    pub plugins: Vec<String>,
    /// What they say of themselves, once they were asked.
    pub described: Arc<OnceLock<BTreeMap<String, Result<PluginInfo, String>>>>,
}

impl Courier for ChannelCourier {
    fn test<'a>(&'a self, destination: &'a Destination, username: &'a str) -> BoxFuture<'a, TestOutcome> {
        Box::pin(async move {
            let contact = match ContactCard::of_destination(&self.store.directory(), destination) {
                Ok(contact) => contact,
                Err(answer) => return TestOutcome { result: TestResult::Fail, answer, transcript: Vec::new() },
            };
            let message = Outgoing {
                // Nobody takes one test for a repetition of another.
                id: format!("test-{:032x}", u128::from_be_bytes(random_bytes())),
                medium: destination.medium.clone(),
                settings: destination.settings.clone(),
                content: Content::Test { username: username.to_owned() },
                contact,
            };
            let (outcome, transcript) = self.channels.send(&message).await;
            let (result, answer) = match outcome {
                Outcome::Sent(answer) => (TestResult::Sent, answer),
                Outcome::Retry(answer) | Outcome::RetryAfter { answer, .. } => (TestResult::Retry, answer),
                Outcome::Fail(answer) => (TestResult::Fail, answer),
            };
            TestOutcome { result, answer, transcript: transcript.lines().to_vec() }
        })
    }

    fn reached(&self) -> Vec<Reached> {
        let now = self.store.clock().both();
        let records = self.health.records().into_iter();
        records
            .map(|(medium, record)| Reached {
                medium,
                last_success: record.last_success,
                last_failure: record.last_failure,
                unreachable_since: match record.reach {
                    Reach::UnreachableSince(since) => Some(now.wall_at(since)),
                    Reach::Reachable => None,
                },
            })
            .collect()
    }

    fn plugins(&self) -> &[String] {
        &self.plugins
    }

    fn plugin(&self, kind: &str) -> Option<Result<PluginInfo, String>> {
        self.described.get()?.get(kind).cloned()
    }
}

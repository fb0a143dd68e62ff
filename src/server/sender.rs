//! Sends test messages via the same channels as other messages. Also reports which media were reached, and what plug-ins
//! say about themselves.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use futures_util::future::BoxFuture;

use crate::domain::{AttemptEnd, AttemptOutcome, Destination, PluginInfo};
use crate::notify::{Channels, Health, MediumReach, Transcript};
use crate::service::{MailTest, MessageFigures, MessageSender, Reached, TestOutcome};
use crate::store::Store;

/// Converts the result of a test mail.
pub(super) fn mail_test(outcome: AttemptOutcome, transcript: &Transcript) -> MailTest {
    let is_sent = outcome.ended == AttemptEnd::Sent;
    MailTest { is_sent, answer: outcome.answer, transcript: transcript.lines().to_vec() }
}

pub(super) struct TransportSender {
    pub channels: Arc<Channels>,
    pub store: Store,
    pub health: Arc<Health>,
    /// Channel types of the plug-ins that were installed when the server started.
    pub plugins: Vec<String>,
    /// Descriptions of the plug-ins, once they have been asked for.
    pub described: Arc<OnceLock<BTreeMap<String, Result<PluginInfo, String>>>>,
}

/// Sender of a command outside the server, which sends nothing and knows the installed plug-ins.
pub(super) struct NoSender {
    pub plugins: Vec<String>,
}

impl MessageSender for NoSender {
    fn test<'a>(&'a self, _: &'a Destination, _: &'a str) -> BoxFuture<'a, TestOutcome> {
        let answer = "No server is running.".to_owned();
        let outcome = TestOutcome { ended: AttemptEnd::Failed, answer, transcript: Vec::new() };
        Box::pin(std::future::ready(outcome))
    }

    fn plugins(&self) -> &[String] {
        &self.plugins
    }
}

impl MessageSender for TransportSender {
    fn test<'a>(&'a self, destination: &'a Destination, username: &'a str) -> BoxFuture<'a, TestOutcome> {
        Box::pin(async move {
            let directory = self.store.directory();
            let (outcome, transcript) = self.channels.test(&directory, destination, username).await;
            TestOutcome { ended: outcome.ended, answer: outcome.answer, transcript: transcript.lines().to_vec() }
        })
    }

    fn test_mail<'a>(&'a self, address: &'a str) -> BoxFuture<'a, MailTest> {
        Box::pin(async move {
            let (outcome, transcript) = self.channels.test_mail(address).await;
            mail_test(outcome, &transcript)
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
                    MediumReach::UnreachableSince(since) => Some(now.wall_at(since)),
                    MediumReach::Reachable => None,
                },
            })
            .collect()
    }

    fn messages(&self) -> Vec<MessageFigures> {
        let counts = self.health.counts().into_iter();
        counts
            .map(|(medium, counts)| MessageFigures {
                medium,
                sent: counts.sent,
                retried: counts.retried,
                failed: counts.failed,
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

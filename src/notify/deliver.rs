//! Delivers one message: looks up what it needs, sends it, and stores the result.

use std::{sync::Arc, time::Duration};

use tokio::time;
use tracing::{debug, warn};
use url::Url;

use super::{
    Health, Transcript, Transport,
    health::MessageResult,
    resolve::{Resolved, Resolver},
};
use crate::domain::{
    AttemptEnd, Channel, Message, MessageId, MessageState, MessageSubject, MonotonicTime, Now, Timestamp,
};
use crate::store::{Command, Store, StoreError, WriteError};

/// Delay before storing a result is tried again, while nothing can be written.
pub(super) const WRITE_AGAIN: Duration = Duration::from_secs(1);

/// Results that a command stores, with the media of the messages.
type Results = Result<Vec<(String, MessageResult)>, StoreError>;

/// Everything that an attempt to send needs.
pub(super) struct Deliver {
    pub store: Store,
    pub transport: Arc<dyn Transport>,
    pub health: Arc<Health>,
    pub public_url: Option<Url>,
    pub generation: String,
}

impl Deliver {
    pub(super) async fn send(&self, id: MessageId) -> (AttemptEnd, String) {
        let resolved = match self.resolve(id).await {
            Ok(resolved) => resolved,
            Err(failure) => return (AttemptEnd::Retry, format!("The message could not be read: {failure}")),
        };
        let outgoing = match resolved {
            Some(Resolved::Outgoing(outgoing)) => *outgoing,
            Some(Resolved::Gone(why)) => return (AttemptEnd::Failed, why),
            None => return (AttemptEnd::Failed, "The message is gone.".to_owned()),
        };
        let outcome = self.transport.carry(&outgoing, &mut Transcript::default()).await;
        let now = self.store.clock().both();
        // A mail server that only one channel uses says nothing about the server's own.
        if !outgoing.own_channel().is_some_and(Channel::has_own_mail_server) {
            self.health.note_attempt(&outgoing.medium, &outcome, now);
        }
        debug!(message = %id, medium = outgoing.medium, "{outcome:?}");
        (outcome.ended, outcome.answer)
    }

    async fn resolve(&self, id: MessageId) -> Result<Option<Resolved>, StoreError> {
        let (generation, public_url) = (self.generation.clone(), self.public_url.clone());
        let (directory, now) = (self.store.directory(), self.store.clock().now());
        let read = move |snapshot: &crate::store::Snapshot| {
            let Some(message) = snapshot.message(id)? else { return Ok(None) };
            let (generation, public_url) = (generation.as_str(), public_url.as_ref());
            let resolver = Resolver { snapshot, directory: &directory, generation, public_url, now };
            resolver.resolve(&message).map(Some)
        };
        self.store.read(read).await
    }

    /// Stores the result of an attempt. Retries until it is stored: a full disk must not cause a message to be sent
    /// again.
    pub(super) async fn record(
        &self,
        id: MessageId,
        ended: AttemptEnd,
        again: Option<MonotonicTime>,
        answer: String,
        now: Now,
    ) {
        self.write(move |command| {
            let Some(message) = command.message(id)?.filter(Message::is_due) else { return Ok(Vec::new()) };
            let MessageState::Due { since, .. } = message.state else { return Ok(Vec::new()) };
            let state = match (again, ended) {
                (Some(at), _) => MessageState::Due { at: now.wall_at(at), since },
                (None, AttemptEnd::Sent) => MessageState::Delivered { at: now.wall },
                (None, _) => MessageState::Dead { at: now.wall },
            };
            let result = match state {
                MessageState::Due { .. } => MessageResult::Retried,
                MessageState::Delivered { .. } => MessageResult::Sent,
                MessageState::Dead { .. } | MessageState::Gathered { .. } => MessageResult::Failed,
            };
            let results = vec![(message.route.medium().to_owned(), result)];
            let attempts = message.attempts.saturating_add(1);
            command.put_message(Message {
                state,
                attempts,
                last_attempt: Some(now.wall),
                answer: answer.clone(),
                ..message
            });
            Ok(results)
        })
        .await;
    }

    /// Stores that messages have failed: their retry period is over, and the destination has accepted none since.
    pub(super) async fn give_up(&self, ids: Vec<MessageId>) {
        self.write(move |command| {
            let (now, mut results) = (command.now(), Vec::new());
            for id in &ids {
                if let Some(message) = command.message(*id)?.filter(Message::is_due) {
                    let answer = if message.answer.is_empty() {
                        "The destination took no messages for as long as this one was to be tried.".to_owned()
                    } else {
                        message.answer.clone()
                    };
                    results.push((message.route.medium().to_owned(), MessageResult::Failed));
                    command.put_message(Message { state: MessageState::Dead { at: now }, answer, ..message });
                }
            }
            Ok(results)
        })
        .await;
    }

    /// Replaces messages by a summary, in one transaction. Returns false if nothing was written.
    pub(super) async fn gather(&self, ids: Vec<MessageId>) -> bool {
        let written = self
            .store
            .write(None, move |command| {
                let mut due = Vec::with_capacity(ids.len());
                for id in ids {
                    due.extend(command.message(id)?.filter(Message::is_due));
                }
                put_summary(command, due);
                Ok::<(), StoreError>(())
            })
            .await;
        if let Err(WriteError::Refused(failure) | WriteError::Store(failure)) = &written {
            warn!("a summary could not be written: {failure}");
            time::sleep(WRITE_AGAIN).await;
        }
        written.is_ok()
    }

    /// Stores results, and counts them when they are stored.
    async fn write(&self, change: impl Fn(&mut Command<'_>) -> Results + Clone + Send + 'static) {
        loop {
            match self.store.write(None, change.clone()).await {
                Ok(results) => return self.health.count(&results),
                Err(WriteError::Store(StoreError::Closed)) => return,
                Err(WriteError::Refused(failure) | WriteError::Store(failure)) => {
                    warn!("the outcome of a message could not be stored yet: {failure}");
                    time::sleep(WRITE_AGAIN).await;
                }
            }
        }
    }
}

fn put_summary(command: &mut Command<'_>, due: Vec<Message>) {
    let Some(first) = due.first() else { return };
    let now = command.now();
    let since = due.iter().map(since).min().unwrap_or(now);
    let into = command.new_message_id();
    let summary = Message {
        id: into,
        created: now,
        about: MessageSubject::Summary(due.iter().map(|message| message.id).collect()),
        route: first.route.clone(),
        address: first.address.clone(),
        state: MessageState::Due { at: now, since },
        attempts: 0,
        last_attempt: None,
        answer: String::new(),
    };
    command.put_message(summary);
    for message in due {
        command.put_message(Message { state: MessageState::Gathered { into, at: now }, ..message });
    }
}

fn since(message: &Message) -> Timestamp {
    match message.state {
        MessageState::Due { since, .. } => since,
        _ => message.created,
    }
}

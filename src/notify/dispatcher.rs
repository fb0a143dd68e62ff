//! The loop that sends: takes what is due from the queue, hands it to the channels, and writes down what came of it.
//!
//! What is in flight is known in memory only. After a crash everything that was not written down is due again, under the
//! same id: at least once.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time,
};
use tracing::{debug, error, info, warn};
use url::Url;

use super::{
    Channels, Health, Outcome, Outgoing,
    queue::{Ended, Fate, LaneId, Queue, QueueSettings, Work},
    resolve::{Resolved, Resolver},
};
use crate::{
    clock::random_bytes,
    domain::{
        change::Committed,
        channel::Channel,
        ids::{MessageId, Seq},
        message::{About, Message, State},
        time::{Moment, Now, Timestamp},
    },
    store::{Command, Follower, Store, StoreError, WriteError},
};

/// What is due is looked at so often even if nothing seems to be: timers are late on a machine that slept.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between attempts to write down an outcome while nothing can be written.
const WRITE_AGAIN: Duration = Duration::from_secs(1);
/// What is in flight when the server stops may take so long to end.
const DRAIN: Duration = Duration::from_secs(5);

/// What takes messages away: the channels.
pub trait Carrier: Send + Sync {
    fn carry<'a>(&'a self, message: &'a Outgoing) -> BoxFuture<'a, Outcome>;
}

impl Carrier for Channels {
    fn carry<'a>(&'a self, message: &'a Outgoing) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { self.send(message).await.0 })
    }
}

/// What the operator chose.
#[derive(Clone, Debug)]
pub struct DispatchSettings {
    pub queue: QueueSettings,
    /// Where links in messages lead.
    pub public_url: Option<Url>,
}

/// Messages that were made or changed since the loop last looked.
#[derive(Default)]
struct Inbox {
    messages: Mutex<News>,
    arrived: Notify,
}

#[derive(Default)]
struct News {
    messages: Vec<Arc<Message>>,
    /// All that is due has to be read anew.
    reset: bool,
}

pub struct Dispatcher {
    tools: Arc<Tools>,
    inbox: Arc<Inbox>,
    queue: Queue,
    tasks: JoinSet<Done>,
}

/// What each attempt works with.
struct Tools {
    store: Store,
    carrier: Arc<dyn Carrier>,
    health: Arc<Health>,
    settings: DispatchSettings,
    generation: String,
}

/// How a task ended.
enum Done {
    Attempt {
        lane: LaneId,
        message: MessageId,
        ended: Ended,
        answer: String,
    },
    /// The outcome is written down.
    Settled {
        lane: LaneId,
        message: MessageId,
        ended: Ended,
        fate: Fate,
    },
    GaveUp {
        lane: LaneId,
        messages: Vec<MessageId>,
    },
    Gathered {
        lane: LaneId,
        messages: Vec<MessageId>,
        done: bool,
    },
}

impl Follower for Inbox {
    fn committed(&self, _: &[Committed], _: Seq, _: Timestamp) {}

    fn messages(&self, messages: &[Arc<Message>]) {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).messages.extend(messages.iter().cloned());
        self.arrived.notify_one();
    }

    fn reset(&self) {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).reset = true;
        self.arrived.notify_one();
    }
}

impl Dispatcher {
    /// Follows the store from here on; what is due already is read when the loop begins.
    #[must_use]
    pub fn new(store: Store, carrier: Arc<dyn Carrier>, health: Arc<Health>, settings: DispatchSettings) -> Self {
        let inbox = Arc::new(Inbox::default());
        store.follow(Arc::clone(&inbox) as _);
        inbox.reset();
        let queue = Queue::new(settings.queue);
        let generation = store.generation().simple().to_string();
        let tools = Arc::new(Tools { store, carrier, health, settings, generation });
        Self { tools, inbox, queue, tasks: JoinSet::new() }
    }

    /// Works until `stopping` turns true; then waits a moment for what is in flight.
    pub async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        loop {
            self.read_news().await;
            self.start_work();
            let pause = self.pause();
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stop| *stop) => break,
                Some(done) = self.tasks.join_next() => self.done(done.ok()),
                () = self.inbox.arrived.notified() => {}
                () = time::sleep(pause) => {}
            }
        }
        let drained = time::timeout(DRAIN, self.drain()).await;
        if drained.is_err() {
            info!("messages in flight are left for the next start");
        }
    }

    /// Does all that can be done at this moment of the clock, and says when there may be more to do; for whoever moves
    /// the clock by hand.
    pub async fn work_off(&mut self) -> Option<Timestamp> {
        loop {
            self.read_news().await;
            self.start_work();
            match self.tasks.join_next().await {
                Some(done) => self.done(done.ok()),
                None => return self.queue.next_time().map(|next| self.now().wall_at(next)),
            }
        }
    }

    /// Until what comes next is due.
    fn pause(&self) -> Duration {
        let Some(next) = self.queue.next_time() else { return LOOK_EVERY };
        Duration::from_micros(next.micros_since(self.moment()).unsigned_abs()).min(LOOK_EVERY)
    }

    async fn drain(&mut self) {
        while let Some(done) = self.tasks.join_next().await {
            self.done(done.ok());
        }
    }

    async fn read_news(&mut self) {
        let news = std::mem::take(&mut *self.inbox.messages.lock().unwrap_or_else(PoisonError::into_inner));
        let now = self.now();
        for message in news.messages {
            self.queue.note(&message, now);
        }
        if !news.reset {
            return;
        }
        let due = self
            .tools
            .store
            .read(|snapshot| {
                let mut due = Vec::new();
                snapshot.for_each_due_message(&mut |message| due.push(message))?;
                Ok::<_, StoreError>(due)
            })
            .await;
        match due {
            Ok(due) => {
                let now = self.now();
                for message in &due {
                    self.queue.note(message, now);
                }
            }
            Err(trouble) => {
                warn!("what is due could not be read, and is read again: {trouble}");
                time::sleep(WRITE_AGAIN).await;
                self.inbox.reset();
            }
        }
    }

    fn start_work(&mut self) {
        for work in self.queue.take(self.moment()) {
            let tools = Arc::clone(&self.tools);
            match work {
                Work::Send(lane, message) => {
                    self.tasks.spawn(async move {
                        let (ended, answer) = tools.send(message).await;
                        Done::Attempt { lane, message, ended, answer }
                    });
                }
                Work::Gather(lane, messages) => {
                    self.tasks.spawn(async move {
                        let done = tools.gather(messages.clone()).await;
                        Done::Gathered { lane, messages, done }
                    });
                }
            }
        }
    }

    fn done(&mut self, done: Option<Done>) {
        let now = self.now();
        match done {
            Some(Done::Attempt { lane, message, ended, answer }) => {
                let fate = self.queue.fate((lane, message), ended, now.moment, chance());
                let tools = Arc::clone(&self.tools);
                self.tasks.spawn(async move {
                    tools.record(message, fate, answer, now).await;
                    Done::Settled { lane, message, ended, fate }
                });
            }
            Some(Done::Settled { lane, message, ended, fate }) => {
                let expired = self.queue.settle((lane, message), ended, fate, now.moment, chance());
                if !expired.is_empty() {
                    let tools = Arc::clone(&self.tools);
                    self.tasks.spawn(async move {
                        tools.give_up(expired.clone()).await;
                        Done::GaveUp { lane, messages: expired }
                    });
                }
            }
            Some(Done::GaveUp { lane, messages }) => self.queue.gave_up(lane, &messages),
            Some(Done::Gathered { lane, messages, done }) => self.queue.gathered(lane, &messages, done),
            None => error!("an attempt to send ended by an internal error; its message is sent after the next start"),
        }
    }

    fn now(&self) -> Now {
        self.tools.store.clock().both()
    }

    fn moment(&self) -> Moment {
        self.tools.store.clock().moment()
    }
}

/// Between 0 and 1.
fn chance() -> f64 {
    f64::from(u16::from_le_bytes(random_bytes())) / f64::from(u16::MAX)
}

impl Tools {
    async fn send(&self, id: MessageId) -> (Ended, String) {
        let resolved = match self.resolve(id).await {
            Ok(resolved) => resolved,
            Err(trouble) => return (Ended::Retry, format!("The message could not be read: {trouble}")),
        };
        let outgoing = match resolved {
            Some(Resolved::Outgoing(outgoing)) => *outgoing,
            Some(Resolved::Gone(why)) => return (Ended::Failed, why),
            None => return (Ended::Failed, "The message is gone.".to_owned()),
        };
        let outcome = self.carrier.carry(&outgoing).await;
        let now = self.store.clock().both();
        // A mail server that only one channel uses says nothing about ours.
        if !outgoing.own_channel().is_some_and(Channel::has_own_mail_server) {
            self.health.note(&outgoing.medium, was_reached(&outcome), now);
        }
        debug!(message = %id, medium = outgoing.medium, "{outcome:?}");
        match outcome {
            Outcome::Sent(answer) => (Ended::Sent, answer),
            Outcome::Retry(answer) => (Ended::Retry, answer),
            Outcome::RetryAfter { answer, micros } => (Ended::RetryAfter(micros), answer),
            Outcome::Fail(answer) => (Ended::Failed, answer),
        }
    }

    async fn resolve(&self, id: MessageId) -> Result<Option<Resolved>, StoreError> {
        let (generation, public_url) = (self.generation.clone(), self.settings.public_url.clone());
        let (directory, now) = (self.store.directory(), self.store.clock().now());
        let read = move |snapshot: &crate::store::Snapshot| {
            let Some(message) = snapshot.message(id)? else { return Ok(None) };
            let (generation, public_url) = (generation.as_str(), public_url.as_ref());
            let resolver = Resolver { snapshot, directory: &directory, generation, public_url, now };
            resolver.resolve(&message).map(Some)
        };
        self.store.read(read).await
    }

    /// Writes down what came of an attempt, however long that takes: it must not be made again because of a full disk.
    async fn record(&self, id: MessageId, fate: Fate, answer: String, now: Now) {
        self.write(move |command| {
            let Some(message) = command.message(id)?.filter(Message::is_due) else { return Ok(()) };
            let State::Due { since, .. } = message.state else { return Ok(()) };
            let state = match fate {
                Fate::Delivered => State::Delivered { at: now.wall },
                Fate::Dead => State::Dead { at: now.wall },
                Fate::Again(at) => State::Due { at: now.wall_at(at), since },
            };
            let attempts = message.attempts.saturating_add(1);
            command.put_message(Message {
                state,
                attempts,
                last_attempt: Some(now.wall),
                answer: answer.clone(),
                ..message
            });
            Ok(())
        })
        .await;
    }

    /// Their time is up, and the destination has not taken anything since.
    async fn give_up(&self, ids: Vec<MessageId>) {
        self.write(move |command| {
            let now = command.now();
            for id in &ids {
                if let Some(message) = command.message(*id)?.filter(Message::is_due) {
                    let answer = if message.answer.is_empty() {
                        "The destination took no messages for as long as this one was to be tried.".to_owned()
                    } else {
                        message.answer.clone()
                    };
                    command.put_message(Message { state: State::Dead { at: now }, answer, ..message });
                }
            }
            Ok(())
        })
        .await;
    }

    /// Puts a summary in the place of messages, in one transaction. False if nothing was written.
    async fn gather(&self, ids: Vec<MessageId>) -> bool {
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
        if let Err(WriteError::Refused(trouble) | WriteError::Store(trouble)) = &written {
            warn!("a summary could not be written: {trouble}");
            time::sleep(WRITE_AGAIN).await;
        }
        written.is_ok()
    }

    async fn write(&self, change: impl Fn(&mut Command<'_>) -> Result<(), StoreError> + Clone + Send + 'static) {
        loop {
            match self.store.write(None, change.clone()).await {
                Ok(()) | Err(WriteError::Store(StoreError::Closed)) => return,
                Err(WriteError::Refused(trouble) | WriteError::Store(trouble)) => {
                    warn!("what came of a message could not be written down yet: {trouble}");
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
        about: About::Summary(due.iter().map(|message| message.id).collect()),
        route: first.route.clone(),
        address: first.address.clone(),
        state: State::Due { at: now, since },
        attempts: 0,
        last_attempt: None,
        answer: String::new(),
    };
    command.put_message(summary);
    for message in due {
        command.put_message(Message { state: State::Gathered { into, at: now }, ..message });
    }
}

fn since(message: &Message) -> Timestamp {
    match message.state {
        State::Due { since, .. } => since,
        _ => message.created,
    }
}

/// A server that refuses the recipient or the content for now takes mail from us otherwise.
fn was_reached(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Sent(_) | Outcome::Fail(_) => true,
        Outcome::Retry(answer) | Outcome::RetryAfter { answer, .. } => {
            answer.starts_with("RCPT TO: 4") || answer.starts_with("DATA: 4")
        }
    }
}

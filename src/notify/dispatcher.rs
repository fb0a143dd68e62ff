//! The loop that takes due messages from the queue, sends them, and stores the results.
//!
//! Which messages are in flight is known in memory only. After a crash all messages without a stored result are due
//! again, with the same ids: delivery is at least once.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time,
};
use tracing::{error, info, warn};
use url::Url;

use super::{
    Health, Transport,
    deliver::{Deliver, WRITE_AGAIN},
    queue::{DestinationQueueId, Queue, QueueSettings, Work},
};
use crate::clock::random_bytes;
use crate::domain::{AttemptEnd, Committed, Message, MessageId, MonotonicTime, Now, Seq, Timestamp};
use crate::store::{Follower, Store, StoreError};

/// Interval at which due messages are looked for even if none seems to be due: timers are late after a suspend.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time limit for messages in flight when the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Settings of the dispatcher.
#[derive(Clone, Debug)]
pub struct DispatchSettings {
    pub queue: QueueSettings,
    /// Base URL of links in messages.
    pub public_url: Option<Url>,
}

/// Messages that were created or changed since the loop last looked.
#[derive(Default)]
struct Inbox {
    messages: Mutex<InboxNews>,
    arrived: Notify,
}

#[derive(Default)]
struct InboxNews {
    messages: Vec<Arc<Message>>,
    /// Whether all due messages have to be read again.
    reset: bool,
}

pub struct Dispatcher {
    deliver: Arc<Deliver>,
    inbox: Arc<Inbox>,
    queue: Queue,
    tasks: JoinSet<FinishedTask>,
}

/// Result of a task.
enum FinishedTask {
    Attempt {
        queue: DestinationQueueId,
        message: MessageId,
        ended: AttemptEnd,
        answer: String,
    },
    /// The result of an attempt is stored.
    Settled {
        queue: DestinationQueueId,
        message: MessageId,
        ended: AttemptEnd,
        again: Option<MonotonicTime>,
    },
    GaveUp {
        queue: DestinationQueueId,
        messages: Vec<MessageId>,
    },
    Gathered {
        queue: DestinationQueueId,
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
    /// Creates a dispatcher that follows the store from now on. Messages that are due already are read when the loop
    /// begins.
    #[must_use]
    pub fn new(store: Store, transport: Arc<dyn Transport>, health: Arc<Health>, settings: DispatchSettings) -> Self {
        let inbox = Arc::new(Inbox::default());
        store.follow(Arc::clone(&inbox) as _);
        inbox.reset();
        let queue = Queue::new(settings.queue);
        let generation = store.generation().simple().to_string();
        let public_url = settings.public_url;
        let deliver = Arc::new(Deliver { store, transport, health, public_url, generation });
        Self { deliver, inbox, queue, tasks: JoinSet::new() }
    }

    /// Runs until `stopping` becomes true. Then waits up to `DRAIN` for messages in flight.
    pub async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        loop {
            self.deliver.health.note_round(self.moment());
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

    /// Does everything that is due at the current time, and returns the time at which there may be more. For callers
    /// that set the clock themselves.
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

    /// Returns the time until the next work is due, at most [`LOOK_EVERY`].
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
            .deliver
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
            Err(failure) => {
                warn!("what is due could not be read, and is read again: {failure}");
                time::sleep(WRITE_AGAIN).await;
                self.inbox.reset();
            }
        }
    }

    fn start_work(&mut self) {
        for work in self.queue.take(self.moment()) {
            let deliver = Arc::clone(&self.deliver);
            match work {
                Work::Send(queue, message) => {
                    self.tasks.spawn(async move {
                        let (ended, answer) = deliver.send(message).await;
                        FinishedTask::Attempt { queue, message, ended, answer }
                    });
                }
                Work::Gather(queue, messages) => {
                    self.tasks.spawn(async move {
                        let done = deliver.gather(messages.clone()).await;
                        FinishedTask::Gathered { queue, messages, done }
                    });
                }
            }
        }
    }

    fn done(&mut self, done: Option<FinishedTask>) {
        let now = self.now();
        match done {
            Some(FinishedTask::Attempt { queue, message, ended, answer }) => {
                let again = self.queue.next_attempt((queue, message), ended, now.moment, chance());
                let deliver = Arc::clone(&self.deliver);
                self.tasks.spawn(async move {
                    deliver.record(message, ended, again, answer, now).await;
                    FinishedTask::Settled { queue, message, ended, again }
                });
            }
            Some(FinishedTask::Settled { queue, message, ended, again }) => {
                let expired = self.queue.settle((queue, message), ended, again, now.moment, chance());
                if !expired.is_empty() {
                    let deliver = Arc::clone(&self.deliver);
                    self.tasks.spawn(async move {
                        deliver.give_up(expired.clone()).await;
                        FinishedTask::GaveUp { queue, messages: expired }
                    });
                }
            }
            Some(FinishedTask::GaveUp { queue, messages }) => self.queue.gave_up(queue, &messages),
            Some(FinishedTask::Gathered { queue, messages, done }) => self.queue.gathered(queue, &messages, done),
            None => error!("an attempt to send ended by an internal error; its message is sent after the next start"),
        }
    }

    fn now(&self) -> Now {
        self.deliver.store.clock().both()
    }

    fn moment(&self) -> MonotonicTime {
        self.deliver.store.clock().moment()
    }
}

/// Returns a random number from 0 to 1.
fn chance() -> f64 {
    f64::from(u16::from_le_bytes(random_bytes())) / f64::from(u16::MAX)
}

//! The delivery of messages: of those about an incident, and, for staff, of all.

use std::ops::ControlFlow;

use crate::domain::{
    Delivery, Event, EventType, IncidentId, Message, MessageId, MessageState, MessageSubject, SizeBudget, Timestamp,
    UserId,
    limits::{LIST_CHUNK_BYTES, PAGE_BYTES, PAGE_SIZE_MAX, RETRY_LONGEST_WAIT_MICROS},
    message::{MessageOutcome, Route, full_answer, public_answer},
};
use crate::service::{Caller, Model, Notifications, Refusal, ServiceError, policy::Action};
use crate::store::{Snapshot, Store, StoreError};

pub use crate::store::Messages;

/// Number of failed messages that are queued again in one command.
const RETRIED_AT_ONCE: usize = 200;

/// A message with the type of its event and its summary.
#[derive(Clone, Debug)]
pub struct Notification {
    pub message: Message,
    /// Type of the event. `None` for summaries, and if the incident has been deleted.
    pub kind: Option<EventType>,
    /// The summary that replaces this message and whose state counts. Its list of messages is left out.
    pub summary: Option<Message>,
}

impl Notification {
    /// Returns the message whose state counts: the summary that replaces it, or itself.
    #[must_use]
    pub fn counts(&self) -> &Message {
        self.summary.as_ref().unwrap_or(&self.message)
    }

    #[must_use]
    pub fn delivery(&self) -> Delivery {
        self.counts().state.delivery()
    }

    /// Returns the delivery as the caller, who may see the message, may read it.
    #[must_use]
    pub fn outcome(&self, caller: &Caller) -> MessageOutcome<'_> {
        let counts = self.counts();
        MessageOutcome { delivery: self.delivery(), attempts: counts.attempts, answer: caller.answer(&counts.answer) }
    }
}

impl Caller {
    /// Returns whether the caller may see addresses of contacts. Contacts have no account of their own.
    #[must_use]
    pub fn may_see_addresses_of_contacts(&self) -> bool {
        self.may(Action::SeeOthersNotifications)
    }

    /// Returns the provider's answer to a message that the caller may see. Of an answer from a private address only the
    /// status is returned, unless the caller may see the notifications of others.
    #[must_use]
    pub fn answer<'a>(&self, answer: &'a str) -> &'a str {
        let is_full = self.may(Action::SeeOthersNotifications);
        if is_full { full_answer(answer) } else { public_answer(answer) }
    }

    /// Returns whether the caller may see the addresses of a user. They are personal, as are the provider's answers
    /// about them.
    #[must_use]
    pub fn may_see_addresses_of(&self, user: UserId) -> bool {
        self.id() == user || self.may(Action::SeeOthersNotifications)
    }
}

impl Notifications {
    /// Lists the messages about an incident, oldest first, in chunks from many short snapshots. This call and reading
    /// each chunk block.
    pub fn notification_list(&self, incident: IncidentId) -> Result<NotificationList, ServiceError> {
        if self.store().snapshot()?.incident(incident)?.is_none() {
            return Err(ServiceError::NotFound(Model::Incident));
        }
        Ok(NotificationList { store: self.store().clone(), incident, after: None, is_done: false })
    }

    /// Returns the messages with an id below `before`, newest first, and the id from which the next page continues.
    /// There are fewer than `size` if they would take more than [`PAGE_BYTES`].
    pub async fn deliveries(
        &self,
        caller: &Caller,
        which: Messages,
        before: Option<MessageId>,
        size: usize,
    ) -> Result<(Vec<Notification>, Option<MessageId>), ServiceError> {
        caller.require(Action::ManageDeliveries)?;
        let (size, now) = (size.clamp(1, PAGE_SIZE_MAX), self.now());
        self.store()
            .read(move |snapshot| {
                let (mut rows, mut room, mut more) = (Vec::new(), SizeBudget::new(PAGE_BYTES), false);
                snapshot.for_each_message_back(which, before, &mut |message| {
                    let row = with_event(snapshot, message, now)?;
                    if rows.len() >= size || !room.takes(&row.message) {
                        more = true;
                        return Ok(ControlFlow::Break(()));
                    }
                    rows.push(row);
                    Ok(ControlFlow::Continue(()))
                })?;
                let next = rows.last().filter(|_| more).map(|row: &Notification| row.message.id);
                Ok((rows, next))
            })
            .await
    }

    /// Queues a failed message again, with the full period for attempts.
    pub async fn retry_delivery(&self, caller: &Caller, id: MessageId) -> Result<Notification, ServiceError> {
        caller.require(Action::ManageDeliveries)?;
        let message = self
            .write(Some(caller.id()), move |command| {
                let mut message = command.message(id)?.ok_or(ServiceError::NotFound(Model::Delivery))?;
                if !message.is_dead() {
                    return Err(Refusal::NotGivenUp(message.state).into());
                }
                let now = command.now();
                message.state = MessageState::Due { at: now, since: now };
                command.put_message(message.clone());
                Ok::<_, ServiceError>(message)
            })
            .await?;
        tracing::info!(message = id.0, user = %caller.user.username, "a failed message is sent again");
        let now = self.now();
        let mut rows = self.store().read(move |snapshot| with_events(snapshot, vec![message], now)).await?;
        rows.pop().ok_or(ServiceError::NotFound(Model::Delivery))
    }

    /// Queues all failed messages again. Returns their number.
    pub async fn retry_all_deliveries(&self, caller: &Caller) -> Result<usize, ServiceError> {
        caller.require(Action::ManageDeliveries)?;
        let (mut count, mut before) = (0_usize, None);
        loop {
            let read = move |snapshot: &Snapshot| snapshot.messages_page(Messages::Dead, before, RETRIED_AT_ONCE);
            let dead: Vec<MessageId> = self.store().read(read).await?.into_iter().map(|message| message.id).collect();
            let Some(last) = dead.last() else { break };
            before = Some(*last);
            count += self
                .write(Some(caller.id()), move |command| {
                    let (now, mut revived) = (command.now(), 0);
                    for id in dead {
                        if let Some(mut message) = command.message(id)?.filter(Message::is_dead) {
                            message.state = MessageState::Due { at: now, since: now };
                            command.put_message(message);
                            revived += 1;
                        }
                    }
                    Ok::<usize, ServiceError>(revived)
                })
                .await?;
        }
        tracing::info!(messages = count, user = %caller.user.username, "failed messages are sent again");
        Ok(count)
    }
}

/// Messages about one incident; see [`Notifications::notification_list`].
pub struct NotificationList {
    store: Store,
    incident: IncidentId,
    after: Option<MessageId>,
    is_done: bool,
}

impl NotificationList {
    /// Reads the next chunk. `None` at the end.
    pub fn next_chunk(&mut self) -> Result<Option<Vec<Notification>>, ServiceError> {
        if self.is_done {
            return Ok(None);
        }
        let (snapshot, mut room, mut rows) = (self.store.snapshot()?, SizeBudget::new(LIST_CHUNK_BYTES), Vec::new());
        let now = self.store.clock().now();
        let mut is_done = true;
        snapshot.for_each_message_of(self.incident, self.after, &mut |message| {
            if !room.takes(&message) {
                is_done = false;
                return Ok(ControlFlow::Break(()));
            }
            rows.push(with_event(&snapshot, message, now)?);
            Ok(ControlFlow::Continue(()))
        })?;
        self.is_done = is_done;
        self.after = rows.last().map(|row| row.message.id);
        Ok(Some(rows))
    }
}

/// Adds events and summaries to messages. After the clock was set back, a message is due earlier than its stored time
/// says; `now` limits that time.
pub(in crate::service) fn with_events(
    snapshot: &Snapshot,
    messages: Vec<Message>,
    now: Timestamp,
) -> Result<Vec<Notification>, ServiceError> {
    Ok(messages.into_iter().map(|message| with_event(snapshot, message, now)).collect::<Result<_, _>>()?)
}

/// Returns the messages about one event whose route is accepted by `is_wanted`, by id.
pub(in crate::service) fn messages_about(
    snapshot: &Snapshot,
    event: &Event,
    now: Timestamp,
    is_wanted: impl Fn(&Route) -> bool,
) -> Result<Vec<Notification>, ServiceError> {
    let about = MessageSubject::Event { incident: event.incident, event: event.id };
    let mut found = Vec::new();
    snapshot.for_each_message_of(event.incident, None, &mut |message| {
        if message.about == about && is_wanted(&message.route) {
            found.push(with_event(snapshot, message, now)?);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

fn with_event(snapshot: &Snapshot, message: Message, now: Timestamp) -> Result<Notification, StoreError> {
    let kind = match message.about {
        MessageSubject::Event { incident, event } => snapshot.event(incident, event)?.map(|event| event.kind),
        MessageSubject::Summary(_) => None,
    };
    let summary = match message.state {
        // The list of messages that the summary replaces is not needed and may be long.
        MessageState::Gathered { into, .. } => {
            let summary = snapshot.message(into)?;
            summary.map(|summary| {
                due_within_a_retry(Message { about: MessageSubject::Summary(Vec::new()), ..summary }, now)
            })
        }
        _ => None,
    };
    Ok(Notification { message: due_within_a_retry(message, now), kind, summary })
}

fn due_within_a_retry(mut message: Message, now: Timestamp) -> Message {
    if let MessageState::Due { at, .. } = &mut message.state {
        *at = (*at).min(now.saturating_add_micros(RETRY_LONGEST_WAIT_MICROS));
    }
    message
}

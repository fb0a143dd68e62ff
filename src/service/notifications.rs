//! What became of messages: those about an incident, and for staff all of them.

use super::{
    Caller, Model, Refusal, Service, ServiceError,
    policy::{Action, allowed},
};
use crate::{
    domain::{
        event::EventType,
        ids::{IncidentId, MessageId, UserId},
        limits::{PAGE_SIZE_MAX, RETRY_LONGEST_WAIT_MICROS},
        message::{About, Message, State, full_answer, public_answer},
        time::Timestamp,
    },
    store::Snapshot,
};

pub use crate::store::Messages;

/// In one command.
const RETRIED_AT_ONCE: usize = 200;

/// A message with what it is about.
#[derive(Clone, Debug)]
pub struct Notification {
    pub message: Message,
    /// Of its event; `None` for summaries, and where the incident was deleted since.
    pub kind: Option<EventType>,
    /// The summary that it is part of, whose state counts.
    pub summary: Option<Message>,
}

impl Caller {
    /// The same for contacts, who are nobody's account.
    #[must_use]
    pub fn may_see_addresses_of_contacts(&self) -> bool {
        allowed(self.kind(), Action::SeeOthersNotifications)
    }

    /// What a provider said about a message that the caller may see; from a private address only its status, unless the
    /// caller may see what providers say to others.
    #[must_use]
    pub fn answer<'a>(&self, answer: &'a str) -> &'a str {
        let is_full = allowed(self.kind(), Action::SeeOthersNotifications);
        if is_full { full_answer(answer) } else { public_answer(answer) }
    }

    /// Addresses are personal, and so is what a provider says about them.
    #[must_use]
    pub fn may_see_addresses_of(&self, user: UserId) -> bool {
        self.id() == user || allowed(self.kind(), Action::SeeOthersNotifications)
    }
}

impl Service {
    /// Oldest first.
    pub async fn notifications(&self, incident: IncidentId) -> Result<Vec<Notification>, ServiceError> {
        let now = self.now();
        self.store()
            .read(move |snapshot| {
                if snapshot.incident(incident)?.is_none() {
                    return Err(ServiceError::NotFound(Model::Incident));
                }
                with_events(snapshot, snapshot.messages_of(incident)?, now)
            })
            .await
    }

    /// Newest first, those with a key below `before`; and where the next page starts.
    pub async fn deliveries(
        &self,
        caller: &Caller,
        which: Messages,
        before: Option<MessageId>,
        size: usize,
    ) -> Result<(Vec<Notification>, Option<MessageId>), ServiceError> {
        may_manage(caller)?;
        let (size, now) = (size.clamp(1, PAGE_SIZE_MAX), self.now());
        self.store()
            .read(move |snapshot| {
                let mut messages = snapshot.messages_page(which, before, size + 1)?;
                let more = messages.len() > size;
                messages.truncate(size);
                let next = messages.last().filter(|_| more).map(|message| message.id);
                Ok((with_events(snapshot, messages, now)?, next))
            })
            .await
    }

    /// A message that was given up is due now, with the whole time ahead in which it is tried.
    pub async fn retry_delivery(&self, caller: &Caller, id: MessageId) -> Result<Notification, ServiceError> {
        may_manage(caller)?;
        let message = self
            .store()
            .write(Some(caller.id()), move |command| {
                let mut message = command.message(id)?.ok_or(ServiceError::NotFound(Model::Delivery))?;
                if !message.is_dead() {
                    return Err(Refusal::NotGivenUp(message.state).into());
                }
                let now = command.now();
                message.state = State::Due { at: now, since: now };
                command.put_message(message.clone());
                Ok::<_, ServiceError>(message)
            })
            .await?;
        tracing::info!(message = id.0, user = %caller.user.username, "a message that was given up is sent again");
        let now = self.now();
        let mut rows = self.store().read(move |snapshot| with_events(snapshot, vec![message], now)).await?;
        rows.pop().ok_or(ServiceError::NotFound(Model::Delivery))
    }

    /// All messages that were given up are due now; how many there were.
    pub async fn retry_all_deliveries(&self, caller: &Caller) -> Result<usize, ServiceError> {
        may_manage(caller)?;
        let (mut count, mut before) = (0_usize, None);
        loop {
            let read = move |snapshot: &Snapshot| snapshot.messages_page(Messages::Dead, before, RETRIED_AT_ONCE);
            let dead: Vec<MessageId> = self.store().read(read).await?.into_iter().map(|message| message.id).collect();
            let Some(last) = dead.last() else { break };
            before = Some(*last);
            count += self
                .store()
                .write(Some(caller.id()), move |command| {
                    let (now, mut revived) = (command.now(), 0);
                    for id in dead {
                        if let Some(mut message) = command.message(id)?.filter(Message::is_dead) {
                            message.state = State::Due { at: now, since: now };
                            command.put_message(message);
                            revived += 1;
                        }
                    }
                    Ok::<usize, ServiceError>(revived)
                })
                .await?;
        }
        tracing::info!(messages = count, user = %caller.user.username, "messages that were given up are sent again");
        Ok(count)
    }
}

fn may_manage(caller: &Caller) -> Result<(), ServiceError> {
    if allowed(caller.kind(), Action::ManageDeliveries) { Ok(()) } else { Err(ServiceError::Forbidden) }
}

/// `now`: where the clock was set back since, the next attempt comes sooner than its stored time says.
pub(super) fn with_events(
    snapshot: &Snapshot,
    messages: Vec<Message>,
    now: Timestamp,
) -> Result<Vec<Notification>, ServiceError> {
    let mut rows = Vec::with_capacity(messages.len());
    for message in messages {
        let kind = match message.about {
            About::Event { incident, event } => snapshot.event(incident, event)?.map(|event| event.kind),
            About::Summary(_) => None,
        };
        let summary = match message.state {
            State::Gathered { into, .. } => snapshot.message(into)?.map(|summary| due_within_a_retry(summary, now)),
            _ => None,
        };
        rows.push(Notification { message: due_within_a_retry(message, now), kind, summary });
    }
    Ok(rows)
}

fn due_within_a_retry(mut message: Message, now: Timestamp) -> Message {
    if let State::Due { at, .. } = &mut message.state {
        *at = (*at).min(now.saturating_add_micros(RETRY_LONGEST_WAIT_MICROS));
    }
    message
}

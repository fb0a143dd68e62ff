//! What became of messages: those about an incident, and for staff all of them.

use std::ops::ControlFlow;

use super::{
    Caller, Model, Refusal, Service, ServiceError,
    policy::{Action, allowed},
};
use crate::{
    domain::{
        event::EventType,
        ids::{IncidentId, MessageId, UserId},
        limits::{LIST_CHUNK_BYTES, PAGE_BYTES, PAGE_SIZE_MAX},
        message::{About, Message, State},
        size::Room,
    },
    store::{Snapshot, Store, StoreError},
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
    /// The summary that it is part of, whose state counts; without what else it stands for.
    pub summary: Option<Message>,
}

impl Caller {
    /// The same for contacts, who are nobody's account.
    #[must_use]
    pub fn may_see_addresses_of_contacts(&self) -> bool {
        allowed(self.kind(), Action::SeeOthersNotifications)
    }

    /// Addresses are personal, and so is what a provider says about them.
    #[must_use]
    pub fn may_see_addresses_of(&self, user: UserId) -> bool {
        self.id() == user || allowed(self.kind(), Action::SeeOthersNotifications)
    }
}

impl Service {
    /// Oldest first, in chunks from many short snapshots. Blocking, and so are the chunks.
    pub fn notification_list(&self, incident: IncidentId) -> Result<NotificationList, ServiceError> {
        if self.store().snapshot()?.incident(incident)?.is_none() {
            return Err(ServiceError::NotFound(Model::Incident));
        }
        Ok(NotificationList { store: self.store().clone(), incident, after: None, is_done: false })
    }

    /// Newest first, those with a key below `before`; and where the next page starts. Fewer than asked for if they would
    /// take more than [`PAGE_BYTES`].
    pub async fn deliveries(
        &self,
        caller: &Caller,
        which: Messages,
        before: Option<MessageId>,
        size: usize,
    ) -> Result<(Vec<Notification>, Option<MessageId>), ServiceError> {
        may_manage(caller)?;
        let size = size.clamp(1, PAGE_SIZE_MAX);
        self.store()
            .read(move |snapshot| {
                let (mut rows, mut room, mut more) = (Vec::new(), Room::new(PAGE_BYTES), false);
                snapshot.for_each_message_back(which, before, &mut |message| {
                    let row = with_event(snapshot, message)?;
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
        let mut rows = self.store().read(move |snapshot| with_events(snapshot, vec![message])).await?;
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

/// See [`Service::notification_list`].
pub struct NotificationList {
    store: Store,
    incident: IncidentId,
    after: Option<MessageId>,
    is_done: bool,
}

impl NotificationList {
    /// `None` at the end.
    pub fn next_chunk(&mut self) -> Result<Option<Vec<Notification>>, ServiceError> {
        if self.is_done {
            return Ok(None);
        }
        let (snapshot, mut room, mut rows) = (self.store.snapshot()?, Room::new(LIST_CHUNK_BYTES), Vec::new());
        let mut is_done = true;
        snapshot.for_each_message_of(self.incident, self.after, &mut |message| {
            if !room.takes(&message) {
                is_done = false;
                return Ok(ControlFlow::Break(()));
            }
            rows.push(with_event(&snapshot, message)?);
            Ok(ControlFlow::Continue(()))
        })?;
        self.is_done = is_done;
        self.after = rows.last().map(|row| row.message.id);
        Ok(Some(rows))
    }
}

pub(super) fn with_events(snapshot: &Snapshot, messages: Vec<Message>) -> Result<Vec<Notification>, ServiceError> {
    Ok(messages.into_iter().map(|message| with_event(snapshot, message)).collect::<Result<_, _>>()?)
}

fn with_event(snapshot: &Snapshot, message: Message) -> Result<Notification, StoreError> {
    let kind = match message.about {
        About::Event { incident, event } => snapshot.event(incident, event)?.map(|event| event.kind),
        About::Summary(_) => None,
    };
    let summary = match message.state {
        // What else the summary stands for is of no interest, and may be long.
        State::Gathered { into, .. } => {
            snapshot.message(into)?.map(|summary| Message { about: About::Summary(Vec::new()), ..summary })
        }
        _ => None,
    };
    Ok(Notification { message, kind, summary })
}

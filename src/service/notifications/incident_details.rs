//! Everything about one incident, read from one snapshot, for its page.

use std::{cmp::Reverse, collections::VecDeque, ops::ControlFlow, sync::Arc};

use crate::domain::{
    Acknowledgement, Contact, Directory, Event, EventId, EventType, FilterSubject, Incident, IncidentId, Maintenance,
    SizeBudget, Timestamp,
    event_filter::FilterResults,
    limits::{INCIDENT_PAGE_MESSAGES, LIST_CHUNK_BYTES, TIMELINE_BYTES, TIMELINE_CHOICES},
    message::Route,
};
use crate::service::{
    Caller, Model, Notification, Notifications, ServiceError, Turn, notifications::deliveries::with_events,
    policy::Action,
};
use crate::store::Snapshot;

#[derive(Clone, Debug)]
pub struct IncidentDetails {
    pub incident: Incident,
    /// Newest first. Fewer than requested if their texts take too many bytes.
    pub events: Vec<Event>,
    pub all_events: usize,
    /// In no particular order.
    pub acks: Vec<Acknowledgement>,
    /// Events for which it was decided who is notified, newest first.
    pub decided: Vec<DecidedEvent>,
    /// Messages that the caller may see, newest first.
    pub messages: Vec<Notification>,
    /// Number of further messages that the caller may see.
    pub more_messages: usize,
    /// Number of messages that the caller may not see.
    pub hidden_messages: usize,
    /// Planned maintenance that is in progress and covers the incident.
    pub maintenance: Vec<Arc<Maintenance>>,
    /// The first contacts, for callers who may ask about their notifications.
    pub contacts: Vec<Contact>,
    /// Permit of a large page, to be kept until the page is written.
    pub turn: Option<Turn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecidedEvent {
    pub id: EventId,
    pub kind: EventType,
    pub timestamp: Timestamp,
}

impl Notifications {
    /// Returns the details of an incident with its newest events, at most `events`.
    pub async fn details(
        &self,
        caller: &Caller,
        id: IncidentId,
        events: usize,
    ) -> Result<IncidentDetails, ServiceError> {
        let read = |bytes| {
            let (directory, now, caller) = (self.directory(), self.now(), caller.clone());
            self.store().read(move |snapshot| {
                let incident = snapshot.incident(id)?.ok_or(ServiceError::NotFound(Model::Incident))?;
                read(snapshot, &directory, &caller, incident, (events, bytes), now)
            })
        };
        let details = read(LIST_CHUNK_BYTES).await?;
        if details.events.len() == details.all_events.min(events) {
            return Ok(details);
        }
        let turn = self.incidents().large_page().await?;
        Ok(IncidentDetails { turn: Some(turn), ..read(TIMELINE_BYTES).await? })
    }

    #[must_use]
    pub fn may_delete(&self, caller: &Caller, incident: &Incident) -> bool {
        let own = caller.source.as_ref().is_some_and(|source| source.id == incident.source);
        (own || caller.may(Action::DeleteAnyIncident)) && !self.settings().indelible_incidents
    }
}

fn read(
    snapshot: &Snapshot,
    directory: &Directory,
    caller: &Caller,
    incident: Incident,
    (wanted, bytes): (usize, usize),
    now: Timestamp,
) -> Result<IncidentDetails, ServiceError> {
    let id = incident.id;
    let (mut order, mut decided) = (Vec::new(), Vec::new());
    snapshot.for_each_event_of(id, &mut |event| {
        order.push((event.timestamp, event.id));
        if event.after.decided.is_some() {
            decided.push(choice(&event));
        }
        ControlFlow::Continue(())
    })?;
    order.sort_unstable_by_key(|place| Reverse(*place));
    decided.sort_by_key(|event| Reverse(event.id));
    decided.truncate(TIMELINE_CHOICES);
    let all_events = order.len();
    let (mut events, mut room) = (Vec::new(), SizeBudget::new(bytes));
    for (_, event) in order.into_iter().take(wanted) {
        if let Some(event) = snapshot.event(id, event)? {
            if !room.takes(&event) {
                break;
            }
            events.push(event);
        }
    }
    let (mut messages, mut seen, mut hidden_messages) = (VecDeque::new(), 0_usize, 0_usize);
    snapshot.for_each_message_of(id, None, &mut |message| {
        let is_seen = match &message.route {
            Route::Destination { user, .. } => caller.may_see_addresses_of(*user),
            Route::Contact { .. } => caller.may_see_addresses_of_contacts(),
        };
        if !is_seen {
            hidden_messages += 1;
            return Ok(ControlFlow::Continue(()));
        }
        seen += 1;
        messages.push_front(message);
        messages.truncate(INCIDENT_PAGE_MESSAGES);
        Ok(ControlFlow::Continue(()))
    })?;
    let more_messages = seen.saturating_sub(messages.len());
    let contacts =
        if caller.may_see_addresses_of_contacts() { snapshot.contacts(None, TIMELINE_CHOICES)? } else { Vec::new() };
    Ok(IncidentDetails {
        maintenance: maintenance(directory, &incident, now),
        acks: snapshot.acks_of(id)?,
        messages: with_events(snapshot, messages.into(), now)?,
        incident,
        events,
        all_events,
        decided,
        more_messages,
        hidden_messages,
        contacts,
        turn: None,
    })
}

fn choice(event: &Event) -> DecidedEvent {
    DecidedEvent { id: event.id, kind: event.kind, timestamp: event.timestamp }
}

fn maintenance(directory: &Directory, incident: &Incident, now: Timestamp) -> Vec<Arc<Maintenance>> {
    let about = FilterSubject::incident(incident, now);
    let mut results = FilterResults::new(directory, &about);
    let on = directory.maintenances.covering(now).into_iter();
    on.filter(|maintenance| results.all_match(&maintenance.filters)).cloned().collect()
}

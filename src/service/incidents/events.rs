//! Reads and adds events (contract section 9).

use std::ops::ControlFlow;

use crate::domain::{
    ChangeKind, Event, EventId, EventRefusal, EventType, Incident, IncidentId, Poster, Seq, SizeBudget, StateAfter,
    Timestamp, UserId,
    lifecycle::{end_after, may_post},
    limits::{LIST_CHUNK_BYTES, PAGE_BYTES, PAGE_SIZE_MAX},
    size::Size,
};
use crate::service::{Caller, EventCursor, Incidents, Model, Page, Refusal, ServiceError};
use crate::store::{Command, Direction, Snapshot, Store, StoreError};

/// An event to be added.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub kind: EventType,
    /// `None`: now. Required for sources.
    pub timestamp: Option<Timestamp>,
    pub description: String,
}

impl Incidents {
    /// Returns all events of an incident, newest timestamp first.
    pub async fn events(&self, incident: IncidentId) -> Result<Vec<Event>, ServiceError> {
        let service = self.clone();
        self.blocking(move || {
            let (mut list, mut events) = (service.event_list(incident)?, Vec::new());
            while let Some(chunk) = list.next_chunk()? {
                events.extend(chunk);
            }
            Ok(events)
        })
        .await
    }

    /// Lists the events of an incident, newest timestamp first, in chunks from many short snapshots. This call and
    /// reading each chunk block.
    pub fn event_list(&self, incident: IncidentId) -> Result<EventList, ServiceError> {
        let snapshot = self.store().snapshot()?;
        let mut order = Vec::new();
        snapshot.for_each_event_of(incident, &mut |event| {
            order.push((event.timestamp, event.id));
            ControlFlow::Continue(())
        })?;
        if order.is_empty() && snapshot.incident(incident)?.is_none() {
            return Err(ServiceError::NotFound(Model::Incident));
        }
        Ok(EventList::new(self.store(), incident, order, Snapshot::event))
    }

    pub async fn event(&self, incident: IncidentId, id: EventId) -> Result<Event, ServiceError> {
        self.store()
            .read_few(move |snapshot| snapshot.event(incident, id))
            .await?
            .ok_or(ServiceError::NotFound(Model::Event))
    }

    pub async fn add_event(&self, caller: &Caller, incident: IncidentId, new: NewEvent) -> Result<Event, ServiceError> {
        require_timestamp(caller, new.timestamp)?;
        let (actor, poster) = (caller.id(), caller.poster());
        self.write(Some(actor), move |command| {
            let incident = command.incident(incident)?.ok_or(ServiceError::NotFound(Model::Incident))?;
            Ok(post_allowed(command, incident, (actor, poster), &new)?)
        })
        .await
    }

    /// Returns a page of the events of all incidents, newest timestamp first. It has fewer than `size` rows if they
    /// would take more than [`PAGE_BYTES`].
    pub async fn events_page(
        &self,
        size: usize,
        cursor: Option<EventCursor>,
    ) -> Result<Page<Event, EventCursor>, ServiceError> {
        let size = size.clamp(1, PAGE_SIZE_MAX);
        let backwards = cursor.is_some_and(|cursor| cursor.backwards);
        let from = cursor.map(|cursor| (cursor.timestamp, cursor.id));
        let direction = if backwards { Direction::Newer } else { Direction::Older };
        let read = |bytes| {
            self.store().read(move |snapshot| snapshot.events_within(from, direction, size, SizeBudget::new(bytes)))
        };
        let (mut rows, mut more) = read(LIST_CHUNK_BYTES).await?;
        let mut turn = None;
        if more && rows.len() < size {
            turn = Some(self.large_page().await?);
            (rows, more) = read(PAGE_BYTES).await?;
        }
        if backwards {
            rows.reverse();
        }
        let place = |event: &Event, backwards| EventCursor { timestamp: event.timestamp, id: event.id, backwards };
        Ok(Page {
            next: rows.last().filter(|_| more || backwards).map(|event| place(event, false)),
            previous: rows
                .first()
                .filter(|_| if backwards { more } else { cursor.is_some() })
                .map(|event| place(event, true)),
            rows,
            turn,
        })
    }
}

/// Events of an incident, or rows that belong to its events.
pub struct EventRows<T> {
    store: Store,
    incident: IncidentId,
    /// Events that are still to be read, the next one last.
    left: Vec<EventId>,
    read: fn(&Snapshot, IncidentId, EventId) -> Result<Option<T>, StoreError>,
}

/// Events of one incident; see [`Incidents::event_list`].
pub type EventList = EventRows<Event>;

impl<T: Size> EventRows<T> {
    /// Creates a list of the events in `order`, which have their timestamps and are sorted here.
    pub(in crate::service) fn new(
        store: &Store,
        incident: IncidentId,
        mut order: Vec<(Timestamp, EventId)>,
        read: fn(&Snapshot, IncidentId, EventId) -> Result<Option<T>, StoreError>,
    ) -> Self {
        order.sort_unstable();
        Self { store: store.clone(), incident, left: order.into_iter().map(|(_, id)| id).collect(), read }
    }

    /// Reads the next chunk. `None` at the end. Rows that were deleted since are left out.
    pub fn next_chunk(&mut self) -> Result<Option<Vec<T>>, ServiceError> {
        if self.left.is_empty() {
            return Ok(None);
        }
        let (snapshot, mut room, mut rows) = (self.store.snapshot()?, SizeBudget::new(LIST_CHUNK_BYTES), Vec::new());
        while let Some(&id) = self.left.last() {
            if let Some(row) = (self.read)(&snapshot, self.incident, id)? {
                if !room.takes(&row) {
                    break;
                }
                rows.push(row);
            }
            self.left.pop();
        }
        Ok(Some(rows))
    }
}

/// Refuses an event of a source without a timestamp: sources have clocks of their own.
pub(in crate::service) fn require_timestamp(caller: &Caller, timestamp: Option<Timestamp>) -> Result<(), Refusal> {
    match (caller.poster(), timestamp) {
        (Poster::Source, None) => Err(Refusal::TimestampRequired),
        _ => Ok(()),
    }
}

/// Stages an event if `poster` may post it.
pub(in crate::service) fn post_allowed(
    command: &mut Command<'_>,
    incident: Incident,
    (actor, poster): (UserId, Poster),
    new: &NewEvent,
) -> Result<Event, EventRefusal> {
    may_post(poster, new.kind, incident.end, command.now())?;
    Ok(post_event(command, incident, actor, new))
}

/// Stages an event that the caller may post, and its effect on the incident.
pub(in crate::service) fn post_event(
    command: &mut Command<'_>,
    mut incident: Incident,
    actor: UserId,
    new: &NewEvent,
) -> Event {
    let event = draft_event(command, &mut incident, actor, new, Recorded::now(command));
    command.log(ChangeKind::EventAdded { incident: incident.id, event: event.id });
    command.put_incident(incident);
    command.put_event(event.clone());
    event
}

/// When an event is recorded, and whether a decision is made about who is notified of it.
#[derive(Clone, Copy)]
pub(in crate::service) struct Recorded {
    pub at: Timestamp,
    /// Number of the last change that the decision is based on. `None`: nobody is notified (contract section 19.1).
    pub decided: Option<Seq>,
}

impl Recorded {
    pub(in crate::service) fn now(command: &Command<'_>) -> Self {
        Self { at: command.now(), decided: Some(command.seq()) }
    }
}

/// Creates an event and applies its effect to `incident`, without staging anything.
pub(in crate::service) fn draft_event(
    command: &mut Command<'_>,
    incident: &mut Incident,
    actor: UserId,
    new: &NewEvent,
    Recorded { at, decided }: Recorded,
) -> Event {
    let timestamp = new.timestamp.unwrap_or(at);
    incident.end = end_after(incident.end, new.kind, timestamp, at);
    let event = Event {
        id: command.new_event_id(),
        incident: incident.id,
        actor,
        timestamp,
        received: at,
        kind: new.kind,
        description: new.description.clone(),
        after: StateAfter {
            open: incident.is_open(at),
            // An incident counts as acknowledged by this event even if the acknowledgement has expired by then.
            acked: new.kind == EventType::Acknowledge || incident.is_acked(at),
            level: incident.level,
            tags_version: incident.tags_version,
            decided,
        },
    };
    incident.note_event(&event);
    event
}

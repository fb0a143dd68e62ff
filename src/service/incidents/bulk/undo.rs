//! Undoes bulk changes. The data that this needs is kept in memory, with one bound for all changes. Incidents that
//! somebody else changed since are left as they are.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{BulkAction, SliceRow};
use crate::domain::{
    EventId, EventType, IncidentId, Timestamp,
    limits::{UNDO_BYTES, WORK_SLICE},
};
use crate::service::{
    Caller, Incidents, NewEvent, ServiceError,
    incidents::{acks::set_expiration, edit::set_ticket, events::post_allowed},
};
use crate::store::Command;

/// Result of undoing a bulk change.
#[derive(Debug, Default)]
pub struct Undone {
    pub undone: usize,
    /// Number of incidents left as they are, because somebody else changed them since.
    pub kept: usize,
    /// Error that ended undoing early. What was undone before remains undone.
    pub failure: Option<ServiceError>,
}

/// Number of bytes that the undo data of all bulk changes takes.
#[derive(Clone, Default)]
pub(super) struct UndoMemory(Arc<AtomicUsize>);

/// Undo data of one bulk change. Releases its share of the memory bound when it is dropped.
pub(super) struct Undo {
    way: UndoAction,
    entries: Vec<UndoEntry>,
    bytes: usize,
    memory: UndoMemory,
}

#[derive(Clone, Debug)]
enum UndoAction {
    /// Expires acknowledgements whose expiration is still this one.
    ExpireAcks(Option<Timestamp>),
    /// Posts the opposite event.
    Post(EventType),
    /// Restores the previous ticket URL if the current one is still this one.
    RestoreTickets(String),
}

#[derive(Clone, Debug)]
enum UndoEntry {
    /// The event or acknowledgement that was added to the incident.
    Event(IncidentId, EventId),
    /// The previous ticket URL.
    Ticket(IncidentId, String),
}

impl UndoMemory {
    /// Begins recording undo data. `None` if the action cannot be undone.
    pub fn begin(&self, action: &BulkAction) -> Option<Undo> {
        let way = match action {
            BulkAction::Acknowledge(new) => UndoAction::ExpireAcks(new.expiration),
            BulkAction::Event(NewEvent { kind: EventType::Close, .. }) => UndoAction::Post(EventType::Reopen),
            BulkAction::Event(NewEvent { kind: EventType::Reopen, .. }) => UndoAction::Post(EventType::Close),
            BulkAction::Event(_) => return None,
            BulkAction::TicketUrl(url) => UndoAction::RestoreTickets(url.clone()),
        };
        Some(Undo { way, entries: Vec::new(), bytes: 0, memory: self.clone() })
    }
}

impl Undo {
    /// Records what a slice did. Returns false if the memory bound is reached.
    pub fn note(&mut self, rows: &mut [SliceRow]) -> bool {
        let mut entries = Vec::with_capacity(rows.len());
        for (id, row) in rows {
            let Ok(done) = row else { continue };
            match (&self.way, done.event, done.old_ticket.take()) {
                (UndoAction::RestoreTickets(_), _, Some(old)) => entries.push(UndoEntry::Ticket(IncidentId(*id), old)),
                (UndoAction::RestoreTickets(_), _, None) | (_, None, _) => {}
                (_, Some(event), _) => entries.push(UndoEntry::Event(IncidentId(*id), event.id)),
            }
        }
        let bytes: usize = entries.iter().map(UndoEntry::bytes).sum();
        if self.memory.0.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > UNDO_BYTES {
            self.memory.0.fetch_sub(bytes, Ordering::Relaxed);
            return false;
        }
        self.bytes += bytes;
        self.entries.append(&mut entries);
        true
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        self.memory.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl UndoEntry {
    fn bytes(&self) -> usize {
        let text = match self {
            Self::Event(..) => 0,
            Self::Ticket(_, old) => old.capacity(),
        };
        // The capacity of a growing list can be twice its length.
        2 * size_of::<Self>() + text
    }
}

impl Incidents {
    /// Undoes the change in slices.
    pub(super) async fn undo(&self, caller: &Caller, undo: Undo) -> Undone {
        let mut outcome = Undone::default();
        for entries in undo.entries.chunks(WORK_SLICE) {
            let (way, entries, caller_now) = (undo.way.clone(), entries.to_vec(), caller.clone());
            let slice = self.slice(caller, move |command| {
                let mut undone = 0;
                for entry in &entries {
                    undone += usize::from(take_back(command, &caller_now, &way, entry)?);
                }
                Ok((undone, entries.len() - undone))
            });
            match slice.await {
                Ok((undone, kept)) => {
                    outcome.undone += undone;
                    outcome.kept += kept;
                }
                Err(error) => {
                    outcome.failure = Some(error);
                    break;
                }
            }
        }
        outcome
    }
}

/// Undoes the change of one incident. Returns false if somebody else has changed it since.
fn take_back(
    command: &mut Command<'_>,
    caller: &Caller,
    way: &UndoAction,
    entry: &UndoEntry,
) -> Result<bool, ServiceError> {
    let now = command.now();
    match (way, entry) {
        (UndoAction::ExpireAcks(expiration), UndoEntry::Event(incident, ack)) => {
            let is_as_set = command.ack(*incident, *ack)?.is_some_and(|ack| ack.expiration == *expiration);
            if !is_as_set {
                return Ok(false);
            }
            match set_expiration(command, *incident, *ack, Some(now)) {
                Ok(_) => Ok(true),
                Err(ServiceError::NotFound(_) | ServiceError::Refused(_)) => Ok(false),
                Err(error) => Err(error),
            }
        }
        (UndoAction::Post(kind), UndoEntry::Event(incident, event)) => {
            let Some(incident) = command.incident(*incident)? else { return Ok(false) };
            let later = command.events_after(incident.id, *event)?;
            if later.iter().any(|event| event.kind.changes_state()) {
                return Ok(false);
            }
            let new = NewEvent { kind: *kind, timestamp: Some(now), description: "Undone.".to_owned() };
            Ok(post_allowed(command, incident, (caller.id(), caller.poster()), &new).is_ok())
        }
        (UndoAction::RestoreTickets(url), UndoEntry::Ticket(incident, old)) => {
            let Some(mut incident) = command.incident(*incident)?.filter(|it| it.ticket_url == *url) else {
                return Ok(false);
            };
            incident.ticket_url.clone_from(old);
            set_ticket(command, incident, caller.id(), url);
            Ok(true)
        }
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::incidents::bulk::SliceResult;

    #[test]
    fn memory_is_bounded_for_all_together_and_given_back() {
        let memory = UndoMemory::default();
        let action = BulkAction::TicketUrl("new".to_owned());
        let rows = |bytes: usize| -> Vec<SliceRow> {
            vec![(1, Ok(SliceResult { event: None, old_ticket: Some("x".repeat(bytes)) }))]
        };
        let (mut first, mut second) = (memory.begin(&action).unwrap(), memory.begin(&action).unwrap());
        assert!(first.note(&mut rows(UNDO_BYTES / 2)));
        assert!(!second.note(&mut rows(UNDO_BYTES / 2)));
        assert!(second.note(&mut rows(1_000)));
        drop(first);
        assert!(second.note(&mut rows(UNDO_BYTES / 2)));
        drop(second);
        assert_eq!(memory.0.load(Ordering::Relaxed), 0);
    }
}

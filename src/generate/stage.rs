//! Converts a generated incident to a past incident of a source.

use std::sync::Arc;

use super::draft::{By, Draft, DraftEvent};
use crate::domain::{EndTime, EventType, Source, UserId};
use crate::service::{NewAck, NewEvent, NewIncident, PastChange, PastEvent, PastIncident};

/// Returns the past incident. `run` is a part of its source incident id.
pub(super) fn past(draft: Draft, source: &Arc<Source>, people: &[UserId], run: &str) -> PastIncident {
    let mut events = draft.events.into_iter();
    let level = events.next().and_then(|first| first.level).unwrap_or(draft.level);
    let is_ended_by_event = events.as_slice().iter().any(|event| event.kind.changes_state());
    let actor = |by: By| match by {
        By::Source => source.user,
        By::Person(number) => people.get(number % people.len().max(1)).copied().unwrap_or(source.user),
    };
    let past = |DraftEvent { kind, at, description, by, expiration, level }| PastEvent {
        actor: actor(by),
        at,
        change: match (kind, level) {
            (EventType::Change, Some(level)) => PastChange::Level(level),
            (EventType::Acknowledge, _) => {
                PastChange::Acknowledge(NewAck { timestamp: Some(at), description, expiration })
            }
            _ => PastChange::Event(NewEvent { kind, timestamp: Some(at), description }),
        },
    };
    PastIncident {
        new: NewIncident {
            start: draft.start,
            end: if is_ended_by_event { EndTime::Infinity } else { draft.end },
            source_incident_id: format!("{run}-{}", draft.number),
            details_url: draft.details_url,
            description: draft.description,
            level: Some(level),
            ticket_url: draft.ticket_url,
            metadata: Some(draft.metadata),
            tags: draft.tags,
            ..NewIncident::default()
        },
        events: events.map(past).collect(),
        source: Arc::clone(source),
    }
}

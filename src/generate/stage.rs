//! A draft becomes an incident, its events and what they leave in the change log. None of them was decided about, so nobody
//! is ever told of them.

use super::draft::{By, Draft};
use crate::{
    domain::{
        ack::{Acknowledgement, acked_until},
        change::{ChangeKind, FieldChange},
        event::{Event, EventType, EventTypeSet, StateAfter},
        ids::{EventId, IncidentId, SourceId, UserId},
        incident::{AckedUntil, Incident},
        severity::Level,
        tag::IncidentTag,
    },
    store::Command,
};

/// In whose name a source's incidents are posted.
#[derive(Clone, Copy)]
pub(super) struct Poster {
    pub source: SourceId,
    pub user: UserId,
}

/// The numbers of the incident and its events.
pub(super) fn stage(
    command: &mut Command<'_>,
    draft: Draft,
    poster: Poster,
    people: &[UserId],
    run: &str,
) -> (IncidentId, Vec<EventId>) {
    let id = command.new_incident_id();
    let now = command.now();
    let actor = |by: By| match by {
        By::Source => poster.user,
        By::Person(number) => people.get(number % people.len().max(1)).copied().unwrap_or(poster.user),
    };
    let mut incident = Incident {
        id,
        start: draft.start,
        end: draft.end,
        source: poster.source,
        source_incident_id: format!("{run}-{}", draft.number),
        details_url: draft.details_url,
        description: draft.description,
        level: draft.level,
        ticket_url: draft.ticket_url,
        metadata: draft.metadata,
        tags: draft
            .tags
            .into_iter()
            .map(|tag| IncidentTag { tag, added_by: poster.user, added_at: draft.start })
            .collect(),
        tags_version: 0,
        acked_until: AckedUntil::Never,
        event_types: EventTypeSet::default(),
        last_event: draft.start,
    };
    let mut acked = AckedUntil::Never;
    let mut open = draft.end.is_stateful();
    let mut level = draft.events.first().and_then(|first| first.level).unwrap_or(incident.level);
    let mut events: Vec<EventId> = Vec::with_capacity(draft.events.len());
    for planned in draft.events {
        let event = command.new_event_id();
        match planned.kind {
            EventType::Acknowledge => {
                let ack = Acknowledgement { event, incident: id, expiration: planned.expiration };
                acked = acked.max(acked_until([&ack]));
                command.put_ack(ack);
            }
            EventType::End | EventType::Close => open = false,
            EventType::Restart | EventType::Reopen => open = true,
            _ => {}
        }
        let before = level;
        level = planned.level.unwrap_or(before);
        let record = Event {
            id: event,
            incident: id,
            actor: actor(planned.by),
            timestamp: planned.at,
            received: planned.at.min(now),
            kind: planned.kind,
            description: planned.description,
            after: StateAfter { open, acked: acked.is_acked(planned.at), level, tags_version: 0, decided: None },
        };
        incident.note_event(&record);
        command.log(log_entry(&record, events.is_empty(), (before, level)));
        command.put_event(record);
        events.push(event);
    }
    incident.acked_until = acked;
    command.put_incident(incident);
    (id, events)
}

fn log_entry(event: &Event, is_first: bool, (before, after): (Level, Level)) -> ChangeKind {
    let incident: IncidentId = event.incident;
    if is_first {
        ChangeKind::IncidentCreated { incident, event: event.id }
    } else if event.kind == EventType::Change {
        let text = |level: Level| level.get().to_string();
        let field = FieldChange { field: "level".to_owned(), before: text(before), after: text(after) };
        ChangeKind::IncidentEdited { incident, fields: vec![field], events: vec![event.id] }
    } else {
        ChangeKind::EventAdded { incident, event: event.id }
    }
}

//! Adds past incidents with their whole history at once. Nobody is notified, because no decisions are made about their
//! events.

use std::sync::Arc;

use super::{
    acks::draft_ack,
    edit::{Changes, record, set_level},
    events::{Recorded, draft_event},
    incident::draft_incident,
};
use crate::domain::{ChangeKind, Level, Source, Timestamp, UserId};
use crate::service::{Incidents, NewAck, NewEvent, NewIncident, ServiceError};
use crate::store::{Command, WriteError};

/// An incident of the past.
pub struct PastIncident {
    pub source: Arc<Source>,
    /// The incident as it was at its start. Its source incident id must be free.
    pub new: NewIncident,
    /// Later events, in order of time.
    pub events: Vec<PastEvent>,
}

/// An action of a user at a past time. The rules of the life cycle apply as of that time.
pub struct PastEvent {
    pub actor: UserId,
    pub at: Timestamp,
    pub change: PastChange,
}

pub enum PastChange {
    Event(NewEvent),
    Acknowledge(NewAck),
    Level(Level),
}

impl Incidents {
    /// Adds all incidents in one command. Blocking.
    pub fn add_past_incidents(&self, incidents: Vec<PastIncident>) -> Result<(), ServiceError> {
        let written = self.store().write_blocking(None, move |command| {
            for incident in incidents {
                put_past_incident(command, incident);
            }
            Ok(())
        });
        written.map_err(WriteError::into_error)
    }
}

/// Stages an incident with all its events.
pub fn put_past_incident(command: &mut Command<'_>, PastIncident { source, new, events }: PastIncident) {
    let now = command.now();
    let recorded = |at: Timestamp| Recorded { at: at.min(now), decided: None };
    let (id, started) = (command.new_incident_id(), recorded(new.start));
    let (mut incident, first) = draft_incident(command, id, &source, source.user, new, started);
    command.log(ChangeKind::IncidentCreated { incident: id, event: first.id });
    command.put_event(first);
    for PastEvent { actor, at, change } in events {
        let event = match change {
            PastChange::Event(new) => draft_event(command, &mut incident, actor, &new, recorded(at)),
            PastChange::Acknowledge(new) => {
                let (ack, event) = draft_ack(command, &mut incident, actor, &new, recorded(at));
                command.put_ack(ack);
                event
            }
            PastChange::Level(level) => {
                let mut changes = Changes::default();
                set_level(&mut changes, &mut incident, level);
                record(command, &mut incident, actor, changes, at.min(now));
                continue;
            }
        };
        command.log(ChangeKind::EventAdded { incident: id, event: event.id });
        command.put_event(event);
    }
    command.put_incident(incident);
}

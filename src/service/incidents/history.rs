//! Past incidents with all that happened to them, put in at once. Nobody is notified: nothing is decided about their events.

use std::sync::Arc;

use super::{
    acks::draft_ack,
    edit::{Changes, record, set_level},
    events::{Recorded, draft_event},
    incident::draft_incident,
};
use crate::{
    domain::{change::ChangeKind, ids::UserId, severity::Level, source::Source, time::Timestamp},
    service::{Incidents, NewAck, NewEvent, NewIncident, ServiceError},
    store::Command,
};

/// An incident of the past.
pub struct PastIncident {
    pub source: Arc<Source>,
    /// As it was when it started. Its own number is known to be free.
    pub new: NewIncident,
    /// What happened after that, in order of time.
    pub events: Vec<PastEvent>,
}

/// What somebody did at a time, by which the rules of the life cycle judge.
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
    /// Puts all of them in with one command. Blocking.
    pub fn add_past_incidents(&self, incidents: Vec<PastIncident>) -> Result<(), ServiceError> {
        self.store().write_blocking(None, move |command| {
            for incident in incidents {
                put_past_incident(command, incident);
            }
            Ok::<_, ServiceError>(())
        })?;
        Ok(())
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

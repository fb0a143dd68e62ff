//! Acknowledging incidents (contract section 10).

use std::cmp::Reverse;

use super::{
    Caller, Model, Refusal, Service, ServiceError,
    events::{EventDraft, draft_event, require_timestamp},
};
use crate::{
    domain::{
        ack::{Acknowledgement, acked_until},
        change::ChangeKind,
        event::{Event, EventType},
        ids::{EventId, IncidentId, UserId},
        incident::Incident,
        limits::ACKS_PER_INCIDENT,
        time::Timestamp,
    },
    store::Command,
};

/// An acknowledgement to be made.
#[derive(Clone, Debug)]
pub struct NewAck {
    /// `None`: now; sources have to say.
    pub timestamp: Option<Timestamp>,
    pub description: String,
    /// `None`: never.
    pub expiration: Option<Timestamp>,
}

impl Service {
    /// Newest event first.
    pub async fn acks(&self, incident: IncidentId) -> Result<Vec<(Acknowledgement, Event)>, ServiceError> {
        self.store()
            .read(move |snapshot| {
                let acks = snapshot.acks_of(incident)?;
                if acks.is_empty() && snapshot.incident(incident)?.is_none() {
                    return Err(ServiceError::NotFound(Model::Incident));
                }
                let mut rows = Vec::with_capacity(acks.len());
                for ack in acks {
                    if let Some(event) = snapshot.event(incident, ack.event)? {
                        rows.push((ack, event));
                    }
                }
                rows.sort_by_key(|(_, event)| Reverse((event.timestamp, event.id)));
                Ok(rows)
            })
            .await
    }

    pub async fn ack(&self, incident: IncidentId, id: EventId) -> Result<(Acknowledgement, Event), ServiceError> {
        self.store()
            .read_few(move |snapshot| match (snapshot.ack(incident, id)?, snapshot.event(incident, id)?) {
                (Some(ack), Some(event)) => Ok((ack, event)),
                _ => Err(ServiceError::NotFound(Model::Acknowledgement)),
            })
            .await
    }

    pub async fn add_ack(
        &self,
        caller: &Caller,
        incident: IncidentId,
        new: NewAck,
    ) -> Result<(Acknowledgement, Event), ServiceError> {
        require_timestamp(caller, new.timestamp)?;
        let actor = caller.id();
        let made = self
            .store()
            .write(Some(actor), move |command| {
                let incident = command.incident(incident)?.ok_or(ServiceError::NotFound(Model::Incident))?;
                check_expiration(&new, command.now())?;
                if command.acks_of(incident.id)?.len() >= ACKS_PER_INCIDENT {
                    return Err(Refusal::TooManyAcks.into());
                }
                Ok::<_, ServiceError>(acknowledge(command, incident, actor, &new))
            })
            .await?;
        Ok(made)
    }

    /// Open to everybody, as long as the acknowledgement has not expired. Makes no event.
    pub async fn change_expiration(
        &self,
        caller: &Caller,
        incident: IncidentId,
        id: EventId,
        expiration: Option<Timestamp>,
    ) -> Result<(Acknowledgement, Event), ServiceError> {
        let changed = self
            .store()
            .write(Some(caller.id()), move |command| {
                let now = command.now();
                if expiration.is_some_and(|expiration| expiration <= now) {
                    // Whether it is there at all is said first.
                    valid_ack(command, incident, id)?;
                    return Err(Refusal::ExpirationNotInFuture(now).into());
                }
                set_expiration(command, incident, id, expiration)
            })
            .await?;
        Ok(changed)
    }
}

/// An acknowledgement that has not expired, with its incident and event.
fn valid_ack(
    command: &Command<'_>,
    incident: IncidentId,
    id: EventId,
) -> Result<(Incident, Acknowledgement, Event), ServiceError> {
    let (Some(incident), Some(ack), Some(event)) =
        (command.incident(incident)?, command.ack(incident, id)?, command.event(incident, id)?)
    else {
        return Err(ServiceError::NotFound(Model::Acknowledgement));
    };
    if ack.is_expired(command.now()) {
        return Err(Refusal::AckExpired.into());
    }
    Ok((incident, ack, event))
}

/// Stages another expiration.
pub(super) fn set_expiration(
    command: &mut Command<'_>,
    incident: IncidentId,
    id: EventId,
    expiration: Option<Timestamp>,
) -> Result<(Acknowledgement, Event), ServiceError> {
    let (mut incident, before, event) = valid_ack(command, incident, id)?;
    let after = Acknowledgement { expiration, ..before };
    if after != before {
        let mut acks = command.acks_of(incident.id)?;
        for ack in acks.iter_mut().filter(|ack| ack.event == id) {
            *ack = after;
        }
        incident.acked_until = acked_until(&acks);
        command.log(ChangeKind::AckChanged {
            incident: incident.id,
            ack: id,
            before: before.expiration,
            after: expiration,
        });
        command.put_ack(after);
        command.put_incident(incident);
    }
    Ok((after, event))
}

pub(super) fn check_expiration(new: &NewAck, now: Timestamp) -> Result<(), Refusal> {
    let timestamp = new.timestamp.unwrap_or(now);
    match new.expiration {
        Some(expiration) if expiration <= timestamp => Err(Refusal::ExpirationBeforeTimestamp),
        _ => Ok(()),
    }
}

/// Stages an acknowledgement with its event.
pub(super) fn acknowledge(
    command: &mut Command<'_>,
    mut incident: Incident,
    actor: UserId,
    new: &NewAck,
) -> (Acknowledgement, Event) {
    let draft = EventDraft {
        actor,
        kind: EventType::Acknowledge,
        timestamp: new.timestamp.unwrap_or(command.now()),
        description: new.description.clone(),
        is_automatic: false,
    };
    let event = draft_event(command, &mut incident, draft);
    let ack = Acknowledgement { event: event.id, incident: incident.id, expiration: new.expiration };
    // What it counted as is the latest of the others.
    incident.acked_until = incident.acked_until.max(acked_until([&ack]));
    command.log(ChangeKind::EventAdded { incident: incident.id, event: event.id });
    command.put_incident(incident);
    command.put_event(event.clone());
    command.put_ack(ack);
    (ack, event)
}

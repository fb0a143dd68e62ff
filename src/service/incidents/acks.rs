//! Acknowledges incidents (contract section 10).

use crate::domain::{
    Acknowledgement, ChangeKind, Event, EventId, EventType, Incident, IncidentId, Timestamp, UserId, ack::acked_until,
    limits::ACKS_PER_INCIDENT,
};
use crate::service::{
    Caller, Incidents, Model, NewEvent, Refusal, ServiceError,
    incidents::events::{EventRows, Recorded, draft_event, post_event, require_timestamp},
};
use crate::store::{Command, Snapshot, StoreError};

/// An acknowledgement to be created.
#[derive(Clone, Debug)]
pub struct NewAck {
    /// `None`: now. Required for sources.
    pub timestamp: Option<Timestamp>,
    pub description: String,
    /// `None`: no expiry.
    pub expiration: Option<Timestamp>,
}

impl Incidents {
    /// Lists the acknowledgements of an incident, newest event first, in chunks from many short snapshots. This call
    /// and reading each chunk block.
    pub fn ack_list(&self, incident: IncidentId) -> Result<AckList, ServiceError> {
        let snapshot = self.store().snapshot()?;
        let acks = snapshot.acks_of(incident)?;
        if acks.is_empty() && snapshot.incident(incident)?.is_none() {
            return Err(ServiceError::NotFound(Model::Incident));
        }
        let mut left = Vec::with_capacity(acks.len());
        for ack in acks {
            left.extend(snapshot.event(incident, ack.event)?.map(|event| (event.timestamp, ack.event)));
        }
        Ok(AckList::new(self.store(), incident, left, with_event))
    }

    pub async fn ack(&self, incident: IncidentId, id: EventId) -> Result<(Acknowledgement, Event), ServiceError> {
        self.store()
            .read_few(move |snapshot| with_event(snapshot, incident, id))
            .await?
            .ok_or(ServiceError::NotFound(Model::Acknowledgement))
    }

    pub async fn add_ack(
        &self,
        caller: &Caller,
        incident: IncidentId,
        new: NewAck,
    ) -> Result<(Acknowledgement, Event), ServiceError> {
        require_timestamp(caller, new.timestamp)?;
        let actor = caller.id();
        self.write(Some(actor), move |command| {
            let incident = command.incident(incident)?.ok_or(ServiceError::NotFound(Model::Incident))?;
            check_expiration(&new, command.now())?;
            acknowledge(command, incident, actor, &new)
        })
        .await
    }

    /// Changes the expiry of an acknowledgement that has not expired. Every user may do so. Adds no event.
    pub async fn change_expiration(
        &self,
        caller: &Caller,
        incident: IncidentId,
        id: EventId,
        expiration: Option<Timestamp>,
    ) -> Result<(Acknowledgement, Event), ServiceError> {
        self.write(Some(caller.id()), move |command| {
            let now = command.now();
            if expiration.is_some_and(|expiration| expiration <= now) {
                // An acknowledgement that does not exist, or has expired, is reported before a bad expiration.
                valid_ack(command, incident, id)?;
                return Err(Refusal::ExpirationNotInFuture(now).into());
            }
            set_expiration(command, incident, id, expiration).map(|(_, ack, event)| (ack, event))
        })
        .await
    }

    /// Expires an acknowledgement now, and adds an event of type OTH that names its user. Every user may do so, as long
    /// as the acknowledgement has not expired.
    pub async fn take_back_ack(
        &self,
        caller: &Caller,
        incident: IncidentId,
        id: EventId,
    ) -> Result<Event, ServiceError> {
        let actor = caller.id();
        self.write(Some(actor), move |command| {
            let now = command.now();
            let (incident, _, acknowledged) = set_expiration(command, incident, id, Some(now))?;
            let whose = command.directory().user(acknowledged.actor).map_or("", |user| user.username.as_str());
            let description = format!("Took back the acknowledgement by {whose}.");
            let new = NewEvent { kind: EventType::Other, timestamp: None, description };
            Ok(post_event(command, incident, actor, &new))
        })
        .await
    }
}

/// Acknowledgements with their events; see [`Incidents::ack_list`].
pub type AckList = EventRows<(Acknowledgement, Event)>;

fn with_event(
    snapshot: &Snapshot,
    incident: IncidentId,
    id: EventId,
) -> Result<Option<(Acknowledgement, Event)>, StoreError> {
    Ok(snapshot.ack(incident, id)?.zip(snapshot.event(incident, id)?))
}

/// Returns an acknowledgement that has not expired, with its incident and event.
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

/// Stages a new expiration. Also returns the incident as staged, because a command cannot read what it staged.
pub(in crate::service) fn set_expiration(
    command: &mut Command<'_>,
    incident: IncidentId,
    id: EventId,
    expiration: Option<Timestamp>,
) -> Result<(Incident, Acknowledgement, Event), ServiceError> {
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
        command.put_incident(incident.clone());
    }
    Ok((incident, after, event))
}

pub(in crate::service) fn check_expiration(new: &NewAck, now: Timestamp) -> Result<(), Refusal> {
    let timestamp = new.timestamp.unwrap_or(now);
    match new.expiration {
        Some(expiration) if expiration <= timestamp => Err(Refusal::ExpirationBeforeTimestamp),
        _ => Ok(()),
    }
}

/// Stages an acknowledgement with its event. Refuses if the incident has [`ACKS_PER_INCIDENT`] already.
pub(in crate::service) fn acknowledge(
    command: &mut Command<'_>,
    mut incident: Incident,
    actor: UserId,
    new: &NewAck,
) -> Result<(Acknowledgement, Event), ServiceError> {
    if command.acks_of(incident.id)?.len() >= ACKS_PER_INCIDENT {
        return Err(Refusal::TooManyAcks.into());
    }
    let (ack, event) = draft_ack(command, &mut incident, actor, new, Recorded::now(command));
    command.log(ChangeKind::EventAdded { incident: incident.id, event: event.id });
    command.put_incident(incident);
    command.put_event(event.clone());
    command.put_ack(ack);
    Ok((ack, event))
}

/// Creates an acknowledgement with its event and updates `incident`, without staging anything.
pub(in crate::service) fn draft_ack(
    command: &mut Command<'_>,
    incident: &mut Incident,
    actor: UserId,
    NewAck { timestamp, description, expiration }: &NewAck,
    recorded: Recorded,
) -> (Acknowledgement, Event) {
    let new = NewEvent { kind: EventType::Acknowledge, timestamp: *timestamp, description: description.clone() };
    let event = draft_event(command, incident, actor, &new, recorded);
    let ack = Acknowledgement { event: event.id, incident: incident.id, expiration: *expiration };
    // The value before covers all other acknowledgements of the incident.
    incident.acked_until = incident.acked_until.max(acked_until([&ack]));
    (ack, event)
}

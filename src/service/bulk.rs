//! One change on many incidents, in one transaction (contract section 12).

use rustc_hash::FxHashSet;

use super::{
    Caller, NewAck, NewEvent, Refusal, Service, ServiceError,
    acks::{acknowledge, check_expiration},
    edit::{Changes, record},
    events::{post_event, require_timestamp},
};
use crate::{
    domain::{
        ack::Acknowledgement,
        event::Event,
        ids::IncidentId,
        incident::Incident,
        lifecycle::{EventRefusal, may_post},
        limits::{ACKS_PER_INCIDENT, BULK_IDS},
    },
    store::Command,
};

/// By incident id, in first-seen order, none twice.
pub type BulkResult<T> = Result<Vec<(u64, Result<T, BulkRefusal>)>, ServiceError>;

/// Why one of the incidents was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkRefusal {
    /// There is no such incident.
    Unknown,
    Event(EventRefusal),
    TooManyAcks,
}

impl Service {
    pub async fn bulk_acks(&self, caller: &Caller, ids: Vec<u64>, new: NewAck) -> BulkResult<(Acknowledgement, Event)> {
        require_timestamp(caller, new.timestamp)?;
        check_expiration(&new, self.now())?;
        let actor = caller.id();
        self.each(caller, ids, move |command, incident| {
            if command.acks_of(incident.id)?.len() >= ACKS_PER_INCIDENT {
                return Ok(Err(BulkRefusal::TooManyAcks));
            }
            Ok(Ok(acknowledge(command, incident, actor, &new)))
        })
        .await
    }

    /// The rules for single events hold for each.
    pub async fn bulk_events(&self, caller: &Caller, ids: Vec<u64>, new: NewEvent) -> BulkResult<Event> {
        require_timestamp(caller, new.timestamp)?;
        let (actor, poster) = (caller.id(), caller.poster());
        self.each(caller, ids, move |command, incident| {
            Ok(match may_post(poster, new.kind, incident.end, command.now()) {
                Ok(()) => Ok(post_event(command, incident, actor, &new)),
                Err(refusal) => Err(BulkRefusal::Event(refusal)),
            })
        })
        .await
    }

    /// Not validated. Makes a change event even where the address stays the same.
    pub async fn bulk_ticket_urls(&self, caller: &Caller, ids: Vec<u64>, url: String) -> BulkResult<String> {
        let actor = caller.id();
        self.each(caller, ids, move |command, mut incident| {
            let changes = Changes::ticket_url(&incident.ticket_url, &url);
            incident.ticket_url.clone_from(&url);
            record(command, &mut incident, actor, changes);
            command.put_incident(incident);
            Ok(Ok(url.clone()))
        })
        .await
    }

    async fn each<T: Send + 'static>(
        &self,
        caller: &Caller,
        mut ids: Vec<u64>,
        mut change: impl FnMut(&mut Command<'_>, Incident) -> Result<Result<T, BulkRefusal>, ServiceError> + Send + 'static,
    ) -> BulkResult<T> {
        if ids.len() > BULK_IDS {
            return Err(Refusal::TooManyIds.into());
        }
        let mut seen = FxHashSet::default();
        ids.retain(|id| seen.insert(*id));
        let rows = self
            .store()
            .write(Some(caller.id()), move |command| {
                let mut rows = Vec::with_capacity(ids.len());
                for id in ids {
                    let row = match command.incident(IncidentId(id))? {
                        Some(incident) => change(command, incident)?,
                        None => Err(BulkRefusal::Unknown),
                    };
                    rows.push((id, row));
                }
                Ok::<_, ServiceError>(rows)
            })
            .await?;
        Ok(rows)
    }
}

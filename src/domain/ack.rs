//! Acknowledgements of incidents (contract section 10).

use super::{
    ids::{EventId, IncidentId},
    incident::AckedUntil,
    time::Timestamp,
};

/// Its primary key is that of its event, which holds actor, time and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    pub event: EventId,
    pub incident: IncidentId,
    /// `None`: never expires.
    pub expiration: Option<Timestamp>,
}

impl Acknowledgement {
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expiration.is_some_and(|expiration| expiration <= now)
    }
}

/// How long an incident with these acknowledgements counts as acknowledged.
#[must_use]
pub fn acked_until<'a>(acks: impl IntoIterator<Item = &'a Acknowledgement>) -> AckedUntil {
    acks.into_iter()
        .map(|ack| ack.expiration.map_or(AckedUntil::Forever, AckedUntil::At))
        .max()
        .unwrap_or(AckedUntil::Never)
}

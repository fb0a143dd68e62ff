//! Acknowledgements of incidents (contract section 10).

use super::{AckedUntil, EventId, IncidentId, Timestamp};

/// An acknowledgement. It shares the primary key of its event, which holds actor, time and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    pub event: EventId,
    pub incident: IncidentId,
    /// Time of expiry. `None`: does not expire.
    pub expiration: Option<Timestamp>,
}

impl Acknowledgement {
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expiration.is_some_and(|expiration| expiration <= now)
    }
}

/// Returns until when an incident with these acknowledgements is acknowledged.
#[must_use]
pub fn acked_until<'a>(acks: impl IntoIterator<Item = &'a Acknowledgement>) -> AckedUntil {
    acks.into_iter()
        .map(|ack| ack.expiration.map_or(AckedUntil::Forever, AckedUntil::At))
        .max()
        .unwrap_or(AckedUntil::Never)
}

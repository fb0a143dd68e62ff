//! Planned maintenance: while it lasts, nobody is told of what its filters match (contract section 18).

use super::{
    ids::{FilterId, MaintenanceId, UserId},
    limits::MAINTENANCE_EDITABLE_FOR,
    time::Timestamp,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    pub id: MaintenanceId,
    pub created_by: UserId,
    pub created: Timestamp,
    pub start: Timestamp,
    /// After `start`; `None`: until somebody ends it.
    pub end: Option<Timestamp>,
    pub description: String,
    /// At least one, anybody's; an incident has to match all of them.
    pub filters: Vec<FilterId>,
}

impl Maintenance {
    /// Both ends count.
    #[must_use]
    pub fn covers(&self, at: Timestamp) -> bool {
        self.start <= at && self.end.is_none_or(|end| at <= end)
    }

    #[must_use]
    pub fn has_started(&self, now: Timestamp) -> bool {
        self.start <= now
    }

    /// It ended so long ago that it is history.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        let editable = MAINTENANCE_EDITABLE_FOR.as_micros() as i64;
        self.end.is_some_and(|end| end.saturating_add_micros(editable) < now)
    }
}

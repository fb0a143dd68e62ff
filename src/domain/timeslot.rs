//! Timeslots: when a user wants to be told (contract section 13).

use super::ids::{TimeslotId, UserId};

/// Microseconds since local midnight, below 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(pub u64);

impl TimeOfDay {
    pub const MIDNIGHT: Self = Self(0);
    /// 23:59:59.999999
    pub const LAST: Self = Self(24 * 3_600_000_000 - 1);
}

/// On these weekdays, from `start` to `end` inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    /// ISO weekdays, 1 (Monday) to 7, sorted, no duplicates.
    pub days: Vec<u8>,
    pub start: TimeOfDay,
    pub end: TimeOfDay,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeslot {
    pub id: TimeslotId,
    pub owner: UserId,
    /// Unique per owner.
    pub name: String,
    pub recurrences: Vec<Recurrence>,
}

/// The timeslot that every new user gets.
#[must_use]
pub fn all_the_time(id: TimeslotId, owner: UserId) -> Timeslot {
    Timeslot {
        id,
        owner,
        name: "All the time".to_owned(),
        recurrences: vec![Recurrence { days: (1..=7).collect(), start: TimeOfDay::MIDNIGHT, end: TimeOfDay::LAST }],
    }
}

//! Notification profiles: when, about what and where a user wants to be told (contract section 15).

use super::ids::{DestinationId, FilterId, ProfileId, TimeslotId, UserId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub id: ProfileId,
    pub owner: UserId,
    /// Unique per owner where there is one.
    pub name: Option<String>,
    /// The owner's.
    pub timeslot: TimeslotId,
    /// At least one, no duplicates; the owner's, or public when they were chosen.
    pub filters: Vec<FilterId>,
    /// The owner's, no duplicates; may be empty.
    pub destinations: Vec<DestinationId>,
    pub active: bool,
}

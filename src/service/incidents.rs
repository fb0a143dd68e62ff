//! Incidents: posting, listing, events, acknowledgements, tickets, tags, and changes of many at once.

pub mod acks;
pub mod bulk;
pub(super) mod change_text;
pub mod edit;
pub mod events;
pub(super) mod history;
pub mod incident;
pub(super) mod last_moments;
pub mod listing;
pub mod pages;
pub mod suggestions;
pub mod tags;
pub mod test_incidents;

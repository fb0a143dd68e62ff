//! Resources that both versions of the API have.

pub mod acks;
pub mod blob;
pub mod events;
pub mod filters;
pub mod incidents;
pub mod previews;
pub mod profiles;
pub mod render;
pub mod requests;
pub mod sources;
pub mod tags;
pub mod tickets;
pub mod timeslots;
pub mod tokens;
pub mod users;
pub mod whole_list;

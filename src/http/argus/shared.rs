//! What both versions of the API have.

pub mod acks;
pub mod events;
pub mod incidents;
pub mod render;
pub mod requests;
pub mod sources;
pub mod tags;
pub mod tickets;
pub mod tokens;
pub mod users;

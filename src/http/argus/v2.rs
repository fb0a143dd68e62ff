//! What only version 2 has.

pub mod bulk;
pub mod events;
pub mod heartbeat;
pub mod sessions;
pub mod tickets;
pub mod user;

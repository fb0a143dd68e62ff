//! Resources that only version 2 has.

pub mod bulk;
pub mod destinations;
pub mod events;
pub mod heartbeat;
pub mod maintenance;
pub mod media;
pub mod profiles;
pub mod sessions;
pub mod tickets;
pub mod user;

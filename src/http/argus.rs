//! The Argus API: one file a resource. What both versions have is in `shared`; `v1` and `v2` hold what only they have.

pub mod keys;
pub mod service_info;
pub mod shared;
pub mod v1;
pub mod v2;
pub mod version;

//! The Argus API, one file for each resource. `shared` has what both versions have, `v1` and `v2` the rest.

pub mod keys;
pub mod service_info;
pub mod shared;
pub mod v1;
pub mod v2;
pub mod version;

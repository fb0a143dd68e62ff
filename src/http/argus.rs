//! The Argus API, one file for each resource. `shared` has the resources of both versions, `v1` and `v2` those of one.

pub mod keys;
pub mod service_info;
pub mod shared;
pub mod v1;
pub mod v2;
pub mod version;

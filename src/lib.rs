//! argusd: the incident desk of a monitoring team as one program and one file.
//!
//! This file is the map; `docs/ARCHITECTURE.md` says how the parts work together.

pub mod auth;
pub mod clock;
pub mod domain;
pub mod http;
pub mod search;
pub mod service;
pub mod store;

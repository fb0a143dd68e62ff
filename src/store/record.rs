//! Stored forms of what is no configuration, one file an aggregate; those of the configuration are in `kind`. They never
//! change once released: a new form gets a new version byte.

pub mod change;
pub mod event;
pub mod incident;
pub mod message;
pub mod preferences;

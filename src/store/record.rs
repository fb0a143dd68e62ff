//! Stored forms of the domain types, one file an aggregate. They never change once released: a new form gets a new
//! version byte.

pub mod change;
pub mod configuration;
pub mod contact;
pub mod event;
pub mod incident;
pub mod message;
pub mod preferences;
pub mod rule;
pub mod subscription;
pub mod version;

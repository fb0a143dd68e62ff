//! Stored forms of records that are not configuration, one file for each aggregate. Those of the configuration are in
//! `kind`. Released forms never change: a new form gets a new version byte.

pub mod change;
pub mod event;
pub mod incident;
pub mod message;
pub mod preferences;

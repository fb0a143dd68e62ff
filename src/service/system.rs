//! The server itself: health, audit trail, incidents of its own, and tasks that are due.

pub(super) mod agenda;
pub mod audit;
pub mod backups;
pub mod doctor;
pub mod figures;
pub mod health;
pub(super) mod readiness;
pub mod retention;
pub mod self_incidents;

//! One incident: everything that is known of it, what can be done with it, who was told and who was not.

pub mod act;
mod describe;
pub mod show;
mod timeline;
mod told;
mod until;
mod why;

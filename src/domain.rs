//! The vocabulary and rules of incident handling. Pure: no input or output, no clock, no storage or wire formats.

pub mod ack;
pub mod change;
pub mod datetime;
pub mod destination;
pub mod directory;
pub mod event;
pub mod explain;
pub mod filter;
pub mod ids;
pub mod incident;
pub mod lifecycle;
pub mod limits;
pub mod maintenance;
pub mod message;
pub mod plan;
pub mod profile;
pub mod schedule;
pub mod severity;
pub mod source;
pub mod stored_filter;
pub mod subscription;
pub mod tag;
pub mod time;
pub mod timeslot;
pub mod token;
pub mod user;

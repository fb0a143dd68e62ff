//! Monitoring systems that post incidents, and their heartbeats.

pub mod overview;
pub mod source;

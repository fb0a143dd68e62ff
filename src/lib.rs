//! argusd: incident management for monitoring teams, as one program with one data file.
//!
//! This file is the map; `docs/ARCHITECTURE.md` says how the parts work together.

pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod domain;
pub mod generate;
pub mod http;
pub mod jobs;
pub mod metrics;
pub mod notify;
pub mod search;
pub mod server;
pub mod service;
pub mod store;
pub mod telemetry;
pub mod web;

#[cfg(test)]
#[path = "../tests/fuzz/engine.rs"]
mod fuzz;

//! Integration tests, in one binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has to fail")]

mod api_documents;
mod api_events;
mod api_incidents;
mod api_sources;
mod api_wire;
mod matrix;
mod search;
mod store_model;
mod support;

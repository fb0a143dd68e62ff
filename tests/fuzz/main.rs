//! Fuzz targets for what strangers send. Those for private parsers are in the `fuzz.rs` files of `src`.
//!
//! `docs/CONTRIBUTING.md` says how to run them for longer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has to fail")]
#![allow(clippy::print_stdout, reason = "a target says what it did")]

mod bodies;
mod engine;
mod filters;
mod requests;
mod texts;

#[allow(dead_code, reason = "integration tests use the rest of it")]
#[path = "../it/support/mod.rs"]
mod support;

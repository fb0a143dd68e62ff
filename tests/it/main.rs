//! Integration tests, in one binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has to fail")]

mod admin_commands;
mod api_destinations;
mod api_documents;
mod api_events;
mod api_filters;
mod api_incidents;
mod api_maintenance;
mod api_native;
mod api_phone_numbers;
mod api_preview;
mod api_profiles;
mod api_sources;
mod api_timeslots;
mod api_wire;
mod browser;
mod daemon;
mod decisions;
mod demo;
mod icinga_fields;
mod icinga_lists;
mod icinga_races;
mod icinga_rig;
mod icinga_seed;
mod icinga_wire;
mod matrix;
mod notify_cases;
mod notify_channels;
mod outbox;
mod plugins;
mod process_admin;
mod process_clients;
mod process_crash;
mod process_native;
mod process_plugins;
mod process_start;
mod rules;
mod search;
mod self_incidents;
mod simulation;
mod sinks;
mod store_model;
mod support;

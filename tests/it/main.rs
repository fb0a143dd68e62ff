//! Integration tests, in one binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has to fail")]

mod admin_commands;
mod api_answers;
mod api_channels;
mod api_clients;
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
mod channel_settings;
mod configuration_bounds;
mod contact_troubles;
mod daemon;
mod decisions;
mod demo;
mod edge;
mod expired_tokens;
mod golden;
mod icinga_fields;
mod icinga_lists;
mod icinga_races;
mod icinga_rig;
mod icinga_seed;
mod icinga_wire;
mod mail_reading;
mod matrix;
mod notify_cases;
mod notify_channels;
mod notify_http;
mod outbox;
mod pages;
mod plugins;
mod process_admin;
mod process_clients;
mod process_crash;
mod process_damage;
mod process_edge;
mod process_native;
mod process_plugins;
mod process_start;
mod resource;
mod rules;
mod search;
mod self_incidents;
mod simulation;
mod sinks;
mod store_model;
mod support;
mod web_admin;
mod web_admin_contacts;
mod web_bulk;
mod web_incident;
mod web_list;
mod web_live;
mod web_maintenance;
mod web_navigation;
mod web_notifications;
mod web_problems;
mod web_session;
mod web_twice;

/// Those that say in their own test files what `matrix` and `golden` have to know of them.
const RESOURCES: &[fn() -> resource::Resource] =
    &[api_destinations::resource, api_maintenance::resource, api_timeslots::resource, rules::resource];

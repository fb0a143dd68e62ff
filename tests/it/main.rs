//! Integration tests, in one binary.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has to fail")]

/// Users, their sessions and tokens.
mod accounts {
    mod expired_tokens;
    mod phone_numbers;
    mod sessions;
}

/// Administrative commands, within this process.
mod admin {
    mod backups;
    mod commands;
    mod demo;
}

/// What holds for all operations: the wire, documents, sizes of bodies and answers, and what existing clients need.
mod api {
    mod bodies;
    mod clients;
    mod configuration_bounds;
    mod documents;
    mod long_answers;
    mod wire;
}

mod browser;

/// The command line of the real program: what it refuses, asks, creates and prints.
mod commands {
    mod creating;
    mod first_incident;
    mod ownership;
    mod refusals;
    mod secrets;
    mod settings;
    mod terminal;
    mod tokens;
}

/// Contacts, contact groups and channels: the contact API, the native API and the pages.
mod contacts {
    mod channel_settings;
    mod channels;
    mod fields;
    mod lists;
    mod pages;
    mod races;
    mod seed;
    mod wire;
}

/// How messages leave: transports, plug-ins and the outbox.
mod delivery {
    pub mod channels;
    mod http;
    mod mail;
    mod outbox;
    pub mod plugins;
}

mod golden;
mod harness;

/// Incidents: the API, the pages, and those that the server opens about itself.
mod incidents {
    mod api;
    mod bulk_page;
    mod events;
    mod incident_page;
    mod list_page;
    mod live;
    mod own;
}

/// Planned maintenance.
mod maintenance {
    pub mod api;
    mod pages;
}

mod matrix;

/// Who is notified: profiles with their timeslots, filters and destinations, decisions, and what became of messages.
mod notifications {
    mod decisions;
    pub mod deliveries;
    pub mod destinations;
    mod filters;
    mod matching;
    mod pages;
    mod preview;
    mod profiles;
    pub mod timeslots;
}

/// What holds for pages in general, and the pages of administrators.
mod pages {
    mod admin;
    mod form_errors;
    mod health;
    mod navigation;
    mod repeated_forms;
}

/// The real program as a process.
mod process {
    mod admin;
    mod backup;
    mod clients;
    mod crash;
    mod damage;
    mod doctor;
    mod exit_codes;
    mod file_modes;
    mod listening;
    mod logging;
    mod plugins;
    mod raw_requests;
    mod reload;
    mod retention;
    mod service_manager;
    mod start;
    mod test_messages;
    mod tls;
    mod tools;
    mod watching;
}

mod resource;

/// Rules, and incidents about contacts that they do not reach.
mod rules {
    mod failures;
    pub mod notifying;
}

mod search;
mod simulation;

/// Sources.
mod sources {
    mod api;
}

/// The store, compared with a model.
mod store {
    mod model;
}

mod support;
mod texts;

/// The resources whose test files say what `matrix` and `golden` have to know of them.
const RESOURCES: &[fn() -> resource::Resource] = &[
    maintenance::api::resource,
    notifications::destinations::resource,
    notifications::timeslots::resource,
    rules::notifying::resource,
];

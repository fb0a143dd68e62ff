//! Notifications: profiles, rules, filters, timeslots, destinations, maintenance, and the delivery of messages.

pub(super) mod decision_settings;
pub mod decisions;
pub mod deliveries;
pub mod destinations;
pub mod filters;
pub mod first_profile;
pub mod incident_details;
pub mod maintenance;
pub mod media;
pub mod phone_numbers;
pub mod profile_preview;
pub mod profile_switch;
pub mod rule_decisions;
pub mod rules;
pub mod sender;
pub mod timeslots;

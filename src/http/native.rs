//! argusd's own API, for what the Argus API does not have: messages about events, their deliveries, explanations, rules
//! and channels.

mod acks;
mod bodies;
mod channel_schema;
mod channels;
mod decisions;
mod deliveries;
mod destinations;
mod incident_messages;
pub mod previews;
mod rules;

use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, auth::Needs, docs};
use crate::service::Action;

pub const PREFIX: &str = "/argusd/v1";

/// Returns all routes, by the rights that they need.
pub(super) fn parts() -> Vec<(Needs, OpenApiRouter<Api>)> {
    vec![
        (Needs::all(Action::UseDesk), desk()),
        (Needs::all(Action::ManageDeliveries), deliveries()),
        (Needs { read: Action::SeeRules, write: Action::ManageRules }, rules()),
        (Needs { read: Action::SeeRules, write: Action::ManageChannels }, channels()),
        (Needs::all(Action::UsePublic), OpenApiRouter::new().routes(routes!(docs::native_schema))),
    ]
}

fn desk() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(acks::take_back))
        .routes(routes!(incident_messages::list))
        .routes(routes!(decisions::explain))
        .routes(routes!(destinations::test))
        .routes(routes!(previews::preview))
}

fn deliveries() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(deliveries::list)).routes(routes!(deliveries::retry))
}

fn rules() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(rules::list, rules::create)).routes(routes!(
        rules::retrieve,
        rules::edit,
        rules::delete
    ))
}

fn channels() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(channels::list, channels::create))
        .routes(routes!(channels::types))
        .routes(routes!(channels::retrieve, channels::edit, channels::delete))
}

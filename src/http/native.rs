//! The native API: what the Argus API does not have. Messages about events, what became of them, and why there were none.

mod acks;
mod bodies;
mod channel_schema;
mod channels;
mod decisions;
mod deliveries;
mod destinations;
mod notifications;
mod previews;
pub mod requests;
mod rules;

use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Api, docs};

pub const PREFIX: &str = "/argusd/v1";

/// Paths that need a token.
pub(super) fn guarded() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(acks::take_back))
        .routes(routes!(notifications::list))
        .routes(routes!(decisions::explain))
        .routes(routes!(destinations::test))
        .routes(routes!(previews::preview))
}

/// Paths of those who look after messages.
pub(super) fn deliveries() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(deliveries::list)).routes(routes!(deliveries::retry))
}

/// Paths of those who see by what rules and channels contacts are told; superusers change them.
pub(super) fn rules() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(rules::list, rules::create))
        .routes(routes!(rules::retrieve, rules::edit, rules::delete))
        .routes(routes!(channels::list, channels::create))
        .routes(routes!(channels::types))
        .routes(routes!(channels::retrieve, channels::edit, channels::delete))
}

/// Paths that anybody may use.
pub(super) fn open() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(docs::native_schema))
}

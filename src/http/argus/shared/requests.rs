//! Shapes of answers that the code writes in parts. Used only by the OpenAPI documents.

use serde_json::Value;
use utoipa::ToSchema;

use super::render::{EventBody, IncidentBody, SourceBody};

/// For each primary key the result or null, the status, and the error or null.
#[derive(ToSchema)]
pub struct BulkChanges {
    #[schema(value_type = Object)]
    pub changes: Value,
}

/// A page, or only the number if the parameter `count` is set.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum IncidentList {
    Page(IncidentPage),
    Count(IncidentCount),
}

#[derive(ToSchema)]
pub struct IncidentCount {
    pub count: u64,
    /// The parameters of the request.
    #[schema(value_type = Object)]
    pub params: Value,
}

#[derive(ToSchema)]
pub struct IncidentPage {
    pub next: Option<String>,
    pub previous: Option<String>,
    pub results: Vec<IncidentBody<'static>>,
}

#[derive(ToSchema)]
pub struct EventPage {
    pub next: Option<String>,
    pub previous: Option<String>,
    pub results: Vec<EventBody<'static>>,
}

#[derive(ToSchema)]
pub struct ListMetadata {
    #[schema(rename = "sourceSystems")]
    pub source_systems: Vec<SourceBody<'static>>,
}

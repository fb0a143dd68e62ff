//! What clients send, for the OpenAPI document only: bodies are read field by field (`http::fields`).

use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::http::argus::shared::blob::BlobRequest;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DecisionsQuery {
    /// Username; by default the caller. Others than oneself may be asked for by staff.
    pub user: Option<String>,
    /// UUID of a contact, in place of a user. For staff.
    pub contact: Option<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct RuleRequest {
    /// Unique.
    #[schema(max_length = 255)]
    pub name: String,
    /// Primary key of a timeslot of whoever made the rule.
    pub timeslot: u64,
    /// Primary keys of filters of whoever made the rule, or public ones; at least one.
    pub filters: Vec<u64>,
    pub recipients: Option<Vec<RecipientRequest>>,
    pub active: Option<bool>,
}

/// Either a contact or a group.
#[derive(Deserialize, ToSchema)]
pub struct RecipientRequest {
    /// UUID.
    pub contact: Option<String>,
    /// UUID.
    pub group: Option<String>,
    /// UUID; by default each contact's default channel.
    pub channel: Option<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct ChannelRequest {
    /// Of a new channel; by default one is made up.
    pub uuid: Option<String>,
    /// Unique.
    #[schema(max_length = 255)]
    pub name: String,
    /// One of those that `types/` lists, or that of a plug-in that is still to be installed.
    pub r#type: String,
    /// Settings, as the type's JSON schema has them.
    pub config: Option<serde_json::Map<String, Value>>,
    /// Everybody may have destinations of this type. Of plug-ins only: the other types are offered anyway.
    pub offered: Option<bool>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeliveriesQuery {
    /// `queued` (also `due`), `failed` (also `dead`) or `all`, which is the default.
    pub state: Option<String>,
    /// Only those with a smaller primary key.
    pub before: Option<u64>,
    /// Rows to a page, 100 by default. A page of large rows ends earlier, and `next` goes on.
    pub page_size: Option<usize>,
}

/// A profile as version 2 of the Argus API has it; what else there is of one does not matter here.
#[derive(Deserialize, ToSchema)]
pub struct ProfilePreviewRequest {
    /// Primary key of one of the caller's timeslots.
    pub timeslot: u64,
    /// At least one.
    #[schema(value_type = Vec<PreviewFilter>)]
    pub filters: Vec<Value>,
    /// Primary keys of destinations of the caller.
    pub destinations: Option<Vec<u64>>,
    pub active: Option<bool>,
    /// So far back; 30 by default.
    #[schema(minimum = 1, maximum = 90)]
    pub days: Option<u64>,
}

/// The primary key of a filter that the caller may use, or criteria.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum PreviewFilter {
    Key(u64),
    Criteria(BlobRequest),
}

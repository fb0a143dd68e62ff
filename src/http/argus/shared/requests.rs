//! What clients send and get in pages, for the OpenAPI documents only: bodies are read field by field (`http::fields`).

use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::blob::BlobRequest;
use super::render::{EventBody, IncidentBody, SourceBody};

#[derive(Deserialize, ToSchema)]
pub struct TagRequest {
    /// `key=value`; the key consists of lower case letters, digits and underscores.
    pub tag: String,
}

#[derive(Deserialize, ToSchema)]
pub struct IncidentRequest {
    pub start_time: String,
    /// A time, `infinity` (the default: open, no end known) or null (stateless).
    pub end_time: Option<String>,
    /// Primary key of a source; for superusers.
    pub source: Option<u64>,
    /// Unique per source unless empty.
    pub source_incident_id: Option<String>,
    /// May be relative to the source's base address.
    pub details_url: Option<String>,
    pub description: Option<String>,
    /// 1 (critical) to 5 (information, the default).
    #[schema(minimum = 1, maximum = 5)]
    pub level: Option<u8>,
    pub ticket_url: Option<String>,
    /// Any JSON but null.
    #[schema(value_type = Object)]
    pub metadata: Option<Value>,
    pub tags: Vec<TagRequest>,
}

/// Other fields are refused.
#[derive(Deserialize, ToSchema)]
pub struct IncidentEditRequest {
    pub details_url: Option<String>,
    pub ticket_url: Option<String>,
    #[schema(minimum = 1, maximum = 5)]
    pub level: Option<u8>,
    #[schema(value_type = Object)]
    pub metadata: Option<Value>,
    pub description: Option<String>,
    /// Replaces the whole set. Required by PUT.
    pub tags: Option<Vec<TagRequest>>,
}

#[derive(Deserialize, ToSchema)]
pub struct TicketUrl {
    pub ticket_url: String,
}

#[derive(Deserialize, ToSchema)]
pub struct EventRequest {
    /// `STA`, `END`, `RES`, `CHI`, `LES`, `OTH`, `CLO` or `REO`.
    pub r#type: String,
    /// When it happened; required of sources, else now.
    pub timestamp: Option<String>,
    pub description: Option<String>,
}

/// Either form is taken in either version: the fields of the event by themselves, or within `event`.
#[derive(Deserialize, ToSchema)]
pub struct AckRequest {
    pub timestamp: Option<String>,
    pub description: Option<String>,
    pub event: Option<AckEventRequest>,
    /// After `timestamp`; null or left out: never.
    pub expiration: Option<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct AckEventRequest {
    pub timestamp: Option<String>,
    pub description: Option<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct ExpirationRequest {
    /// In the future; null or left out: never.
    pub expiration: Option<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct SourceRequest {
    pub name: String,
    /// The name of a source type.
    pub r#type: String,
    pub base_url: Option<String>,
    /// Of the user that is made for it; by default the source's name.
    pub username: Option<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct SourceEditRequest {
    pub name: Option<String>,
}

#[derive(Deserialize, ToSchema)]
pub struct SourceTypeRequest {
    /// In lower case.
    pub name: String,
}

/// PATCH may leave fields out.
#[derive(Deserialize, ToSchema)]
pub struct TimeslotRequest {
    #[schema(max_length = 40)]
    pub name: String,
    /// Replaces all; none: never.
    pub time_recurrences: Vec<RecurrenceRequest>,
}

#[derive(Deserialize, ToSchema)]
pub struct RecurrenceRequest {
    /// ISO weekdays, 1 (Monday) to 7.
    pub days: Vec<u8>,
    /// `hh:mm[:ss[.ffffff]]`; required unless `all_day` is true.
    pub start: Option<String>,
    /// After `start`.
    pub end: Option<String>,
    pub all_day: Option<bool>,
}

/// PATCH may leave fields out.
#[derive(Deserialize, ToSchema)]
pub struct FilterRequest {
    #[schema(max_length = 40)]
    pub name: String,
    /// Replaces all criteria.
    pub filter: Option<BlobRequest>,
    /// A JSON object with `sourceSystemIds` and `tags`, for what `filter` leaves out.
    pub filter_string: Option<String>,
    /// Everybody may read and use it.
    pub public: Option<bool>,
}

/// PATCH may leave fields out.
#[derive(Deserialize, ToSchema)]
#[schema(as = NotificationProfileRequest)]
pub struct ProfileRequest {
    /// Null or unique.
    #[schema(max_length = 40)]
    pub name: Option<String>,
    /// One of the caller's.
    pub timeslot: u64,
    /// The caller's, or public ones; at least one. All have to match.
    pub filters: Vec<u64>,
    /// The caller's.
    pub destinations: Option<Vec<u64>>,
    pub active: Option<bool>,
}

/// PATCH may leave fields out.
#[derive(Deserialize, ToSchema)]
#[schema(as = NotificationProfileRequest)]
pub struct ClassicProfileRequest {
    /// One of the caller's.
    pub timeslot: u64,
    /// The caller's; at least one. All have to match.
    pub filters: Vec<u64>,
    /// `EM` (the default) and `SM`.
    pub media: Option<Vec<String>>,
    /// Required with `SM`.
    pub phone_number: Option<u64>,
    pub active: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
pub struct PhoneNumberRequest {
    /// With its country code, as in +12125552368.
    pub phone_number: String,
}

/// PATCH may leave fields out.
#[derive(Deserialize, ToSchema)]
#[schema(as = DestinationConfigRequest)]
pub struct DestinationRequest {
    /// The slug of a medium; cannot change.
    pub media: String,
    /// Null or unique among those of the medium.
    #[schema(max_length = 50)]
    pub label: Option<String>,
    /// As the medium's `json_schema` says.
    #[schema(value_type = Object)]
    pub settings: Value,
}

/// PATCH may leave fields out.
#[derive(Deserialize, ToSchema)]
#[schema(as = PlannedMaintenanceTaskRequest)]
pub struct MaintenanceRequest {
    /// By default now.
    pub start_time: Option<String>,
    /// After `start_time`; null: no end.
    pub end_time: Option<String>,
    #[schema(max_length = 255)]
    pub description: Option<String>,
    /// Anybody's; at least one. All have to match.
    pub filters: Vec<u64>,
}

#[derive(Deserialize, ToSchema)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

#[derive(Deserialize, ToSchema)]
pub struct BulkAckRequest {
    pub ids: Vec<u64>,
    pub ack: AckRequest,
}

#[derive(Deserialize, ToSchema)]
pub struct BulkEventRequest {
    pub ids: Vec<u64>,
    pub event: EventRequest,
}

#[derive(Deserialize, ToSchema)]
pub struct BulkTicketUrlRequest {
    pub ids: Vec<u64>,
    pub ticket_url: String,
}

/// By primary key: the result or null, the status, and null or what was wrong.
#[derive(ToSchema)]
pub struct BulkChanges {
    #[schema(value_type = Object)]
    pub changes: Value,
}

/// A page, or with the parameter `count` only a number.
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

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Rows to a page, 100 by default. A page of large rows ends earlier, and `next` goes on.
    pub page_size: Option<usize>,
    /// From `next` or `previous`.
    pub cursor: Option<String>,
}

/// All filters must match; empty values do not count.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct MineQuery {
    /// False: closed, so never stateless ones.
    pub open: Option<bool>,
    pub acked: Option<bool>,
    pub stateful: Option<bool>,
    /// Has a ticket address.
    pub ticket: Option<bool>,
    /// `key=value`, comma separated; of the same key any, of different keys all.
    pub tags: Option<String>,
    pub source_incident_id: Option<String>,
    #[param(rename = "start_time__gte")]
    pub start_from: Option<String>,
    #[param(rename = "start_time__lte")]
    pub start_to: Option<String>,
    /// Open incidents count as infinitely late; stateless ones never match.
    #[param(rename = "end_time__gte")]
    pub end_from: Option<String>,
    #[param(rename = "end_time__lte")]
    pub end_to: Option<String>,
    /// True: stateless, false: stateful.
    #[param(rename = "end_time__isnull")]
    pub end_is_null: Option<bool>,
    /// Minutes at least; open incidents are measured up to now.
    #[param(rename = "duration__gte")]
    pub duration: Option<f64>,
    /// Only the server's own incidents about expiring tokens.
    pub token_expiry: Option<bool>,
    /// Leaves out what is both closed and acknowledged.
    pub hide_closed_acked: Option<bool>,
    /// Covered by planned maintenance that is on.
    pub under_maintenance: Option<bool>,
    /// Matching a stored filter, one's own or a public one.
    pub filter_pk: Option<u64>,
    /// Matching any of the filters of a profile of the caller.
    pub notificationprofile_pk: Option<u64>,
    /// Answers `{"count", "params"}` instead of the list.
    pub count: Option<String>,
}

/// What `mine/` does not know.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WideQuery {
    /// Comma separated.
    #[param(rename = "source__id__in")]
    pub source_ids: Option<String>,
    /// Comma separated, exact.
    #[param(rename = "source__name__in")]
    pub source_names: Option<String>,
    /// Comma separated names of types.
    #[param(rename = "source__type__in")]
    pub source_types: Option<String>,
    /// Level at most.
    #[param(rename = "level__lte")]
    pub level: Option<f64>,
    /// Comma separated.
    #[param(rename = "id__in")]
    pub ids: Option<String>,
    /// Words, all of which must occur in the description or in those of the events.
    pub search: Option<String>,
}

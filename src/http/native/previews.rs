//! Previews of profiles: which messages a profile would have sent.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::bodies::EventReference;
use crate::domain::{DestinationId, FilterId, TimeslotId, limits};
use crate::http::{
    Api, BodyFields, Call, HandlerResult, Named, Payload, Request,
    argus::shared::blob::{BlobRequest, take_blob},
    error::NOT_NULL,
    reply, request,
};
use crate::service::{DraftFilter, PreviewDraft, ProfilePreview};

request! {
    /// A profile in the form of version 2 of the Argus API. Other fields are ignored.
    pub struct ProfilePreviewRequest requires ["timeslot", "filters"] {
        /// Primary key of one of the caller's timeslots.
        timeslot: u64 = timeslot,
        /// At least one.
        filters: Vec<DraftFilter> as Vec<Named<PreviewFilter>> =
            keys_and_objects(
                limits::FILTERS_PER_PROFILE,
                |pk| DraftFilter::Stored(FilterId(pk)),
                |item: &mut BodyFields| Some(DraftFilter::Inline(take_blob(item, true)))
            ),
        /// Primary keys of destinations of the caller.
        destinations: Vec<u64> = any_keys(limits::DESTINATIONS_PER_PROFILE),
        active: bool = flag,
        /// Days to look back, 30 by default.
        days: u32 = whole_number[1..=limits::PREVIEW_DAYS],
    }
}

/// Primary key of a filter that the caller may use, or criteria.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum PreviewFilter {
    Key(u64),
    Criteria(BlobRequest),
}

/// Computed as if the profile were the caller's only one, with the current timeslots, filters and maintenance.
#[derive(Serialize, ToSchema)]
#[schema(as = ProfilePreview)]
pub struct PreviewBody<'a> {
    since: String,
    until: String,
    /// There were too many events; those before `since` are left out.
    truncated: bool,
    /// Number of messages.
    count: u64,
    /// Number of events with at least one message.
    events: u64,
    /// Messages in each hour of the day, in the server's time zone.
    by_hour: &'a [u64],
    /// Messages of each day, in the server's time zone.
    by_day: BTreeMap<String, u64>,
    /// Messages by primary key of the destination.
    by_destination: BTreeMap<String, u64>,
    /// Number of times that each reason prevented a message, by code.
    silent: &'a BTreeMap<&'static str, u64>,
    /// Newest events with a message.
    examples: Vec<ExampleBody<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PreviewExample)]
struct ExampleBody<'a> {
    /// Primary key.
    incident: u64,
    event: EventReference,
    timestamp: String,
    /// The beginning of the incident's description.
    description: &'a str,
}

/// Preview a profile
///
/// Shows what it would have sent in the last days.
#[utoipa::path(post, path = "/profiles/preview/", tag = "notifications", request_body = ProfilePreviewRequest,
    responses((status = 200, body = PreviewBody<'static>)))]
pub async fn preview(Call { api, caller }: Call, payload: Payload) -> HandlerResult {
    let (draft, days) = payload.parse(take).await?;
    let forecast = api.service.notifications().forecast(&caller, draft, days).await?;
    Ok(reply::json(StatusCode::OK, &PreviewBody::new(&forecast, &api)))
}

fn take(fields: &mut BodyFields) -> Option<(PreviewDraft, u32)> {
    let sent = ProfilePreviewRequest::take(fields);
    let mut destinations: Vec<DestinationId> =
        sent.destinations.unwrap_or_default().into_iter().map(DestinationId).collect();
    destinations.sort_unstable();
    destinations.dedup();
    let active = sent.active.unwrap_or(true);
    let draft = PreviewDraft { timeslot: TimeslotId(sent.timeslot?), filters: sent.filters?, destinations, active };
    Some((draft, sent.days.unwrap_or(limits::PREVIEW_DAYS_DEFAULT)))
}

impl BodyFields {
    /// Reads the timeslot. Null is reported only if there is no other error.
    fn timeslot(&mut self, name: &str) -> Option<u64> {
        let timeslot = self.key(name);
        if timeslot.is_none() && !self.has_errors() {
            self.error(name, NOT_NULL);
        }
        timeslot
    }
}

impl<'a> PreviewBody<'a> {
    fn new(forecast: &'a ProfilePreview, api: &Api) -> Self {
        let at = |at| api.zoned().format(at).to_string();
        let examples = forecast.examples.iter().map(|example| ExampleBody {
            incident: example.event.incident.0,
            event: EventReference::new(example.event.id, Some(example.event.kind)),
            timestamp: at(example.event.timestamp),
            description: &example.description,
        });
        Self {
            since: at(forecast.since),
            until: at(forecast.until),
            truncated: forecast.truncated,
            count: forecast.count,
            events: forecast.events,
            by_hour: &forecast.by_hour,
            by_day: forecast.by_day.iter().map(|(day, count)| (day.to_string(), *count)).collect(),
            by_destination: forecast.by_destination.iter().map(|(id, count)| (id.to_string(), *count)).collect(),
            silent: &forecast.silent,
            examples: examples.collect(),
        }
    }
}

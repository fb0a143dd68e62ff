//! What a profile would have sent, before there is one.

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::{bodies::EventReference, requests::ProfilePreviewRequest};
use crate::{
    domain::{
        ids::{DestinationId, FilterId, TimeslotId},
        limits,
    },
    http::{
        Answer, Api, argus::shared::blob::take_blob, auth::Authenticated, body::Payload, error::NOT_NULL,
        fields::Fields, reply,
    },
    service::{DraftFilter, Forecast, PreviewDraft},
};

/// As if it were the caller's only profile, with the timeslots, filters and maintenance of today.
#[derive(Serialize, ToSchema)]
#[schema(as = ProfilePreview)]
pub struct PreviewBody<'a> {
    since: String,
    until: String,
    /// There were too many events: those before `since` were left out.
    truncated: bool,
    /// Messages.
    count: u64,
    /// Events of which there was a message at least.
    events: u64,
    /// Messages in each hour of the day, in the server's time zone.
    by_hour: &'a [u64],
    /// Messages of each day, in the server's time zone.
    by_day: BTreeMap<String, u64>,
    /// Messages by primary key of the destination.
    by_destination: BTreeMap<String, u64>,
    /// How often what stood against a message, by code of the reason.
    silent: &'a BTreeMap<&'static str, u64>,
    /// The newest events with a message.
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

/// Try a profile
///
/// What it would have sent in the last days.
#[utoipa::path(post, path = "/profiles/preview/", tag = "notifications", request_body = ProfilePreviewRequest,
    responses((status = 200, body = PreviewBody<'static>)))]
pub async fn preview(State(api): State<Api>, Authenticated(caller): Authenticated, payload: Payload) -> Answer {
    let (draft, days) = payload.parse(take).await?;
    let forecast = api.service.forecast(&caller, draft, days).await?;
    Ok(reply::json(StatusCode::OK, &PreviewBody::new(&forecast, &api)))
}

fn take(fields: &mut Fields) -> Option<(PreviewDraft, u32)> {
    fields.require("timeslot");
    fields.require("filters");
    let timeslot = fields.key("timeslot");
    if timeslot.is_none() && !fields.has_errors() {
        fields.error("timeslot", NOT_NULL);
    }
    let stored = |pk| DraftFilter::Stored(FilterId(pk));
    let inline = |item: &mut Fields| Some(DraftFilter::Inline(take_blob(item, true)));
    let filters = fields.keys_and_objects("filters", limits::FILTERS_PER_PROFILE, stored, inline);
    let destinations = fields.any_keys("destinations", limits::DESTINATIONS_PER_PROFILE).unwrap_or_default();
    let active = fields.flag("active").unwrap_or(true);
    let days = fields.whole_number("days", 1..=limits::PREVIEW_DAYS).unwrap_or(limits::PREVIEW_DAYS_DEFAULT);
    let mut destinations: Vec<DestinationId> = destinations.into_iter().map(DestinationId).collect();
    destinations.sort_unstable();
    destinations.dedup();
    let draft = PreviewDraft { timeslot: TimeslotId(timeslot?), filters: filters?, destinations, active };
    Some((draft, days))
}

impl<'a> PreviewBody<'a> {
    fn new(forecast: &'a Forecast, api: &Api) -> Self {
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

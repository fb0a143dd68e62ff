//! Why somebody was told of an event, or not.

use axum::{extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    bodies::{DestinationReference, EventReference},
    requests::DecisionsQuery,
};
use crate::{
    domain::{
        destination::Destination,
        explain::{Clause, Reason},
        ids::{DestinationId, EventId, IncidentId},
    },
    http::{Answer, Api, argus::keys::KeyPair, auth::Authenticated, params::Params, reply},
    service::{Decisions, ProfileDecision},
};

#[derive(Serialize, ToSchema)]
#[schema(as = Decisions)]
pub struct DecisionsBody<'a> {
    incident: u64,
    event: EventReference,
    /// Username.
    user: &'a str,
    /// False: nobody at all was to be told of this event.
    decided: bool,
    /// When it was decided. Null if it was not.
    at: Option<String>,
    told: bool,
    /// In a sentence or two.
    summary: &'a str,
    /// As they were then.
    profiles: Vec<ProfileDecisionBody<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ProfileDecision)]
struct ProfileDecisionBody<'a> {
    pk: u64,
    name: Option<&'a str>,
    /// `told` or `silent`.
    verdict: &'static str,
    /// Those that were told.
    destinations: Vec<DestinationReference<'a>>,
    /// Why others, or all, were not.
    reasons: Vec<ReasonBody<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Reason)]
struct ReasonBody<'a> {
    /// Primary key; null: all of the profile's.
    destination: Option<u64>,
    /// Stays the same: `profile_inactive`, `owner_inactive`, `no_filter`, `filter`, `filter_matches_nothing`,
    /// `event_type`, `outside_timeslot`, `maintenance`, `sending_off`, `no_destination`, `already_told` or
    /// `destination_reported`.
    code: &'static str,
    sentence: &'a str,
    /// What decided.
    clause: Option<ClauseBody<'a>>,
    /// Of a filter, by its name in the filter's blob.
    criterion: Option<&'static str>,
    wanted: Option<&'a str>,
    actual: Option<&'a str>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Clause)]
struct ClauseBody<'a> {
    /// `filter`, `timeslot`, `maintenance`, `profile`, `destination`, `user` or `setting`.
    kind: &'static str,
    pk: Option<u64>,
    /// Of maintenance the description.
    name: Option<&'a str>,
}

/// Ask why somebody was told of an event, or not
///
/// By the profiles as they were when it was decided; the answer stays the same whatever is edited afterwards.
#[utoipa::path(get, path = "/incidents/{pk}/events/{event_pk}/decisions/", tag = "notifications",
    params(DecisionsQuery), responses((status = 200, body = DecisionsBody<'static>), (status = 403)))]
pub async fn explain(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    KeyPair(incident, event): KeyPair,
    params: Params,
) -> Answer {
    let user = params.get("user").map(str::to_owned);
    let decisions = api.service.decisions(&caller, IncidentId(incident), EventId(event), user).await?;
    Ok(reply::json(StatusCode::OK, &DecisionsBody::new(&decisions, &api)))
}

impl<'a> DecisionsBody<'a> {
    fn new(decisions: &'a Decisions, api: &Api) -> Self {
        let event = &decisions.event;
        Self {
            incident: event.incident.0,
            event: EventReference::new(event.id, Some(event.kind)),
            user: &decisions.username,
            decided: decisions.decided,
            at: decisions.decided.then(|| api.zoned().format(event.received).to_string()),
            told: decisions.profiles.iter().any(|profile| !profile.told.is_empty()),
            summary: &decisions.summary,
            profiles: decisions.profiles.iter().map(ProfileDecisionBody::new).collect(),
        }
    }
}

impl<'a> ProfileDecisionBody<'a> {
    fn new(profile: &'a ProfileDecision) -> Self {
        let destination = |it: &'a Destination| DestinationReference {
            pk: it.id.0,
            medium: &it.medium,
            address: Some(it.shown()),
            label: it.label.as_deref(),
        };
        Self {
            pk: profile.id.0,
            name: profile.name.as_deref(),
            verdict: if profile.told.is_empty() { "silent" } else { "told" },
            destinations: profile.told.iter().map(destination).collect(),
            reasons: profile.reasons.iter().map(ReasonBody::new).collect(),
        }
    }
}

impl<'a> ReasonBody<'a> {
    fn new((destination, reason): &'a (Option<DestinationId>, Reason)) -> Self {
        let clause = |it: &'a Clause| ClauseBody { kind: it.kind.name(), pk: it.id, name: it.name.as_deref() };
        Self {
            destination: destination.map(|id| id.0),
            code: reason.code,
            sentence: &reason.sentence,
            clause: reason.clause.as_ref().map(clause),
            criterion: reason.criterion,
            wanted: reason.wanted.as_deref(),
            actual: reason.actual.as_deref(),
        }
    }
}

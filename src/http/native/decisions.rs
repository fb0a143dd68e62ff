//! Explanations why a user or contact was notified of an event, or not.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::bodies::{ChannelReference, ContactReference, DestinationReference, EventReference};
use crate::domain::{
    Channel, Delivery, Destination, DestinationId, EventId, IncidentId,
    destination::shows_settings,
    explain::{Clause, Reason},
};
use crate::http::{Api, ApiError, Call, HandlerResult, KeyPair, Params, reply};
use crate::service::{DecisionRecipient, Decisions, ProfileDecision, RuleDecision};

#[derive(Serialize, ToSchema)]
#[schema(as = Decisions)]
pub struct DecisionsBody<'a> {
    incident: u64,
    event: EventReference,
    /// Username. Null if the request names a contact.
    user: Option<&'a str>,
    /// Null unless the request names a contact.
    contact: Option<ContactReference<'a>>,
    /// False: nobody was to be notified of this event.
    decided: bool,
    /// When it was decided. Null if it was not.
    at: Option<String>,
    /// Whether a message was created for the user or contact. `messages` shows the deliveries.
    told: bool,
    messages: MessageCounts,
    /// One or two sentences.
    summary: &'a str,
    /// The profiles of the user at that time.
    profiles: Vec<ProfileDecisionBody<'a>>,
    /// All rules at that time, if the request names a contact.
    rules: Vec<RuleDecisionBody<'a>>,
}

/// Number of messages that were created, by status.
#[derive(Serialize, ToSchema)]
struct MessageCounts {
    /// The next server accepted them.
    sent: usize,
    /// Not sent yet.
    queued: usize,
    failed: usize,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RuleDecision)]
struct RuleDecisionBody<'a> {
    pk: u64,
    name: &'a str,
    /// `told` (a message was created) or `silent`.
    verdict: &'static str,
    /// Channels via which a message to the contact was created.
    channels: Vec<ChannelReference<'a>>,
    /// Reasons why other channels, or all, were not used.
    reasons: Vec<ReasonBody<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ProfileDecision)]
struct ProfileDecisionBody<'a> {
    pk: u64,
    name: Option<&'a str>,
    /// `told` (a message was created) or `silent`.
    verdict: &'static str,
    /// Destinations for which a message was created.
    destinations: Vec<DestinationReference<'a>>,
    /// Reasons why other destinations, or all, were not used.
    reasons: Vec<ReasonBody<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Reason)]
struct ReasonBody<'a> {
    /// Primary key. Null: all destinations of the profile.
    destination: Option<u64>,
    /// UUID, only in rules. Null: all channels of the contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    channel: Option<Uuid>,
    /// Stable code: `profile_inactive`, `rule_inactive`, `not_recipient`, `owner_inactive`, `no_filter`, `filter`,
    /// `filter_matches_nothing`, `event_type`, `outside_timeslot`, `maintenance`, `sending_off`, `no_destination`,
    /// `already_told`, `destination_reported` or `too_many_recipients`.
    code: &'static str,
    sentence: &'a str,
    /// The object that decided.
    clause: Option<ClauseBody<'a>>,
    /// Key of the criterion in the blob of the filter.
    criterion: Option<&'static str>,
    wanted: Option<&'a str>,
    actual: Option<&'a str>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Clause)]
struct ClauseBody<'a> {
    /// `filter`, `timeslot`, `maintenance`, `profile`, `rule`, `destination`, `user` or `setting`.
    kind: &'static str,
    pk: Option<u64>,
    /// For maintenance, its description.
    name: Option<&'a str>,
}

/// Explain why somebody was notified of an event, or not
///
/// Uses the profiles, or for a contact the rules, as they were when it was decided. Later edits do not change the
/// answer, except for the deliveries of the messages.
#[utoipa::path(get, path = "/incidents/{pk}/events/{event_pk}/decisions/", tag = "notifications",
    params(
        ("user" = Option<String>, Query,
            description = "Username; by default the caller. Others than oneself may be asked for by staff."),
        ("contact" = Option<String>, Query, description = "UUID of a contact, in place of a user. For staff."),
    ),
    responses((status = 200, body = DecisionsBody<'static>), (status = 403)))]
pub async fn explain(Call { api, caller }: Call, KeyPair(incident, event): KeyPair, params: Params) -> HandlerResult {
    let (incident, event) = (IncidentId(incident), EventId(event));
    let user = params.get("user").map(str::to_owned);
    let decisions = match (params.get("contact").map(str::parse::<Uuid>), user) {
        (None, user) => api.service.notifications().decisions(&caller, incident, event, user).await?,
        (Some(Ok(contact)), None) => {
            api.service.notifications().rule_decisions(&caller, incident, event, contact).await?
        }
        (Some(Ok(_)), Some(_)) => return Err(ApiError::field("contact", "Ask for a user or for a contact, not both.")),
        (Some(Err(_)), _) => return Err(ApiError::field("contact", "Must be a valid UUID.")),
    };
    Ok(reply::json(StatusCode::OK, &DecisionsBody::new(&decisions, &api)))
}

impl<'a> DecisionsBody<'a> {
    fn new(decisions: &'a Decisions, api: &Api) -> Self {
        let event = &decisions.event;
        let (user, contact) = match &decisions.recipient {
            DecisionRecipient::User(username) => (Some(username.as_str()), None),
            DecisionRecipient::Contact(contact) => {
                (None, Some(ContactReference { uuid: contact.uuid, full_name: &contact.full_name }))
            }
        };
        let by_rule = |rule| RuleDecisionBody::new(rule, &decisions.recipient);
        Self {
            incident: event.incident.0,
            event: EventReference::new(event.id, Some(event.kind)),
            user,
            contact,
            decided: decisions.decided,
            at: decisions.decided.then(|| api.zoned().format(event.received).to_string()),
            told: decisions.profiles.iter().any(|profile| !profile.notified.is_empty())
                || decisions.rules.iter().any(|rule| !rule.notified.is_empty()),
            messages: {
                let count = |delivery| decisions.messages.iter().filter(|row| row.delivery() == delivery).count();
                MessageCounts {
                    sent: count(Delivery::Sent),
                    queued: count(Delivery::Queued),
                    failed: count(Delivery::Failed),
                }
            },
            summary: &decisions.summary,
            profiles: decisions.profiles.iter().map(ProfileDecisionBody::new).collect(),
            rules: decisions.rules.iter().map(by_rule).collect(),
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
            verdict: if profile.notified.is_empty() { "silent" } else { "told" },
            destinations: profile.notified.iter().map(destination).collect(),
            reasons: profile.reasons.iter().map(|(to, reason)| ReasonBody::new(*to, None, reason)).collect(),
        }
    }
}

impl<'a> RuleDecisionBody<'a> {
    fn new(rule: &'a RuleDecision, recipient: &DecisionRecipient) -> Self {
        let address = |channel: &Channel| match recipient {
            DecisionRecipient::Contact(contact) if shows_settings(&channel.kind) => {
                channel.address_of(contact).unwrap_or_default()
            }
            _ => String::new(),
        };
        let channel = |it: &'a Arc<Channel>| ChannelReference {
            uuid: Some(it.uuid),
            name: Some(&it.name),
            r#type: &it.kind,
            address: Some(address(it)),
        };
        Self {
            pk: rule.id.0,
            name: &rule.name,
            verdict: if rule.notified.is_empty() { "silent" } else { "told" },
            channels: rule.notified.iter().map(channel).collect(),
            reasons: rule.reasons.iter().map(|(to, reason)| ReasonBody::new(None, *to, reason)).collect(),
        }
    }
}

impl<'a> ReasonBody<'a> {
    fn new(destination: Option<DestinationId>, channel: Option<Uuid>, reason: &'a Reason) -> Self {
        let clause = |it: &'a Clause| ClauseBody { kind: it.kind.name(), pk: it.id, name: it.name.as_deref() };
        Self {
            destination: destination.map(|id| id.0),
            channel,
            code: reason.code,
            sentence: &reason.sentence,
            clause: reason.clause.as_ref().map(clause),
            criterion: reason.criterion,
            wanted: reason.wanted.as_deref(),
            actual: reason.actual.as_deref(),
        }
    }
}

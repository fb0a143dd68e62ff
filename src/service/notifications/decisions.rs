//! Explains why a user was sent a message about an event, or was not: repeats the decision with the configuration of
//! that time, and adds the delivery of the messages.

use std::sync::Arc;

use crate::domain::{
    Contact, Destination, DestinationId, Directory, Event, EventId, EventType, Incident, IncidentId, IncidentTag,
    ProfileId, Timestamp, UserId,
    explain::{self, ExplainedRoute, Reason},
    message::{MessageOutcome, Route, outcomes_in_words},
    plan::{Occurrence, ProfileVerdict, verdicts},
    subscription::Basis,
};
use crate::service::{
    Caller, Model, Notification, Notifications, RuleDecision, ServiceError, notifications::deliveries::messages_about,
    policy::Action,
};
use crate::store::{Snapshot, StoreError};

/// The decision for one user or contact.
#[derive(Clone, Debug)]
pub struct Decisions {
    pub event: Event,
    pub recipient: DecisionRecipient,
    /// Whether it was decided at all who is notified of the event.
    pub decided: bool,
    /// Sentence for users.
    pub summary: String,
    /// Profiles of the user, by id.
    pub profiles: Vec<ProfileDecision>,
    /// Rules, by id.
    pub rules: Vec<RuleDecision>,
    /// Messages to that user or contact about the event, with their current state.
    pub messages: Vec<Notification>,
}

#[derive(Clone, Debug)]
pub enum DecisionRecipient {
    /// The username.
    User(String),
    /// The contact as of the decision; the current one if it did not exist then.
    Contact(Contact),
}

/// Result of one profile, as it was then.
#[derive(Clone, Debug)]
pub struct ProfileDecision {
    pub id: ProfileId,
    pub name: Option<String>,
    pub notified: Vec<Destination>,
    /// Reasons against messages, each for one destination, or for all.
    pub reasons: Vec<(Option<DestinationId>, Reason)>,
}

impl Notifications {
    /// Explains the decision about an event for a user, or for the caller if `username` is `None`. The answer does not
    /// depend on later changes of the configuration. Only the state of the messages is current.
    pub async fn decisions(
        &self,
        caller: &Caller,
        incident: IncidentId,
        event: EventId,
        username: Option<String>,
    ) -> Result<Decisions, ServiceError> {
        let own = caller.user.username.clone();
        let username = username.unwrap_or_else(|| own.clone());
        if username != own {
            caller.require(Action::SeeOthersNotifications)?;
        }
        let known = if username == own { Some(caller.id()) } else { self.user_id(&username) };
        let (caller, now) = (caller.clone(), self.now());
        self.store()
            .read(move |snapshot| {
                let about = snapshot.incident(incident)?.ok_or(ServiceError::NotFound(Model::Incident))?;
                let event = snapshot.event(incident, event)?.ok_or(ServiceError::NotFound(Model::Event))?;
                explain_event(snapshot, &about, event, (&username, known), &caller, now)
            })
            .await
    }

    fn user_id(&self, username: &str) -> Option<UserId> {
        self.directory().user_named(username).map(|user| user.id)
    }
}

fn explain_event(
    snapshot: &Snapshot,
    incident: &Incident,
    event: Event,
    (username, known): (&str, Option<UserId>),
    caller: &Caller,
    now: Timestamp,
) -> Result<Decisions, ServiceError> {
    let answer = |event, summary, profiles| {
        let recipient = DecisionRecipient::User(username.to_owned());
        Decisions { event, recipient, decided: true, summary, profiles, rules: Vec::new(), messages: Vec::new() }
    };
    let Some(seq) = event.after.decided else {
        known.ok_or(ServiceError::NotFound(Model::User))?;
        let summary = undecided(&event);
        return Ok(Decisions { decided: false, ..answer(event, summary, Vec::new()) });
    };
    let directory = snapshot.directory_at(seq)?;
    // The user may have had another name then.
    let user = known.or_else(|| directory.user_named(username).map(|user| user.id));
    let user = user.ok_or(ServiceError::NotFound(Model::User))?;
    if directory.user(user).is_none() {
        let summary = format!("There was no user {username} yet when this was decided.");
        return Ok(answer(event, summary, Vec::new()));
    }
    let Some(tags) = tags_then(snapshot, incident, &event)? else {
        return Ok(answer(event, TAGS_UNKNOWN.to_owned(), Vec::new()));
    };
    let has_ticket = !incident.ticket_url.is_empty();
    let occurrence = Occurrence::new(&event, incident.source, incident.end.is_stateful(), has_ticket, &tags);
    let verdicts = verdicts(&directory, user, &occurrence);
    let profiles: Vec<ProfileDecision> =
        verdicts.into_iter().filter_map(|it| profile_decision(it, &directory, &occurrence)).collect();
    let messages = if profiles.iter().all(|profile| profile.notified.is_empty()) {
        Vec::new()
    } else {
        let is_theirs = |route: &Route| matches!(route, Route::Destination { user: whose, .. } if *whose == user);
        messages_about(snapshot, &event, now, is_theirs)?
    };
    let summary = summary(username, &profiles, &outcomes(&messages, caller));
    Ok(Decisions { messages, ..answer(event, summary, profiles) })
}

/// Describes the delivery of the messages in words. Unknown for messages that have been deleted.
pub(in crate::service) fn outcomes(messages: &[Notification], caller: &Caller) -> String {
    let outcomes: Vec<MessageOutcome<'_>> = messages.iter().map(|row| row.outcome(caller)).collect();
    match outcomes_in_words(&outcomes) {
        words if words.is_empty() => "what became of the messages is not known".to_owned(),
        words => words,
    }
}

pub(in crate::service) const TAGS_UNKNOWN: &str = "The tags that the incident had then are not known any more, so nothing can be \
                                       said for sure. What was sent is in the list of the incident's notifications.";

pub(in crate::service) fn undecided(event: &Event) -> String {
    let why = match event.kind {
        EventType::Change => "the server notes such changes by itself, as a by-product of what somebody did",
        _ => "it was loaded, or stored before this server sent messages",
    };
    format!("Nobody was to be notified of this event: {why}.")
}

/// Returns the tags as of the event. `None`: the event is older than the history of tags.
pub(in crate::service) fn tags_then(
    snapshot: &Snapshot,
    incident: &Incident,
    event: &Event,
) -> Result<Option<Vec<IncidentTag>>, ServiceError> {
    match snapshot.tags_at(incident, event.after.tags_version) {
        Ok(tags) => Ok(Some(tags)),
        Err(StoreError::Damaged(what)) => {
            tracing::warn!("a decision cannot be explained: {what}");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn profile_decision(
    verdict: ProfileVerdict,
    directory: &Directory,
    occurrence: &Occurrence<'_>,
) -> Option<ProfileDecision> {
    let profile = directory.profiles.get(&verdict.profile)?;
    let notified = verdict.notified.iter().filter_map(|id| directory.destinations.get(id));
    let basis = Basis::Profile(Arc::clone(profile));
    let reason = |(destination, silence): (Option<DestinationId>, _)| {
        let place = destination.map_or(ExplainedRoute::All, ExplainedRoute::Destination);
        (destination, explain::explain(silence, &basis, place, directory, occurrence))
    };
    Some(ProfileDecision {
        id: profile.id,
        name: profile.name.clone(),
        notified: notified.map(|destination| Destination::clone(destination)).collect(),
        reasons: verdict.silences.into_iter().map(reason).collect(),
    })
}

fn summary(username: &str, profiles: &[ProfileDecision], outcomes: &str) -> String {
    let notified: usize = profiles.iter().map(|profile| profile.notified.len()).sum();
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    match (profiles, notified) {
        ([], _) => format!("{username} had no notification profile, so nothing was sent."),
        ([only], 0) => {
            let reasons: Vec<&str> = only.reasons.iter().map(|(_, reason)| reason.sentence.as_str()).collect();
            format!("{username} was not notified. {}", reasons.join(" "))
        }
        (_, 0) => {
            format!("{username} was not notified: none of {} led to a message.", count(profiles.len(), "profile"))
        }
        _ => format!("{username}: {outcomes}."),
    }
}

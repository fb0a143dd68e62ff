//! Explains why a contact was notified of an event, or was not: judges each rule with the contact and configuration of
//! that time.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    sync::Arc,
};

use uuid::Uuid;

use crate::domain::{
    Channel, ChannelId, Contact, Directory, Event, EventId, Incident, IncidentId, MessageSubject, RuleId, Timestamp,
    explain::{self, ExplainedRoute, Reason},
    message::Route,
    plan::{NearReason, Occurrence, RuleVerdict, Silence, left_out, rule_verdicts},
    subscription::Basis,
};
use crate::service::{
    Caller, Decisions, Model, Notifications, ServiceError,
    notifications::{
        decisions::{DecisionRecipient, TAGS_UNKNOWN, outcomes, tags_then, undecided},
        deliveries::messages_about,
    },
    policy::Action,
};
use crate::store::Snapshot;

/// Result of one rule for the contact, as they were then.
#[derive(Clone, Debug)]
pub struct RuleDecision {
    pub id: RuleId,
    pub name: String,
    pub notified: Vec<Arc<Channel>>,
    /// Reasons against messages, each for one channel, or for all.
    pub reasons: Vec<(Option<Uuid>, Reason)>,
}

impl Notifications {
    /// Explains the decision about an event for a contact. The caller must be allowed to see notifications of others.
    pub async fn rule_decisions(
        &self,
        caller: &Caller,
        incident: IncidentId,
        event: EventId,
        contact: Uuid,
    ) -> Result<Decisions, ServiceError> {
        caller.require(Action::SeeOthersNotifications)?;
        let (caller, now) = (caller.clone(), self.now());
        self.store()
            .read(move |snapshot| {
                let about = snapshot.incident(incident)?.ok_or(ServiceError::NotFound(Model::Incident))?;
                let event = snapshot.event(incident, event)?.ok_or(ServiceError::NotFound(Model::Event))?;
                explain_event(snapshot, &about, event, contact, &caller, now)
            })
            .await
    }
}

fn explain_event(
    snapshot: &Snapshot,
    incident: &Incident,
    event: Event,
    uuid: Uuid,
    caller: &Caller,
    moment: Timestamp,
) -> Result<Decisions, ServiceError> {
    const UNKNOWN: ServiceError = ServiceError::NotFound(Model::Contact);
    let answer = |event, contact, summary, rules| {
        let recipient = DecisionRecipient::Contact(contact);
        Decisions { event, recipient, decided: true, summary, profiles: Vec::new(), rules, messages: Vec::new() }
    };
    let now = snapshot.contact(uuid)?;
    let Some(seq) = event.after.decided else {
        let summary = undecided(&event);
        return Ok(Decisions { decided: false, ..answer(event, now.ok_or(UNKNOWN)?, summary, Vec::new()) });
    };
    let Some(contact) = snapshot.contact_with_uuid_at(uuid, seq)? else {
        let contact = now.ok_or(UNKNOWN)?;
        let summary = format!("There was no contact {} yet when this was decided.", contact.full_name);
        return Ok(answer(event, contact, summary, Vec::new()));
    };
    let Some(tags) = tags_then(snapshot, incident, &event)? else {
        return Ok(answer(event, contact, TAGS_UNKNOWN.to_owned(), Vec::new()));
    };
    let directory = snapshot.directory_at(seq)?;
    let has_ticket = !incident.ticket_url.is_empty();
    let occurrence = Occurrence::new(&event, incident.source, incident.end.is_stateful(), has_ticket, &tags);
    let mut verdicts = rule_verdicts(&directory, &contact, &occurrence);
    note_left_out(&mut verdicts, snapshot, &event, &contact, &directory)?;
    let rules: Vec<RuleDecision> =
        verdicts.into_iter().filter_map(|it| decision(it, &contact, &directory, &occurrence)).collect();
    let messages = if rules.iter().all(|rule| rule.notified.is_empty()) {
        Vec::new()
    } else {
        let is_theirs = |route: &Route| matches!(route, Route::Contact { contact: whose, .. } if *whose == contact.id);
        messages_about(snapshot, &event, moment, is_theirs)?
    };
    let summary = summary(&contact, &rules, &outcomes(&messages, caller));
    Ok(Decisions { messages, ..answer(event, contact, summary, rules) })
}

/// Marks the channels via which the contact got no message because the event had too many recipients. They are only
/// known from the messages that exist.
fn note_left_out(
    verdicts: &mut [RuleVerdict],
    snapshot: &Snapshot,
    event: &Event,
    contact: &Contact,
    directory: &Directory,
) -> Result<(), ServiceError> {
    let (near_misses, _) = snapshot.near_misses(event.incident, event.id)?;
    let counts: BTreeMap<RuleId, u32> = left_out(&near_misses).collect();
    if counts.is_empty() {
        return Ok(());
    }
    let about = MessageSubject::Event { incident: event.incident, event: event.id };
    let mut notified: BTreeSet<ChannelId> = BTreeSet::new();
    snapshot.for_each_message_of(event.incident, None, &mut |message| {
        if let Route::Contact { contact: recipient, channel, .. } = message.route
            && recipient == contact.id
            && message.about == about
        {
            notified.insert(channel);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    for verdict in verdicts {
        let is_told = |uuid: &Uuid| directory.channels.get(uuid).is_some_and(|channel| notified.contains(&channel.id));
        let (notified, silent) = std::mem::take(&mut verdict.notified).into_iter().partition(is_told);
        verdict.notified = notified;
        let left_out = counts.get(&verdict.rule).copied().unwrap_or_default();
        let silence = Silence::Near(NearReason::TooMany { left_out });
        let silent: Vec<Uuid> = silent;
        verdict.silences.extend(silent.into_iter().map(|uuid| (Some(uuid), silence)));
    }
    Ok(())
}

fn decision(
    verdict: RuleVerdict,
    contact: &Contact,
    directory: &Directory,
    occurrence: &Occurrence<'_>,
) -> Option<RuleDecision> {
    let rule = directory.rules.get(&verdict.rule)?;
    let basis = Basis::Rule(Arc::clone(rule));
    let reason = |(channel, silence): (Option<Uuid>, _)| {
        let known = |uuid| directory.channels.get(&uuid).map(AsRef::as_ref);
        let place = channel.map_or(ExplainedRoute::All, |uuid| ExplainedRoute::Channel(contact, known(uuid)));
        (channel, explain::explain(silence, &basis, place, directory, occurrence))
    };
    Some(RuleDecision {
        id: rule.id,
        name: rule.name.clone(),
        notified: verdict.notified.iter().filter_map(|uuid| directory.channels.get(uuid)).cloned().collect(),
        reasons: verdict.silences.into_iter().map(reason).collect(),
    })
}

fn summary(contact: &Contact, rules: &[RuleDecision], outcomes: &str) -> String {
    let name = &contact.full_name;
    let by: Vec<String> =
        rules.iter().filter(|rule| !rule.notified.is_empty()).map(|rule| format!("\"{}\"", rule.name)).collect();
    match (rules, by.as_slice()) {
        ([], _) => format!("There were no rules, so {name} was not notified."),
        ([only], []) => {
            let reasons: Vec<&str> = only.reasons.iter().map(|(_, reason)| reason.sentence.as_str()).collect();
            format!("{name} was not notified. {}", reasons.join(" "))
        }
        (_, []) => format!("{name} was not notified: none of {} rules led to a message.", rules.len()),
        (_, [only]) => format!("{name}: {outcomes}, by rule {only}."),
        _ => format!("{name}: {outcomes}, by rules {}.", by.join(", ")),
    }
}

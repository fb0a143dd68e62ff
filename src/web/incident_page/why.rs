//! "Why was … not notified?": the chosen user or contact, and the explanation.

use crate::domain::{
    ChannelId, Delivery, DestinationId, EventId, IncidentId,
    contact_filter::{Column, Filter, Test},
    explain::Reason,
    message::Route,
};
use crate::service::{Caller, DecisionRecipient, Decisions, Model, Notification, Service, ServiceError};
use crate::web::{FormFields, Problem, delivery};

/// Content of the form, and the answers.
#[derive(Default)]
pub struct Why {
    pub recipient: String,
    pub event: Option<EventId>,
    pub answers: Vec<AnswerView>,
    pub problem: Option<Problem>,
}

/// Answer for one user or contact of that name.
pub struct AnswerView {
    /// Whether there were messages and all of them were sent.
    pub is_sent: bool,
    pub summary: String,
    pub ways: Vec<RouteAnswer>,
}

/// Result of one profile or rule.
pub struct RouteAnswer {
    pub name: String,
    pub notified: Vec<MessageAnswer>,
    pub sentences: Vec<String>,
}

/// Message of a profile or rule: its address and delivery.
pub struct MessageAnswer {
    pub place: String,
    pub state: &'static str,
    /// Class of the badge.
    pub look: &'static str,
}

impl MessageAnswer {
    fn new(place: String, row: Option<&Notification>) -> Self {
        let (state, look) = row.map_or(("no message found", "warn"), |row| (delivery::word(row), delivery::look(row)));
        Self { place, state, look }
    }
}

/// Answers the question in the query of the page. `newest` is used if the query names no event.
pub async fn ask(
    service: &Service,
    caller: &Caller,
    incident: IncidentId,
    fields: &FormFields,
    newest: Option<EventId>,
) -> Result<Why, ServiceError> {
    let own = fields.ticked("me").then(|| caller.user.username.clone());
    let recipient = own.or_else(|| fields.filled("whom").map(str::to_owned));
    let named = fields.numbers("event").next().map(EventId);
    let Some(recipient) = recipient else { return Ok(Why { event: named.or(newest), ..Why::default() }) };
    let mut why = Why { recipient, event: named.or(newest), ..Why::default() };
    let Some(event) = why.event else {
        why.problem = Some("Notifications were not evaluated for this incident.".into());
        return Ok(why);
    };
    let mut found = Vec::new();
    match service.notifications().decisions(caller, incident, event, Some(why.recipient.clone())).await {
        Ok(decisions) => found.push(decisions),
        Err(ServiceError::NotFound(Model::User)) => {}
        Err(ServiceError::NotFound(Model::Event)) => {
            why.problem = Some(Problem::of("event", "This incident has no such event."));
            return Ok(why);
        }
        Err(ServiceError::Forbidden) => {
            why.problem = Some(Problem::of("whom", "You can ask only about yourself. Staff can ask about others."));
            return Ok(why);
        }
        Err(error) => return Err(error),
    }
    if caller.may_see_addresses_of_contacts() {
        found.extend(of_contacts(service, caller, incident, event, &why.recipient).await?);
    }
    if found.is_empty() {
        let text = format!("No user or contact is named \"{}\".", why.recipient);
        why.problem = Some(Problem::of("whom", text));
    }
    why.answers = found.iter().map(AnswerView::new).collect();
    Ok(why)
}

/// Explains the decisions about contacts with this full name or username, at most `NAMESAKES` of them.
async fn of_contacts(
    service: &Service,
    caller: &Caller,
    incident: IncidentId,
    event: EventId,
    name: &str,
) -> Result<Vec<Decisions>, ServiceError> {
    const NAMESAKES: usize = 3;
    let named = |column| Filter::Text(column, Test::OneOf(vec![name.to_owned()]));
    let filter = Filter::Any(vec![named(Column::FullName), named(Column::Username)]);
    let mut found = Vec::new();
    for contact in service.contacts().contacts_page(filter, None, NAMESAKES).await?.rows {
        found.push(service.notifications().rule_decisions(caller, incident, event, contact.uuid).await?);
    }
    Ok(found)
}

impl AnswerView {
    fn new(decisions: &Decisions) -> Self {
        let to_destination = |id: DestinationId| {
            let is_it = |row: &&Notification| matches!(row.message.route, Route::Destination { destination, .. } if destination == id);
            decisions.messages.iter().find(is_it)
        };
        let over_channel = |id: ChannelId| {
            let is_it =
                |row: &&Notification| matches!(row.message.route, Route::Contact { channel, .. } if channel == id);
            decisions.messages.iter().find(is_it)
        };
        let sentences = |reasons: &mut dyn Iterator<Item = &Reason>| reasons.map(|it| it.sentence.clone()).collect();
        let mut ways: Vec<RouteAnswer> = decisions
            .profiles
            .iter()
            .map(|it| RouteAnswer {
                name: it.name.clone().map_or(format!("Profile {}", it.id), |name| format!("Profile \"{name}\"")),
                notified: it
                    .notified
                    .iter()
                    .map(|to| MessageAnswer::new(place(&to.medium, &to.shown()), to_destination(to.id)))
                    .collect(),
                sentences: sentences(&mut it.reasons.iter().map(|(_, reason)| reason)),
            })
            .collect();
        ways.extend(decisions.rules.iter().map(|it| {
            RouteAnswer {
                name: format!("Rule \"{}\"", it.name),
                notified: it
                    .notified
                    .iter()
                    .map(|channel| MessageAnswer::new(channel.name.clone(), over_channel(channel.id)))
                    .collect(),
                sentences: sentences(&mut it.reasons.iter().map(|(_, reason)| reason)),
            }
        }));
        // Rules with other recipients do not concern this contact.
        if matches!(decisions.recipient, DecisionRecipient::Contact(_)) {
            let is_for_others = |index: usize| {
                decisions
                    .rules
                    .get(index)
                    .is_some_and(|it| it.reasons.iter().any(|(_, why)| why.code == "not_recipient"))
            };
            let mut index = 0;
            ways.retain(|_| {
                index += 1;
                !is_for_others(index - 1)
            });
        }
        let is_sent =
            !decisions.messages.is_empty() && decisions.messages.iter().all(|row| row.delivery() == Delivery::Sent);
        Self { is_sent, summary: decisions.summary.clone(), ways }
    }
}

fn place(medium: &str, address: &str) -> String {
    if address.is_empty() { medium.to_owned() } else { format!("{medium} {address}") }
}

//! Messages as JSON, with only the fields that the caller may see.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::{
    Directory, EventId, EventType, Message, MessageState, MessageSubject, Timestamp, Zoned, message::Route,
};
use crate::http::Api;
use crate::service::{Caller, Notification};

/// A message with its recipient, its origin and its delivery.
#[derive(Serialize, ToSchema)]
#[schema(as = Notification)]
pub struct NotificationBody<'a> {
    pk: u64,
    /// Null in summaries.
    incident: Option<u64>,
    /// Null in summaries.
    event: Option<EventReference>,
    /// Only in summaries: the messages that this one stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    summary_of: Option<Vec<u64>>,
    /// Username. `user`, `profile` and `destination` are null if the recipient is a contact.
    user: Option<&'a str>,
    profile: Option<NamedReference<'a>>,
    destination: Option<DestinationReference<'a>>,
    /// `contact`, `rule` and `channel` are null if the recipient is a user.
    contact: Option<ContactReference<'a>>,
    rule: Option<NamedReference<'a>>,
    channel: Option<ChannelReference<'a>>,
    /// `queued` (not sent yet), `sent` (the next server accepted it) or `failed`. For a part of a summary, the status
    /// of the summary.
    status: &'static str,
    /// The stored state: `due` (queued), `delivered` (sent: the next server accepted it), `dead` (failed) or `gathered`
    /// (part of a summary, whose state counts).
    state: &'static str,
    /// Null unless `state` is `gathered`.
    summary: Option<SummaryReference<'a>>,
    /// Number of attempts to send it.
    attempts: u32,
    /// When the message was created.
    created: String,
    /// Null unless `state` is `due`.
    next_attempt: Option<String>,
    last_attempt: Option<String>,
    /// When it was sent, failed, or became part of a summary.
    settled: Option<String>,
    /// The last answer of the provider, or the last network error. Null if the caller may not see it.
    answer: Option<&'a str>,
}

#[derive(Serialize, ToSchema)]
pub struct EventReference {
    pk: u64,
    /// Code, such as `STA`. Null if the event was deleted.
    r#type: Option<&'static str>,
}

/// The name is null if there is none, or if the object was deleted.
#[derive(Serialize, ToSchema)]
struct NamedReference<'a> {
    pk: u64,
    name: Option<&'a str>,
}

/// Address and label are null if the caller may not see them.
#[derive(Serialize, ToSchema)]
pub struct DestinationReference<'a> {
    pub pk: u64,
    pub medium: &'a str,
    /// The address at that time.
    pub address: Option<String>,
    pub label: Option<&'a str>,
}

/// A contact with its name at that time.
#[derive(Serialize, ToSchema)]
pub struct ContactReference<'a> {
    #[schema(value_type = String, format = "uuid")]
    pub uuid: Uuid,
    pub full_name: &'a str,
}

/// UUID and name are null if the channel was deleted. The address is null if the caller may not see it.
#[derive(Serialize, ToSchema)]
pub struct ChannelReference<'a> {
    #[schema(value_type = Option<String>, format = "uuid")]
    pub uuid: Option<Uuid>,
    pub name: Option<&'a str>,
    pub r#type: &'a str,
    /// The address at that time. Empty if it may contain a secret.
    pub address: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct SummaryReference<'a> {
    pk: u64,
    status: &'static str,
    state: &'static str,
    attempts: u32,
    next_attempt: Option<String>,
    last_attempt: Option<String>,
    settled: Option<String>,
    answer: Option<&'a str>,
}

impl EventReference {
    #[must_use]
    pub fn new(id: EventId, kind: Option<EventType>) -> Self {
        Self { pk: id.0, r#type: kind.map(EventType::code) }
    }
}

/// Converts messages to JSON for one caller.
pub struct Writer<'a> {
    caller: &'a Caller,
    directory: Arc<Directory>,
    zoned: &'a Zoned,
}

impl<'a> Writer<'a> {
    #[must_use]
    pub fn new(api: &'a Api, caller: &'a Caller) -> Self {
        Self { caller, directory: api.service.directory(), zoned: api.zoned() }
    }

    #[must_use]
    pub fn notification<'b>(&'b self, row: &'b Notification) -> NotificationBody<'b> {
        let message = &row.message;
        let is_seen = match &message.route {
            Route::Destination { user, .. } => self.caller.may_see_addresses_of(*user),
            Route::Contact { .. } => self.caller.may_see_addresses_of_contacts(),
        };
        let (incident, event, summary_of) = match &message.about {
            MessageSubject::Event { incident, event } => {
                (Some(incident.0), Some(EventReference::new(*event, row.kind)), None)
            }
            MessageSubject::Summary(of) => (None, None, Some(of.iter().map(|id| id.0).collect())),
        };
        let bare = NotificationBody {
            pk: message.id.0,
            incident,
            event,
            summary_of,
            user: None,
            profile: None,
            destination: None,
            contact: None,
            rule: None,
            channel: None,
            status: row.delivery().word(),
            state: state(message),
            summary: row.summary.as_ref().map(|summary| self.summary(summary, is_seen)),
            attempts: message.attempts,
            created: self.at(message.created),
            next_attempt: self.next_attempt(message),
            last_attempt: message.last_attempt.map(|at| self.at(at)),
            settled: self.settled(message),
            answer: is_seen.then(|| self.caller.answer(&message.answer)),
        };
        self.addressed(bare, message, is_seen)
    }

    /// Adds recipient and origin of the message: the fields of users or those of contacts.
    fn addressed<'b>(
        &'b self,
        bare: NotificationBody<'b>,
        message: &'b Message,
        is_seen: bool,
    ) -> NotificationBody<'b> {
        let address = is_seen.then(|| message.address.clone());
        match &message.route {
            Route::Destination { user, profile, destination, medium } => {
                let known = self.directory.destinations.get(destination);
                let label = known.and_then(|known| known.label.as_deref()).filter(|_| is_seen);
                let name = self.directory.profiles.get(profile).and_then(|profile| profile.name.as_deref());
                NotificationBody {
                    user: Some(self.directory.user(*user).map_or("", |user| &user.username)),
                    profile: Some(NamedReference { pk: profile.0, name }),
                    destination: Some(DestinationReference { pk: destination.0, medium, address, label }),
                    ..bare
                }
            }
            Route::Contact { rule, uuid, full_name, channel, medium, .. } => {
                let known = self.directory.channels.values().find(|it| it.id == *channel);
                let name = self.directory.rules.get(rule).map(|rule| rule.name.as_str());
                NotificationBody {
                    contact: Some(ContactReference { uuid: *uuid, full_name }),
                    rule: Some(NamedReference { pk: rule.0, name }),
                    channel: Some(ChannelReference {
                        uuid: known.map(|channel| channel.uuid),
                        name: known.map(|channel| channel.name.as_str()),
                        r#type: medium,
                        address,
                    }),
                    ..bare
                }
            }
        }
    }

    fn summary<'b>(&'b self, summary: &'b Message, is_seen: bool) -> SummaryReference<'b> {
        SummaryReference {
            pk: summary.id.0,
            status: summary.state.delivery().word(),
            state: state(summary),
            attempts: summary.attempts,
            next_attempt: self.next_attempt(summary),
            last_attempt: summary.last_attempt.map(|at| self.at(at)),
            settled: self.settled(summary),
            answer: is_seen.then(|| self.caller.answer(&summary.answer)),
        }
    }

    fn next_attempt(&self, message: &Message) -> Option<String> {
        match message.state {
            MessageState::Due { at, .. } => Some(self.at(at)),
            _ => None,
        }
    }

    fn settled(&self, message: &Message) -> Option<String> {
        match message.state {
            MessageState::Due { .. } => None,
            MessageState::Delivered { at } | MessageState::Dead { at } | MessageState::Gathered { at, .. } => {
                Some(self.at(at))
            }
        }
    }

    fn at(&self, at: Timestamp) -> String {
        self.zoned.format(at).to_string()
    }
}

const fn state(message: &Message) -> &'static str {
    match message.state {
        MessageState::Due { .. } => "due",
        MessageState::Delivered { .. } => "delivered",
        MessageState::Dead { .. } => "dead",
        MessageState::Gathered { .. } => "gathered",
    }
}

//! Messages about an incident as rows.

use super::describe::{event_words, username};
use crate::domain::{Directory, MessageState, Timestamp, message::Route};
use crate::service::{Caller, Notification};
use crate::web::delivery;

pub struct NotificationLine {
    pub to: String,
    pub medium: String,
    pub address: String,
    /// Profile or rule that caused the message.
    pub by: String,
    /// Title of the event.
    pub about: &'static str,
    pub created: Timestamp,
    pub state: &'static str,
    /// Class of the badge.
    pub tone: &'static str,
    /// When it was sent or failed.
    pub settled: Option<Timestamp>,
    pub next: Option<Timestamp>,
    pub tries: u32,
    pub answer: String,
    pub in_summary: bool,
}

impl NotificationLine {
    /// Creates the row of a message that the caller may see.
    pub fn new(row: &Notification, caller: &Caller, directory: &Directory) -> Self {
        let message = &row.message;
        let (to, by) = match &message.route {
            Route::Destination { user, profile, .. } => {
                let named = directory.profiles.get(profile).map(|it| it.name.clone().unwrap_or_default());
                (username(directory, *user), named.map(|name| in_words("profile", &name, profile.0)))
            }
            Route::Contact { rule, full_name, .. } => {
                let named = directory.rules.get(rule).map(|it| it.name.clone());
                (full_name.clone(), named.map(|name| in_words("rule", &name, rule.0)))
            }
        };
        let counts = row.counts();
        let (settled, next) = match counts.state {
            MessageState::Due { at, .. } => (None, Some(at)),
            MessageState::Delivered { at } | MessageState::Dead { at } => (Some(at), None),
            MessageState::Gathered { .. } => (None, None),
        };
        Self {
            to,
            medium: message.route.medium().to_owned(),
            address: message.address.clone(),
            by: by.unwrap_or_else(|| "a deleted rule or profile".to_owned()),
            about: row.kind.map_or("this incident", event_words),
            created: message.created,
            state: delivery::word(row),
            tone: delivery::look(row),
            settled,
            next,
            tries: counts.attempts,
            answer: caller.answer(&counts.answer).to_owned(),
            in_summary: row.summary.is_some(),
        }
    }
}

fn in_words(what: &str, name: &str, pk: u64) -> String {
    if name.is_empty() { format!("{what} {pk}") } else { format!("{what} \"{name}\"") }
}

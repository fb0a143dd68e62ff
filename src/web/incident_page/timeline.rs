//! The timeline of an incident, newest event first.

use super::describe::{LongText, event_words, username};
use crate::domain::{Directory, Event, EventId, EventType, Timestamp};
use crate::service::IncidentDetails;

pub struct TimelineEntry {
    pub id: EventId,
    /// Code of the event type in lower case, used as a class.
    pub code: String,
    pub words: &'static str,
    pub is_change: bool,
    pub actor: String,
    pub at: Timestamp,
    /// When the event was received, if that was much later.
    pub received: Option<Timestamp>,
    pub text: Option<LongText>,
    pub ack: Option<Ack>,
}

impl TimelineEntry {
    /// Returns the name of the form that changes the expiry of the acknowledgement.
    pub fn form(&self) -> String {
        format!("ack{}", self.id)
    }
}

#[derive(Clone, Copy)]
pub struct Ack {
    pub expiration: Option<Timestamp>,
    pub is_expired: bool,
}

/// Delay in microseconds up to which the time of receipt is not shown.
const PROMPT: i64 = 60_000_000;

pub fn entries(details: &IncidentDetails, directory: &Directory, now: Timestamp) -> Vec<TimelineEntry> {
    details.events.iter().map(|event| entry(event, details, directory, now)).collect()
}

fn entry(event: &Event, details: &IncidentDetails, directory: &Directory, now: Timestamp) -> TimelineEntry {
    let text = match event.kind {
        EventType::Change => change(&event.description),
        EventType::Start | EventType::Stateless if event.description == details.incident.description => String::new(),
        _ => event.description.clone(),
    };
    let ack = details.acks.iter().find(|ack| ack.event == event.id);
    TimelineEntry {
        id: event.id,
        code: event.kind.code().to_ascii_lowercase(),
        words: event_words(event.kind),
        is_change: event.kind == EventType::Change,
        actor: username(directory, event.actor),
        at: event.timestamp,
        received: (event.received.micros().saturating_sub(event.timestamp.micros()) > PROMPT).then_some(event.received),
        text: (!text.trim().is_empty()).then(|| LongText::new(&text)),
        ack: ack.map(|ack| Ack { expiration: ack.expiration, is_expired: ack.is_expired(now) }),
    }
}

/// Makes `Change: "ticket_url":  → x` (contract section 7.4) easier to read.
fn change(description: &str) -> String {
    let Some((field, values)) = description.strip_prefix("Change: \"").and_then(|rest| rest.split_once("\": ")) else {
        return description.to_owned();
    };
    let values = match values.strip_prefix(" → ") {
        Some(after) => format!("nothing → {after}"),
        None => values.to_owned(),
    };
    let end = if values.ends_with("→ ") { "nothing" } else { "" };
    format!("{}: {values}{end}", field.replace('_', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_easy_to_read() {
        for (text, seen) in [
            ("Change: \"level\": 2 → 3", "level: 2 → 3"),
            ("Change: \"ticket_url\":  → https://t/1", "ticket url: nothing → https://t/1"),
            ("Change: \"ticket_url\": https://t/1 → ", "ticket url: https://t/1 → nothing"),
            ("Change: \"description\": a \": b → c", "description: a \": b → c"),
            ("something else", "something else"),
        ] {
            assert_eq!(change(text), seen);
        }
    }
}

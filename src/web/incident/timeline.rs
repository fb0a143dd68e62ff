//! What happened to an incident, the newest first, as its page tells it.

use super::describe::{Long, event_words, username};
use crate::{
    domain::{
        directory::Directory,
        event::{Event, EventType},
        ids::EventId,
        time::Timestamp,
    },
    service::Dossier,
};

pub struct Entry {
    pub id: EventId,
    /// Its kind's code in lower case, for the looks.
    pub code: String,
    pub words: &'static str,
    pub actor: String,
    pub at: Timestamp,
    /// When it reached us, if that was much later.
    pub received: Option<Timestamp>,
    pub text: Option<Long>,
    pub ack: Option<Ack>,
}

#[derive(Clone, Copy)]
pub struct Ack {
    pub expiration: Option<Timestamp>,
    pub is_expired: bool,
}

/// Microseconds that need no mention.
const PROMPT: i64 = 60_000_000;

pub fn entries(dossier: &Dossier, directory: &Directory, now: Timestamp) -> Vec<Entry> {
    dossier.events.iter().map(|event| entry(event, dossier, directory, now)).collect()
}

fn entry(event: &Event, dossier: &Dossier, directory: &Directory, now: Timestamp) -> Entry {
    let text = match event.kind {
        EventType::Change => event.description.strip_prefix("Change: ").unwrap_or(&event.description).replace('"', ""),
        EventType::Start | EventType::Stateless if event.description == dossier.incident.description => String::new(),
        _ => event.description.clone(),
    };
    let ack = dossier.acks.iter().find(|ack| ack.event == event.id);
    Entry {
        id: event.id,
        code: event.kind.code().to_ascii_lowercase(),
        words: event_words(event.kind),
        actor: username(directory, event.actor),
        at: event.timestamp,
        received: (event.received.micros().saturating_sub(event.timestamp.micros()) > PROMPT).then_some(event.received),
        text: (!text.trim().is_empty()).then(|| Long::new(&text)),
        ack: ack.map(|ack| Ack { expiration: ack.expiration, is_expired: ack.is_expired(now) }),
    }
}

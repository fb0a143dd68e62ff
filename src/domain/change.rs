//! The change log, which followers read, and the audit trail.

use std::sync::Arc;

use super::{
    agenda::Task,
    directory::Subject,
    event::Event,
    ids::{EventId, IncidentId, Seq, UserId},
    incident::Incident,
    message::Message,
    time::Timestamp,
};

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub seq: Seq,
    pub at: Timestamp,
    /// `None`: the server itself.
    pub actor: Option<UserId>,
    pub kind: ChangeKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    IncidentCreated {
        incident: IncidentId,
        event: EventId,
    },
    /// An event was stored, with whatever it did to the state; also the event of an acknowledgement.
    EventAdded {
        incident: IncidentId,
        event: EventId,
    },
    /// An acknowledgement got another expiration.
    AckChanged {
        incident: IncidentId,
        ack: EventId,
        before: Option<Timestamp>,
        after: Option<Timestamp>,
    },
    /// Fields or tags changed; `events` are the change events that say so, where there are any.
    IncidentEdited {
        incident: IncidentId,
        fields: Vec<FieldChange>,
        events: Vec<EventId>,
    },
    IncidentDeleted {
        incident: IncidentId,
    },
    Configuration(ConfigurationChange),
}

/// Both values as text; a set of tags one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    pub field: String,
    pub before: String,
    pub after: String,
}

/// A change of users, tokens, sources and the like. Values are JSON objects without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationChange {
    pub subject: Subject,
    /// Primary key, or the name where that is the key.
    pub key: String,
    /// `None`: it was created.
    pub before: Option<String>,
    /// `None`: it was deleted.
    pub after: Option<String>,
}

/// A committed command as its followers see it: the log entries and the records behind them.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    pub changes: Vec<Change>,
    pub incidents: Vec<IncidentChange>,
    pub events: Vec<Arc<Event>>,
    /// As they are now.
    pub messages: Vec<Arc<Message>>,
    /// The configuration is not what it was.
    pub directory_changed: bool,
    /// Rows of the agenda that were added or moved; `None`: deleted.
    pub agenda: Vec<(Task, Option<Timestamp>)>,
}

/// An incident before and after a command; `before` is `None` at creation, `after` at deletion. Both are without their
/// metadata, which may be large and which no follower needs.
#[derive(Clone, Debug)]
pub struct IncidentChange {
    pub before: Option<Arc<Incident>>,
    pub after: Option<Arc<Incident>>,
}

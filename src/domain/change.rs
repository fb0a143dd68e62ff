//! The change log, which search, pages and the audit trail follow.

use std::sync::Arc;

use super::{Event, EventId, Incident, IncidentId, Message, Seq, Timestamp, UserId, agenda::Task, directory::Subject};

/// One entry of the change log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub seq: Seq,
    pub at: Timestamp,
    /// User who caused the change. `None`: the server itself.
    pub actor: Option<UserId>,
    pub kind: ChangeKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    IncidentCreated {
        incident: IncidentId,
        event: EventId,
    },
    /// An event was stored, with its effect on the state; also the event of an acknowledgement.
    EventAdded {
        incident: IncidentId,
        event: EventId,
    },
    /// The expiration of an acknowledgement changed.
    AckChanged {
        incident: IncidentId,
        ack: EventId,
        before: Option<Timestamp>,
        after: Option<Timestamp>,
    },
    /// Fields or tags changed. `events` are the change events about it, if there are any.
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

/// A changed field with both values as text. A set of tags has one tag per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    pub field: String,
    pub before: String,
    pub after: String,
}

/// A change of the configuration: of users, tokens, sources and so on. Values are JSON objects without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationChange {
    pub subject: Subject,
    /// Primary key, or the name if that is the key.
    pub key: String,
    /// Value before the change. `None`: it was created.
    pub before: Option<String>,
    /// Value after the change. `None`: it was deleted.
    pub after: Option<String>,
}

/// A committed command as its followers see it: the log entries, and the records that they refer to.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    pub changes: Vec<Change>,
    pub incidents: Vec<IncidentChange>,
    pub events: Vec<Arc<Event>>,
    /// Messages after the command.
    pub messages: Vec<Arc<Message>>,
    /// Messages that were deleted with their incidents.
    pub deleted_messages: Vec<Arc<Message>>,
    /// Whether the configuration changed.
    pub directory_changed: bool,
    /// Rows of the agenda that changed. `None`: deleted.
    pub agenda: Vec<(Task, Option<Timestamp>)>,
}

/// An incident before and after a command; `before` is `None` at creation, `after` at deletion. Both are without their
/// metadata, which may be large and which no follower needs.
#[derive(Clone, Debug)]
pub struct IncidentChange {
    pub before: Option<Arc<Incident>>,
    pub after: Option<Arc<Incident>>,
}

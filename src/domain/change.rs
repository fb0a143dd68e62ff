//! The change log: what everyone follows, and the audit trail.

use std::sync::Arc;

use super::{
    agenda::Task,
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

macro_rules! subjects {
    ($($(#[$doc:meta])* $subject:ident: $logged:literal, $byte:literal, $slug:literal, $name:literal;)+) => {
        /// A kind of thing whose changes are logged with both values.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Subject {
            $($(#[$doc])* $subject,)+
        }

        impl Subject {
            pub const ALL: &'static [Self] = &[$(Self::$subject),+];

            /// The number in entries of the change log.
            #[must_use]
            pub const fn logged(self) -> u32 {
                match self { $(Self::$subject => $logged),+ }
            }

            /// The first byte of a version's key.
            #[must_use]
            pub const fn byte(self) -> u8 {
                match self { $(Self::$subject => $byte),+ }
            }

            /// The name in addresses.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$subject => $slug),+ }
            }

            /// The name for people.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$subject => $name),+ }
            }
        }
    };
}

// The two numbers, by which the data file knows a subject, never change; a new subject gets the lowest that is free of
// each. Then the names in addresses and for people.
subjects! {
    User: 0, 0, "user", "user";
    Token: 1, 1, "token", "token or session";
    Source: 2, 2, "source", "source";
    SourceType: 3, 3, "source-type", "type of sources";
    Timeslot: 4, 4, "timeslot", "timeslot";
    Destination: 5, 5, "destination", "destination";
    Filter: 6, 6, "filter", "filter";
    Profile: 7, 7, "profile", "notification profile";
    Maintenance: 8, 8, "maintenance", "planned maintenance";
    Rule: 13, 11, "rule", "rule";
    Channel: 10, 10, "channel", "channel";
    /// With the groups that it is in. Versions of contacts and groups are read one by one, so they stand behind all that
    /// are read as a whole.
    Contact: 11, 128, "contact", "contact";
    ContactGroup: 12, 129, "group", "contact group";
    /// What the operator chose and decisions depend on; see `settings`.
    Settings: 9, 9, "settings", "settings";
}

impl Subject {
    /// The subject of an entry of the change log.
    #[must_use]
    pub fn logged_as(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|subject| subject.logged() == number)
    }

    /// The subject of this name in addresses.
    #[must_use]
    pub fn with_slug(slug: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|subject| subject.slug() == slug)
    }
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

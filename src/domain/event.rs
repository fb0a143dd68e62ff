//! Events of incidents. They never change, and are deleted only with their incident.

use super::{EventId, IncidentId, Level, Seq, Timestamp, UserId};

/// Type of an event (contract section 9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventType {
    Start,
    End,
    Restart,
    Change,
    Stateless,
    Other,
    Close,
    Reopen,
    Acknowledge,
}

impl EventType {
    pub const ALL: [Self; 9] = [
        Self::Start,
        Self::End,
        Self::Restart,
        Self::Change,
        Self::Stateless,
        Self::Other,
        Self::Close,
        Self::Reopen,
        Self::Acknowledge,
    ];

    /// Returns the code of three letters that is used on the wire.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Start => "STA",
            Self::End => "END",
            Self::Restart => "RES",
            Self::Change => "CHI",
            Self::Stateless => "LES",
            Self::Other => "OTH",
            Self::Close => "CLO",
            Self::Reopen => "REO",
            Self::Acknowledge => "ACK",
        }
    }

    /// Returns the name for people.
    #[must_use]
    pub const fn display(self) -> &'static str {
        match self {
            Self::Start => "Incident start",
            Self::End => "Incident end",
            Self::Restart => "Incident restart",
            Self::Change => "Incident change",
            Self::Stateless => "Stateless",
            Self::Other => "Other",
            Self::Close => "Close",
            Self::Reopen => "Reopen",
            Self::Acknowledge => "Acknowledge",
        }
    }

    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Returns whether events of this type can open or close an incident.
    #[must_use]
    pub const fn changes_state(self) -> bool {
        matches!(self, Self::End | Self::Restart | Self::Close | Self::Reopen)
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// A set of event types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventTypeSet(u16);

impl EventTypeSet {
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    pub const fn insert(&mut self, kind: EventType) {
        self.0 |= kind.bit();
    }

    #[must_use]
    pub const fn contains(self, kind: EventType) -> bool {
        self.0 & kind.bit() != 0
    }

    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl FromIterator<EventType> for EventTypeSet {
    fn from_iter<I: IntoIterator<Item = EventType>>(kinds: I) -> Self {
        let mut set = Self::default();
        for kind in kinds {
            set.insert(kind);
        }
        set
    }
}

/// State of the incident after the event, stored so that decisions about the event can be explained later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateAfter {
    pub open: bool,
    pub acked: bool,
    pub level: Level,
    pub tags_version: u32,
    /// The last change that the decision about notifications took into account, which identifies the configuration of
    /// that moment. `None`: nobody was to be notified of the event (contract section 19.1).
    pub decided: Option<Seq>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: EventId,
    pub incident: IncidentId,
    pub actor: UserId,
    /// Time at which it happened, according to its poster.
    pub timestamp: Timestamp,
    /// Time at which the server received it.
    pub received: Timestamp,
    pub kind: EventType,
    pub description: String,
    pub after: StateAfter,
}

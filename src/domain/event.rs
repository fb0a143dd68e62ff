//! Events of incidents. They never change, and are deleted only together with their incident.

use super::{
    ids::{EventId, IncidentId, Seq, UserId},
    severity::Level,
    time::Timestamp,
};

/// Contract section 9.2.
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

    /// The three letters on the wire.
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

    /// The name that people read.
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

    /// Whether events of this type can open or close an incident.
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

/// What the incident looked like once the event was stored, so that decisions about it can be explained later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateAfter {
    pub open: bool,
    pub acked: bool,
    pub level: Level,
    pub tags_version: u32,
    /// Whether anybody was to be told of the event (contract section 19.1), and if so, the last change that the
    /// decision knew of: the configuration as it was then.
    pub decided: Option<Seq>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: EventId,
    pub incident: IncidentId,
    pub actor: UserId,
    /// When it happened, as the poster says.
    pub timestamp: Timestamp,
    /// When it reached us.
    pub received: Timestamp,
    pub kind: EventType,
    pub description: String,
    pub after: StateAfter,
}

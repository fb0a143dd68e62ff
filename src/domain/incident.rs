//! Incidents, their end, and the summary by which lists find them.

use std::sync::Arc;

use super::{Event, EventTypeSet, IncidentId, IncidentTag, Level, SourceId, Tag, Timestamp};

/// Length in bytes up to which texts are shared instead of being left out of a copy.
const SHORT_TEXT: usize = 256;

/// The end of an incident (contract section 5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndTime {
    /// A single moment, which can be neither open nor closed.
    Stateless,
    /// The time of the end. An incident that ends in the future is open until then.
    At(Timestamp),
    /// Open, with no known end.
    #[default]
    Infinity,
}

impl EndTime {
    #[must_use]
    pub const fn is_stateful(self) -> bool {
        !matches!(self, Self::Stateless)
    }

    /// Returns the time of the end. `None` if there is no end or none is known.
    #[must_use]
    pub const fn time(self) -> Option<Timestamp> {
        if let Self::At(end) = self { Some(end) } else { None }
    }

    #[must_use]
    pub fn is_open(self, now: Timestamp) -> bool {
        match self {
            Self::Stateless => false,
            Self::Infinity => true,
            Self::At(end) => end > now,
        }
    }
}

/// Until when an incident is acknowledged: the latest expiration of its acknowledgements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AckedUntil {
    Never,
    At(Timestamp),
    Forever,
}

impl AckedUntil {
    #[must_use]
    pub fn is_acked(self, now: Timestamp) -> bool {
        match self {
            Self::Never => false,
            Self::Forever => true,
            Self::At(expiration) => expiration > now,
        }
    }
}

/// An incident with everything that is known without its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    pub id: IncidentId,
    pub start: Timestamp,
    pub end: EndTime,
    pub source: SourceId,
    /// The source's own id, unique for each source unless empty.
    pub source_incident_id: String,
    /// Address of details, as the source sent it. It is shown joined to the source's base address.
    pub details_url: String,
    pub description: String,
    pub level: Level,
    pub ticket_url: String,
    /// Any JSON value as compact text.
    pub metadata: String,
    /// Tags in the order in which they were added, without duplicates.
    pub tags: Vec<IncidentTag>,
    /// Version of the set of tags. Grows by one with each change of the set.
    pub tags_version: u32,
    /// Derived: the latest expiration among the acknowledgements.
    pub acked_until: AckedUntil,
    /// Derived: the types of its events.
    pub event_types: EventTypeSet,
    /// Derived: the latest `received` of its events.
    pub last_event: Timestamp,
}

impl Incident {
    /// Creates an open incident without texts, tags or events.
    #[must_use]
    pub fn new(id: IncidentId, source: SourceId, start: Timestamp) -> Self {
        Self {
            id,
            start,
            end: EndTime::Infinity,
            source,
            source_incident_id: String::new(),
            details_url: String::new(),
            description: String::new(),
            level: Level::INFORMATION,
            ticket_url: String::new(),
            metadata: "{}".to_owned(),
            tags: Vec::new(),
            tags_version: 0,
            acked_until: AckedUntil::Never,
            event_types: EventTypeSet::default(),
            last_event: start,
        }
    }

    /// Returns the length of all its texts in bytes, with metadata and tags.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let texts = [&self.source_incident_id, &self.details_url, &self.description, &self.ticket_url, &self.metadata];
        let tags = self.tags.iter().map(|tag| tag.tag.as_str().len());
        texts.into_iter().map(String::len).chain(tags).sum()
    }

    /// Returns a copy without the texts that may be long, or the incident itself if they are short.
    #[must_use]
    pub fn without_long_texts(self: &Arc<Self>) -> Arc<Self> {
        if self.description.len() + self.details_url.len() <= SHORT_TEXT {
            return Arc::clone(self);
        }
        Arc::new(Self { details_url: String::new(), description: String::new(), ..Self::clone(self) })
    }

    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.end.is_open(now)
    }

    #[must_use]
    pub fn is_acked(&self, now: Timestamp) -> bool {
        self.acked_until.is_acked(now)
    }

    /// Returns the times at which the incident changes by time alone: its end, and the expiration of its
    /// acknowledgement. Includes times in the past.
    pub fn lapses(&self) -> impl Iterator<Item = Timestamp> + use<> {
        let expiration = match self.acked_until {
            AckedUntil::At(expiration) => Some(expiration),
            AckedUntil::Never | AckedUntil::Forever => None,
        };
        self.end.time().into_iter().chain(expiration)
    }

    #[must_use]
    pub fn has_tag(&self, tag: &Tag) -> bool {
        self.tags.iter().any(|t| t.tag == *tag)
    }

    /// Updates the derived fields for an added event. Does not change `end` (see `lifecycle`).
    pub fn note_event(&mut self, event: &Event) {
        self.event_types.insert(event.kind);
        self.last_event = self.last_event.max(event.received);
    }
}

/// The properties by which lists find an incident; small, so that all of them fit in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    pub start: Timestamp,
    pub id: IncidentId,
    pub end: EndTime,
    pub acked_until: AckedUntil,
    pub source: SourceId,
    pub level: Level,
    pub has_ticket: bool,
    pub event_types: EventTypeSet,
}

impl From<&Incident> for Summary {
    fn from(incident: &Incident) -> Self {
        Self {
            start: incident.start,
            id: incident.id,
            end: incident.end,
            acked_until: incident.acked_until,
            source: incident.source,
            level: incident.level,
            has_ticket: !incident.ticket_url.is_empty(),
            event_types: incident.event_types,
        }
    }
}

//! Incidents, events, tags and acknowledgements as JSON. They borrow from the records and are serialized directly
//! (contract sections 4, 5, 9 and 10).

use std::{borrow::Cow, cell::RefCell, sync::Arc};

use rustc_hash::FxHashMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::domain::{
    Acknowledgement, Directory, EndTime, Event, EventType, Incident, IncidentId, IncidentTag, Source, SourceId,
    Timestamp, UserId, Zoned,
    datetime::Text,
    size::Size,
    urls::{self, SourceBase},
};
use crate::http::Api;
use crate::service::{BulkEvent, NewAck, NewEvent};

/// Formatted time in the time zone of the server.
#[derive(Clone, Copy)]
pub struct At(Text);

impl At {
    #[must_use]
    pub fn new(zoned: &Zoned, at: Timestamp) -> Self {
        Self(zoned.format(at))
    }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

enum EndTimeBody {
    Stateless,
    At(At),
    Infinity,
}

impl Serialize for EndTimeBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Stateless => serializer.serialize_none(),
            Self::At(at) => at.serialize(serializer),
            Self::Infinity => serializer.serialize_str("infinity"),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = SourceSystem)]
pub struct SourceBody<'a> {
    pk: u64,
    name: &'a str,
    r#type: SourceTypeBody<'a>,
    user: u64,
    base_url: &'a str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SourceSystemType)]
pub struct SourceTypeBody<'a> {
    name: &'a str,
}

impl<'a> SourceTypeBody<'a> {
    #[must_use]
    pub fn new(name: &'a str) -> Self {
        Self { name }
    }
}

impl<'a> SourceBody<'a> {
    #[must_use]
    pub fn new(source: &'a Source) -> Self {
        Self {
            pk: source.id.0,
            name: &source.name,
            r#type: SourceTypeBody::new(&source.source_type),
            user: source.user.0,
            base_url: &source.base_url,
        }
    }

    /// Returns a placeholder for a source that does not exist. Never needed, as only sources without
    /// incidents are deleted.
    const fn unknown(id: SourceId) -> Self {
        Self { pk: id.0, name: "", r#type: SourceTypeBody { name: "" }, user: 0, base_url: "" }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Incident)]
pub struct IncidentBody<'a> {
    pk: u64,
    #[schema(value_type = String, format = DateTime)]
    start_time: At,
    /// A time, `infinity` (open, no end known) or null (stateless).
    #[schema(value_type = Option<String>)]
    end_time: EndTimeBody,
    source: SourceBody<'a>,
    source_incident_id: &'a str,
    details_url: Cow<'a, str>,
    description: &'a str,
    /// 1 (critical) to 5 (information).
    #[schema(minimum = 1, maximum = 5)]
    level: u8,
    ticket_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    metadata: Option<&'a RawValue>,
    #[schema(value_type = Vec<IncidentTagBody<'static>>)]
    tags: Tags<'a>,
    stateful: bool,
    open: bool,
    acked: bool,
}

/// Fields of an incident that version 1 does not have.
pub const SHOWN_SINCE_V2: &[&str] = &["metadata"];

#[derive(Serialize, ToSchema)]
#[schema(as = IncidentTag)]
pub struct IncidentTagBody<'a> {
    added_by: u64,
    #[schema(value_type = String, format = DateTime)]
    added_time: At,
    /// `key=value`
    tag: &'a str,
}

struct Tags<'a> {
    zoned: &'a Zoned,
    tags: &'a [IncidentTag],
}

impl Serialize for Tags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Most tags of an incident were added at the same time, so the formatted time is reused.
        let mut last = None;
        serializer.collect_seq(self.tags.iter().map(|tag| {
            let added_time = match last {
                Some((added_at, text)) if added_at == tag.added_at => text,
                _ => At(self.zoned.format(tag.added_at)),
            };
            last = Some((tag.added_at, added_time));
            IncidentTagBody { added_by: tag.added_by.0, added_time, tag: tag.tag.as_str() }
        }))
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventBody<'a> {
    pk: u64,
    incident: u64,
    actor: ActorBody<'a>,
    #[schema(value_type = String, format = DateTime)]
    timestamp: At,
    #[schema(value_type = String, format = DateTime)]
    received: At,
    r#type: EventTypeBody,
    description: &'a str,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Actor)]
pub struct ActorBody<'a> {
    pk: u64,
    username: &'a str,
}

impl<'a> ActorBody<'a> {
    #[must_use]
    pub fn new(id: UserId, directory: &'a Directory) -> Self {
        Self { pk: id.0, username: directory.user(id).map_or("", |user| &user.username) }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = EventType)]
struct EventTypeBody {
    value: &'static str,
    display: &'static str,
}

impl From<EventType> for EventTypeBody {
    fn from(kind: EventType) -> Self {
        Self { value: kind.code(), display: kind.display() }
    }
}

#[derive(Serialize, ToSchema)]
#[schema(as = Acknowledgement)]
pub struct AckBody<'a> {
    pk: u64,
    event: EventBody<'a>,
    /// Null: no expiry.
    #[schema(value_type = Option<String>, format = DateTime)]
    expiration: Option<At>,
}

/// Type, time and description that the events of a bulk change share.
#[derive(Clone, Copy)]
pub struct BulkEventText<'a> {
    kind: EventType,
    timestamp: Option<Timestamp>,
    description: &'a str,
}

impl<'a> From<&'a NewEvent> for BulkEventText<'a> {
    fn from(new: &'a NewEvent) -> Self {
        Self { kind: new.kind, timestamp: new.timestamp, description: &new.description }
    }
}

/// Converts records to wire shapes for one answer.
pub struct Renderer<'a> {
    zoned: &'a Zoned,
    directory: Arc<Directory>,
    now: Timestamp,
    with_metadata: bool,
    bases: RefCell<FxHashMap<SourceId, SourceBase>>,
}

impl<'a> Renderer<'a> {
    #[must_use]
    pub fn new(api: &'a Api) -> Self {
        Self {
            zoned: api.zoned(),
            directory: api.service.directory(),
            now: api.service.now(),
            with_metadata: api.version.has_metadata(),
            bases: RefCell::default(),
        }
    }

    #[must_use]
    pub fn at(&self, at: Timestamp) -> At {
        At(self.zoned.format(at))
    }

    fn end(&self, end: EndTime) -> EndTimeBody {
        match end {
            EndTime::Stateless => EndTimeBody::Stateless,
            EndTime::At(at) => EndTimeBody::At(self.at(at)),
            EndTime::Infinity => EndTimeBody::Infinity,
        }
    }

    #[must_use]
    pub fn incident<'b>(&'b self, incident: &'b Incident) -> IncidentBody<'b> {
        let source = self.directory.source(incident.source);
        IncidentBody {
            pk: incident.id.0,
            start_time: self.at(incident.start),
            end_time: self.end(incident.end),
            source: source.map_or(SourceBody::unknown(incident.source), |source| SourceBody::new(source)),
            source_incident_id: &incident.source_incident_id,
            details_url: self.details_url(incident, source.map_or("", |source| &source.base_url)),
            description: &incident.description,
            level: incident.level.get(),
            ticket_url: &incident.ticket_url,
            metadata: self.with_metadata.then(|| raw(&incident.metadata)),
            tags: Tags { zoned: self.zoned, tags: &incident.tags },
            stateful: incident.end.is_stateful(),
            open: incident.is_open(self.now),
            acked: incident.is_acked(self.now),
        }
    }

    /// Returns incidents as an array.
    #[must_use]
    pub fn incidents<'b>(&'b self, incidents: &'b [Incident]) -> impl Serialize + 'b {
        Each(incidents, |incident| self.incident(incident))
    }

    #[must_use]
    pub fn event<'b>(&'b self, event: &'b Event) -> EventBody<'b> {
        EventBody {
            pk: event.id.0,
            incident: event.incident.0,
            actor: ActorBody::new(event.actor, &self.directory),
            timestamp: self.at(event.timestamp),
            received: self.at(event.received),
            r#type: event.kind.into(),
            description: &event.description,
        }
    }

    /// Returns events as an array.
    #[must_use]
    pub fn events<'b>(&'b self, events: &'b [Event]) -> impl Serialize + 'b {
        Each(events, |event| self.event(event))
    }

    #[must_use]
    pub fn ack<'b>(&'b self, (ack, event): &'b (Acknowledgement, Event)) -> AckBody<'b> {
        AckBody {
            pk: ack.event.0,
            event: self.event(event),
            expiration: ack.expiration.map(|expiration| self.at(expiration)),
        }
    }

    /// Returns the event that a bulk change added to one of its incidents.
    #[must_use]
    pub fn bulk_event<'b>(
        &'b self,
        actor: UserId,
        new: BulkEventText<'b>,
        incident: IncidentId,
        event: BulkEvent,
    ) -> EventBody<'b> {
        EventBody {
            pk: event.id.0,
            incident: incident.0,
            actor: ActorBody::new(actor, &self.directory),
            timestamp: self.at(new.timestamp.unwrap_or(event.received)),
            received: self.at(event.received),
            r#type: new.kind.into(),
            description: new.description,
        }
    }

    /// Returns the acknowledgement that a bulk change added to one of its incidents.
    #[must_use]
    pub fn bulk_ack<'b>(
        &'b self,
        actor: UserId,
        new: &'b NewAck,
        incident: IncidentId,
        event: BulkEvent,
    ) -> AckBody<'b> {
        let text =
            BulkEventText { kind: EventType::Acknowledge, timestamp: new.timestamp, description: &new.description };
        AckBody {
            pk: event.id.0,
            event: self.bulk_event(actor, text, incident, event),
            expiration: new.expiration.map(|expiration| self.at(expiration)),
        }
    }

    /// Estimates the size of `incidents` as JSON, in bytes.
    #[must_use]
    pub fn size_of(incidents: &[Incident]) -> usize {
        256 + incidents.iter().map(Size::size).sum::<usize>()
    }

    fn details_url<'b>(&self, incident: &'b Incident, base_url: &str) -> Cow<'b, str> {
        let address = incident.details_url.as_str();
        if address.is_empty() || base_url.is_empty() || urls::starts_with_web_scheme(address) {
            return Cow::Borrowed(address);
        }
        let mut bases = self.bases.borrow_mut();
        let base = bases.entry(incident.source).or_insert_with(|| SourceBase::new(base_url));
        base.join(address).map_or(Cow::Borrowed(address), Cow::Owned)
    }
}

/// Array of the results of calling `.1` with each item.
struct Each<'a, T, F>(&'a [T], F);

impl<'a, T, B: Serialize, F: Fn(&'a T) -> B> Serialize for Each<'a, T, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(&self.1))
    }
}

/// Returns stored metadata, which are valid JSON, or null if they are not.
fn raw(json: &str) -> &RawValue {
    serde_json::from_str(json).unwrap_or(RawValue::NULL)
}

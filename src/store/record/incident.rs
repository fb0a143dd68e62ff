//! Stored incidents and their summaries.

use serde::{Deserialize, Serialize};

use crate::domain::{
    AckedUntil, EndTime, EventTypeSet, Incident, IncidentId, IncidentTag, Level, SourceId, Tag, Timestamp, UserId,
    incident::Summary,
};
use crate::store::{
    StoreError,
    codec::{decode, encode, timestamp, unknown_version, versioned},
};

const V1: u8 = 1;

#[derive(Serialize, Deserialize)]
enum EndV1 {
    Stateless,
    At(i64),
    Infinity,
}

#[derive(Serialize, Deserialize)]
enum AckedV1 {
    Never,
    At(i64),
    Forever,
}

#[derive(Serialize, Deserialize)]
struct IncidentV1<'a> {
    start: i64,
    end: EndV1,
    source: u64,
    source_incident_id: &'a str,
    details_url: &'a str,
    description: &'a str,
    level: u8,
    ticket_url: &'a str,
    metadata: &'a str,
    #[serde(borrow)]
    tags: Vec<TagV1<'a>>,
    tags_version: u32,
    acked_until: AckedV1,
    event_types: u16,
    last_event: i64,
}

#[derive(Serialize, Deserialize)]
struct TagV1<'a> {
    tag: &'a str,
    added_by: u64,
    added_at: i64,
}

#[derive(Serialize, Deserialize)]
struct SummaryV1 {
    end: EndV1,
    acked_until: AckedV1,
    source: u64,
    level: u8,
    has_ticket: bool,
    event_types: u16,
}

impl From<EndTime> for EndV1 {
    fn from(end: EndTime) -> Self {
        match end {
            EndTime::Stateless => Self::Stateless,
            EndTime::At(at) => Self::At(at.micros()),
            EndTime::Infinity => Self::Infinity,
        }
    }
}

impl TryFrom<EndV1> for EndTime {
    type Error = StoreError;

    fn try_from(end: EndV1) -> Result<Self, StoreError> {
        Ok(match end {
            EndV1::Stateless => Self::Stateless,
            EndV1::At(at) => Self::At(timestamp(at)?),
            EndV1::Infinity => Self::Infinity,
        })
    }
}

impl From<AckedUntil> for AckedV1 {
    fn from(acked: AckedUntil) -> Self {
        match acked {
            AckedUntil::Never => Self::Never,
            AckedUntil::At(at) => Self::At(at.micros()),
            AckedUntil::Forever => Self::Forever,
        }
    }
}

impl TryFrom<AckedV1> for AckedUntil {
    type Error = StoreError;

    fn try_from(acked: AckedV1) -> Result<Self, StoreError> {
        Ok(match acked {
            AckedV1::Never => Self::Never,
            AckedV1::At(at) => Self::At(timestamp(at)?),
            AckedV1::Forever => Self::Forever,
        })
    }
}

fn level(level: u8) -> Result<Level, StoreError> {
    Level::new(level).ok_or_else(|| StoreError::Damaged(format!("{level} is no level")))
}

pub fn encode_incident(incident: &Incident) -> Result<Vec<u8>, StoreError> {
    let record = IncidentV1 {
        start: incident.start.micros(),
        end: incident.end.into(),
        source: incident.source.0,
        source_incident_id: &incident.source_incident_id,
        details_url: &incident.details_url,
        description: &incident.description,
        level: incident.level.get(),
        ticket_url: &incident.ticket_url,
        metadata: &incident.metadata,
        tags: tag_records(&incident.tags),
        tags_version: incident.tags_version,
        acked_until: incident.acked_until.into(),
        event_types: incident.event_types.bits(),
        last_event: incident.last_event.micros(),
    };
    encode(V1, &record)
}

pub fn decode_incident(id: u64, value: &[u8]) -> Result<Incident, StoreError> {
    let (version, bytes) = versioned(value)?;
    if version != V1 {
        return Err(unknown_version("incident", version));
    }
    let record: IncidentV1<'_> = decode(bytes)?;
    Ok(Incident {
        id: IncidentId(id),
        start: timestamp(record.start)?,
        end: record.end.try_into()?,
        source: SourceId(record.source),
        source_incident_id: record.source_incident_id.to_owned(),
        details_url: record.details_url.to_owned(),
        description: record.description.to_owned(),
        level: level(record.level)?,
        ticket_url: record.ticket_url.to_owned(),
        metadata: record.metadata.to_owned(),
        tags: record.tags.iter().map(decode_tag).collect::<Result<_, _>>()?,
        tags_version: record.tags_version,
        acked_until: record.acked_until.try_into()?,
        event_types: EventTypeSet::from_bits(record.event_types),
        last_event: timestamp(record.last_event)?,
    })
}

/// Encodes a set of tags that an incident had earlier.
pub fn encode_tags(tags: &[IncidentTag]) -> Result<Vec<u8>, StoreError> {
    encode(V1, &tag_records(tags))
}

pub fn decode_tags(value: &[u8]) -> Result<Vec<IncidentTag>, StoreError> {
    let (version, bytes) = versioned(value)?;
    if version != V1 {
        return Err(unknown_version("set of tags", version));
    }
    decode::<Vec<TagV1<'_>>>(bytes)?.iter().map(decode_tag).collect()
}

fn tag_records(tags: &[IncidentTag]) -> Vec<TagV1<'_>> {
    tags.iter().map(|t| TagV1 { tag: t.tag.as_str(), added_by: t.added_by.0, added_at: t.added_at.micros() }).collect()
}

fn decode_tag(record: &TagV1<'_>) -> Result<IncidentTag, StoreError> {
    let tag = Tag::parse(record.tag).map_err(|error| StoreError::Damaged(format!("a stored tag: {error}")))?;
    Ok(IncidentTag { tag, added_by: UserId(record.added_by), added_at: timestamp(record.added_at)? })
}

pub fn encode_summary(summary: &Summary) -> Result<Vec<u8>, StoreError> {
    let record = SummaryV1 {
        end: summary.end.into(),
        acked_until: summary.acked_until.into(),
        source: summary.source.0,
        level: summary.level.get(),
        has_ticket: summary.has_ticket,
        event_types: summary.event_types.bits(),
    };
    encode(V1, &record)
}

pub fn decode_summary(start: Timestamp, id: u64, value: &[u8]) -> Result<Summary, StoreError> {
    let (version, bytes) = versioned(value)?;
    if version != V1 {
        return Err(unknown_version("summary", version));
    }
    let record: SummaryV1 = decode(bytes)?;
    Ok(Summary {
        start,
        id: IncidentId(id),
        end: record.end.try_into()?,
        acked_until: record.acked_until.try_into()?,
        source: SourceId(record.source),
        level: level(record.level)?,
        has_ticket: record.has_ticket,
        event_types: EventTypeSet::from_bits(record.event_types),
    })
}

//! Values that templates can use, already formatted.

use chrono_tz::Tz;
use serde::Serialize;

use super::{Content, Notice, python, text};
use crate::domain::{
    EndTime, Timestamp, Zoned, limits,
    urls::{SourceBase, starts_with_web_scheme},
};

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum MessageView {
    Event(Box<EventView>),
    Summary {
        /// Worst first.
        notices: Vec<EventView>,
        total: usize,
        /// Number of events that are not among `notices`.
        more: usize,
        worst: String,
    },
    Test {
        username: String,
    },
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct EventView {
    /// Code of the event type, such as `STA`.
    code: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    actor: String,
    /// In UTC, as `2024-02-01 12:01:00+00:00`; in chats, pushes and text messages as [`local_with_zone`].
    timestamp: String,
    /// In the server's time zone, as `2024-02-01 13:01:00`.
    local_timestamp: String,
    event_description: String,
    level: u8,
    level_name: &'static str,
    incident: u64,
    description: String,
    /// The description on one line, shortened.
    headline: String,
    source: String,
    source_type: String,
    tags: Vec<String>,
    link: Option<String>,
    /// Delay, such as `12 minutes`.
    late: Option<String>,
    closed_since: bool,
    /// Whether the incident was open after the event.
    open: bool,
    acked: bool,
    /// The lines of contract section 19.3, followed by additional ones. Empty in a summary.
    fields: Vec<ViewField>,
}

#[derive(Clone, Debug, Serialize)]
struct ViewField {
    name: &'static str,
    /// The name, padded for alignment.
    label: String,
    value: String,
    /// The value with times in the server's time zone.
    local_value: String,
}

/// Time zone of times that are shown with their zone.
#[derive(Clone, Copy)]
enum TimeZoneLabel {
    Utc,
    Local,
}

impl MessageView {
    /// Creates the values for mails, whose times are in UTC (contract section 19.3).
    pub(super) fn new(content: &Content, zone: Tz) -> Self {
        Self::with_times(content, zone, TimeZoneLabel::Utc)
    }

    /// Creates the values for chats, pushes and text messages, whose times are in the server's time zone.
    pub(super) fn local(content: &Content, zone: Tz) -> Self {
        Self::with_times(content, zone, TimeZoneLabel::Local)
    }

    fn with_times(content: &Content, zone: Tz, times: TimeZoneLabel) -> Self {
        match content {
            Content::Event(notice) => {
                Self::Event(Box::new(EventView::new(notice, zone, times, fields(notice, zone, times))))
            }
            Content::Summary(summary) => Self::Summary {
                notices: summary
                    .notices
                    .iter()
                    .take(limits::SUMMARY_NOTICES)
                    .map(|notice| EventView::new(notice, zone, times, Vec::new()))
                    .collect(),
                total: summary.total.max(summary.notices.len()),
                more: summary
                    .total
                    .max(summary.notices.len())
                    .saturating_sub(limits::SUMMARY_NOTICES.min(summary.notices.len())),
                worst: summary.notices.first().map(|notice| headline(&notice.incident.description)).unwrap_or_default(),
            },
            Content::Test { username } => Self::Test { username: value(username) },
        }
    }

    /// Returns the number of notices that are shown; 0 if this is not a summary.
    pub(super) fn notices(&self) -> usize {
        match self {
            Self::Summary { notices, .. } => notices.len(),
            Self::Event(_) | Self::Test { .. } => 0,
        }
    }

    /// Returns the summary with only the first `most` of its notices.
    pub(super) fn with_notices(&self, most: usize) -> Self {
        let mut shorter = self.clone();
        if let Self::Summary { notices, more, .. } = &mut shorter {
            *more += notices.len().saturating_sub(most);
            notices.truncate(most);
        }
        shorter
    }

    /// Returns the beginning of the names of its templates.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Event(_) => "event",
            Self::Summary { .. } => "summary",
            Self::Test { .. } => "test",
        }
    }
}

impl EventView {
    fn new(notice: &Notice, zone: Tz, times: TimeZoneLabel, fields: Vec<ViewField>) -> Self {
        let (incident, event) = (&*notice.incident, &*notice.event);
        Self {
            code: event.kind.code(),
            kind: event.kind.display(),
            actor: value(&notice.actor),
            timestamp: with_zone(event.timestamp, zone, times),
            local_timestamp: local(event.timestamp, zone),
            event_description: value(&event.description),
            level: event.after.level.get(),
            level_name: level_name(event.after.level.get()),
            incident: incident.id.0,
            description: value(&incident.description),
            headline: headline(&incident.description),
            source: value(&notice.source),
            source_type: value(&notice.source_type),
            tags: incident.tags.iter().map(|tag| value(tag.tag.as_str())).collect(),
            link: notice.link.clone(),
            late: notice.late.map(how_long),
            closed_since: notice.closed_since,
            open: event.after.open,
            acked: event.after.acked,
            fields,
        }
    }
}

fn fields(notice: &Notice, zone: Tz, times: TimeZoneLabel) -> Vec<ViewField> {
    let incident = &*notice.incident;
    let (end, local_end) = match incident.end {
        EndTime::Infinity => ("Still open".to_owned(), "Still open".to_owned()),
        EndTime::Stateless => ("None".to_owned(), "None".to_owned()),
        EndTime::At(end) => (with_zone(end, zone, times), local(end, zone)),
    };
    let tags: Vec<&str> = incident.tags.iter().map(|tag| tag.tag.as_str()).collect();
    let level = notice.event.after.level.get().to_string();
    let mut fields = vec![
        ViewField {
            local_value: local(incident.start, zone),
            ..ViewField::new("start_time", &with_zone(incident.start, zone, times))
        },
        ViewField { local_value: local_end, ..ViewField::new("end_time", &end) },
        ViewField::new("source_incident_id", &incident.source_incident_id),
        ViewField::new("details_url", &details_url(&incident.details_url, &notice.base_url)),
        ViewField::new("description", &incident.description),
        ViewField::new("level", &level),
        ViewField::new("ticket_url", &incident.ticket_url),
        ViewField::new("search_text", ""),
        ViewField::new("metadata", &python::notation(&incident.metadata)),
        ViewField::new("source", &format!("{} ({})", notice.source, notice.source_type)),
        ViewField::new("tags", &tags.join(", ")),
    ];
    if let Some(link) = &notice.link {
        fields.push(ViewField::new("link", link));
    }
    fields
}

impl ViewField {
    fn new(name: &'static str, shown: &str) -> Self {
        let shown = value(shown);
        Self { name, label: format!("{name:<17}"), local_value: shown.clone(), value: shown }
    }
}

/// Joins a details URL to the source's base URL, if that gives a valid one (contract section 5.1).
pub(super) fn details_url(address: &str, base_url: &str) -> String {
    if address.is_empty() || base_url.is_empty() || starts_with_web_scheme(address) {
        return address.to_owned();
    }
    SourceBase::new(base_url).join(address).unwrap_or_else(|| address.to_owned())
}

pub(super) const fn level_name(level: u8) -> &'static str {
    match level {
        1 => "Critical",
        2 => "High",
        3 => "Moderate",
        4 => "Low",
        _ => "Information",
    }
}

fn value(shown: &str) -> String {
    text::cut(&text::printable(shown), limits::MESSAGE_VALUE)
}

fn headline(description: &str) -> String {
    text::cut(&text::one_line(description), limits::SUBJECT_DESCRIPTION)
}

/// Formats a time as `2024-02-01 12:01:00+00:00`, with a fraction if it has one.
fn utc(at: Timestamp) -> String {
    Zoned::new(Tz::UTC).format(at).as_str().replace('T', " ").replace('Z', "+00:00")
}

/// Formats a time as `2024-02-01 13:01:00`, without the zone.
fn local(at: Timestamp, zone: Tz) -> String {
    Zoned::new(zone).format(at).as_str().replace('T', " ").chars().take("2024-02-01 13:01:00".len()).collect()
}

/// Formats a time as `2024-02-01 13:01:00 CET`.
fn local_with_zone(at: Timestamp, zone: Tz) -> String {
    format!("{} {}", local(at, zone), at.to_datetime().with_timezone(&zone).format("%Z"))
}

fn with_zone(at: Timestamp, zone: Tz, times: TimeZoneLabel) -> String {
    match times {
        TimeZoneLabel::Utc => utc(at),
        TimeZoneLabel::Local => local_with_zone(at, zone),
    }
}

fn how_long(micros: i64) -> String {
    let minutes = micros / 60_000_000;
    match minutes {
        ..2 => "a minute".to_owned(),
        2..120 => format!("{minutes} minutes"),
        120..2_880 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    }
}

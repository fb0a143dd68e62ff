//! The body of webhooks. Receivers depend on it: fields may be added, but never changed.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::domain::{EndTime, Timestamp, Zoned, datetime::Text, limits};
use crate::notify::{
    Content, Notice, Outgoing,
    view::{details_url, level_name},
};

#[derive(Serialize)]
struct Payload<'a> {
    /// Id of the message, the same for each attempt.
    id: &'a str,
    sent: String,
    #[serde(flatten)]
    content: PayloadBody<'a>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum PayloadBody<'a> {
    Event(Box<NoticeBody<'a>>),
    Summary {
        total: usize,
        /// Worst first. Fewer than `total` if there are too many.
        notices: Vec<Box<RawValue>>,
    },
    Test {
        username: &'a str,
    },
}

#[derive(Serialize)]
struct NoticeBody<'a> {
    event: EventBody<'a>,
    incident: IncidentBody<'a>,
    /// URL of the incident's page.
    link: Option<&'a str>,
    late_seconds: Option<i64>,
    /// Whether the incident was open after the event and is closed now.
    closed_since: bool,
}

#[derive(Serialize)]
struct EventBody<'a> {
    pk: u64,
    incident: u64,
    actor: NamedBody<'a>,
    timestamp: String,
    received: String,
    #[serde(rename = "type")]
    kind: KindBody,
    description: &'a str,
}

#[derive(Serialize)]
struct NamedBody<'a> {
    username: &'a str,
}

#[derive(Serialize)]
struct KindBody {
    value: &'static str,
    display: &'static str,
}

/// The incident. `level`, `open` and `acked` are as of the event, other fields are current.
#[derive(Serialize)]
struct IncidentBody<'a> {
    pk: u64,
    start_time: String,
    end_time: Option<String>,
    source: SourceBody<'a>,
    source_incident_id: &'a str,
    details_url: String,
    description: &'a str,
    level: u8,
    level_name: &'static str,
    ticket_url: &'a str,
    metadata: Option<&'a RawValue>,
    tags: Vec<TagBody<'a>>,
    stateful: bool,
    open: bool,
    acked: bool,
}

#[derive(Serialize)]
struct SourceBody<'a> {
    pk: u64,
    name: &'a str,
    #[serde(rename = "type")]
    kind: TypeBody<'a>,
    base_url: &'a str,
}

#[derive(Serialize)]
struct TypeBody<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct TagBody<'a> {
    tag: &'a str,
    added_time: String,
}

pub(super) fn write(message: &Outgoing, zoned: &Zoned, now: Timestamp) -> String {
    let content = match &message.content {
        Content::Event(notice) => PayloadBody::Event(Box::new(body(notice, zoned))),
        Content::Summary(summary) => {
            let mut room = limits::WEBHOOK_SUMMARY_BYTES;
            let notices = summary
                .notices
                .iter()
                .filter_map(|notice| serde_json::value::to_raw_value(&body(notice, zoned)).ok())
                .take_while(|notice| {
                    let fits = notice.get().len() <= room;
                    room = room.saturating_sub(notice.get().len());
                    fits
                })
                .collect();
            PayloadBody::Summary { total: summary.total.max(summary.notices.len()), notices }
        }
        Content::Test { username } => PayloadBody::Test { username },
    };
    let payload = Payload { id: &message.id, sent: zoned.format(now).to_string(), content };
    // No part of it can fail to be serialized.
    serde_json::to_string(&payload).unwrap_or_default()
}

fn body<'a>(notice: &'a Notice, zoned: &Zoned) -> NoticeBody<'a> {
    let (incident, event) = (&*notice.incident, &*notice.event);
    let time = |at: Timestamp| Text::to_string(&zoned.format(at));
    NoticeBody {
        event: EventBody {
            pk: event.id.0,
            incident: event.incident.0,
            actor: NamedBody { username: &notice.actor },
            timestamp: time(event.timestamp),
            received: time(event.received),
            kind: KindBody { value: event.kind.code(), display: event.kind.display() },
            description: &event.description,
        },
        incident: IncidentBody {
            pk: incident.id.0,
            start_time: time(incident.start),
            end_time: match incident.end {
                EndTime::Stateless => None,
                EndTime::At(end) => Some(time(end)),
                EndTime::Infinity => Some("infinity".to_owned()),
            },
            source: SourceBody {
                pk: incident.source.0,
                name: &notice.source,
                kind: TypeBody { name: &notice.source_type },
                base_url: &notice.base_url,
            },
            source_incident_id: &incident.source_incident_id,
            details_url: details_url(&incident.details_url, &notice.base_url),
            description: &incident.description,
            level: event.after.level.get(),
            level_name: level_name(event.after.level.get()),
            ticket_url: &incident.ticket_url,
            metadata: serde_json::from_str(&incident.metadata).ok(),
            tags: incident
                .tags
                .iter()
                .map(|tag| TagBody { tag: tag.tag.as_str(), added_time: time(tag.added_at) })
                .collect(),
            stateful: incident.end.is_stateful(),
            open: event.after.open,
            acked: event.after.acked,
        },
        link: notice.link.as_deref(),
        late_seconds: notice.late.map(|micros| micros / 1_000_000),
        closed_since: notice.closed_since,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;
    use crate::notify::{Summary, samples};

    fn written(content: Content) -> Value {
        let message = Outgoing {
            id: "m-1".to_owned(),
            medium: "webhook".to_owned(),
            settings: BTreeMap::new(),
            content,
            contact: None,
        };
        let now = Timestamp::saturating_from_micros(1_706_789_000_000_000);
        serde_json::from_str(&write(&message, &Zoned::new(chrono_tz::Europe::Oslo), now)).unwrap()
    }

    #[test]
    fn keeps_its_shape() {
        insta::assert_json_snapshot!("event", written(Content::Event(samples::full())));
        insta::assert_json_snapshot!("stateless", written(Content::Event(samples::bare())));
        insta::assert_json_snapshot!("test", written(Content::Test { username: "alice".to_owned() }));
    }

    #[test]
    fn a_summary_holds_what_fits() {
        let mut large = samples::full();
        let incident = std::sync::Arc::make_mut(&mut large.incident);
        incident.metadata = format!("\"{}\"", "x".repeat(limits::METADATA_BYTES));
        let summary = Summary { notices: vec![large; 10], total: 10 };
        let written = written(Content::Summary(summary));
        let shown = written["notices"].as_array().unwrap();
        assert!(!shown.is_empty() && shown.len() < 10);
        assert_eq!(written["total"], 10);
        assert_eq!(shown[0]["incident"]["pk"], 28);
    }
}

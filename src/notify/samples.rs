//! Sample messages with which templates are checked at the start.

use std::sync::Arc;

use chrono_tz::Tz;

use super::{Content, Notice, outgoing::Summary, view::MessageView};
use crate::domain::{
    EndTime, Event, EventId, EventType, EventTypeSet, Incident, IncidentId, IncidentTag, Level, SourceId, StateAfter,
    Tag, Timestamp, UserId,
};

/// Returns a view of each kind: an event with all values, one with only the required values, a summary and a test.
pub(super) fn views() -> Vec<MessageView> {
    contents().iter().map(|content| MessageView::new(content, Tz::UTC)).collect()
}

pub(super) fn contents() -> [Content; 4] {
    [
        Content::Event(full()),
        Content::Event(bare()),
        Content::Summary(Summary { notices: vec![full(), bare()], total: 12 }),
        Content::Test { username: "alice".to_owned() },
    ]
}

pub(super) fn full() -> Notice {
    // 2024-02-01T12:01:00Z
    let start = Timestamp::saturating_from_micros(1_706_788_860_000_000);
    let tags = ["host=web1.example.org", "problem_type=hostDown"];
    let incident = Incident {
        source_incident_id: "s1".to_owned(),
        details_url: "/x/1".to_owned(),
        description: "web1.example.org does not answer".to_owned(),
        level: Level::HIGH,
        ticket_url: "https://tickets.example.org/1".to_owned(),
        metadata: r#"{"rack":[1,2],"spare":null}"#.to_owned(),
        tags: tags
            .iter()
            .filter_map(|tag| Tag::parse(tag).ok())
            .map(|tag| IncidentTag { tag, added_by: UserId(2), added_at: start })
            .collect(),
        tags_version: 1,
        event_types: EventTypeSet::from_iter([EventType::Start]),
        ..Incident::new(IncidentId(28), SourceId(2), start)
    };
    let event = Event {
        id: EventId(31),
        incident: incident.id,
        actor: UserId(2),
        timestamp: start,
        received: start.saturating_add_micros(1_500_000),
        kind: EventType::Start,
        description: "no answer to 5 pings".to_owned(),
        after: StateAfter { open: true, acked: false, level: incident.level, tags_version: 1, decided: None },
    };
    Notice {
        incident: Arc::new(incident),
        event: Arc::new(event),
        actor: "zabbix-src".to_owned(),
        source: "zabbix-src".to_owned(),
        source_type: "zabbix".to_owned(),
        base_url: "https://nav.example.org/app/".to_owned(),
        link: Some("https://argus.example.org/incidents/28/".to_owned()),
        thread: "incident-28".to_owned(),
        late: Some(12 * 60_000_000),
        closed_since: true,
    }
}

/// Returns an event with only the required values.
pub(super) fn bare() -> Notice {
    let full = full();
    let incident = Incident {
        end: EndTime::Stateless,
        level: full.incident.level,
        ..Incident::new(full.incident.id, full.incident.source, full.incident.start)
    };
    let event = Event { description: String::new(), kind: EventType::Stateless, ..(*full.event).clone() };
    Notice {
        incident: Arc::new(incident),
        event: Arc::new(event),
        link: None,
        late: None,
        closed_since: false,
        base_url: String::new(),
        ..full
    }
}

//! A message in the form that plug-ins receive.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::domain::{Timestamp, Zoned, limits};
use crate::notify::{
    Content, Notice,
    outgoing::ContactCard,
    text::{cut, one_line, printable},
    view::details_url,
};

/// Returns the parameters of `SendNotification`. `now` is the time of content that has no time of its own.
pub(super) fn notification(contact: &ContactCard, content: &Content, now: Timestamp) -> Value {
    let (object, incident, time, message) = match content {
        Content::Event(notice) => event(notice),
        Content::Summary(summary) => {
            let mut lines: Vec<String> = summary.notices.iter().map(summary_line).collect();
            let more = summary.total.saturating_sub(summary.notices.len());
            if more > 0 {
                lines.push(format!("… and {more} more"));
            }
            let name = format!("{} events", summary.total.max(summary.notices.len()));
            (json!({"name": name, "url": "", "tags": {}}), Value::Null, now, lines.join("\n"))
        }
        Content::Test { username } => {
            let message = format!("This is a test message that {username} asked for.");
            (json!({"name": "Test message", "url": "", "tags": {}}), Value::Null, now, message)
        }
    };
    let addresses: Vec<Value> =
        contact.addresses.iter().map(|(kind, address)| json!({"type": kind, "address": address})).collect();
    json!({
        "contact": {"full_name": contact.full_name, "addresses": addresses},
        "object": object,
        "incident": incident,
        "event": {
            "time": Zoned::new(Tz::UTC).format(time).as_str(),
            "message": cut(&printable(&message), limits::MESSAGE_VALUE),
        },
    })
}

fn event(notice: &Notice) -> (Value, Value, Timestamp, String) {
    let (incident, event) = (&*notice.incident, &*notice.event);
    let mut tags: BTreeMap<&str, String> = BTreeMap::new();
    for tag in &incident.tags {
        let values = tags.entry(tag.tag.key()).or_default();
        if !values.is_empty() {
            values.push_str(", ");
        }
        values.push_str(tag.tag.value());
    }
    let link = notice.link.clone().unwrap_or_default();
    let details = details_url(&incident.details_url, &notice.base_url);
    let object = json!({
        "name": name(notice),
        "url": if details.is_empty() { &link } else { &details },
        "tags": tags,
    });
    let about = json!({"id": incident.id.0, "url": link, "severity": severity(notice)});
    let message =
        if event.description.is_empty() { event.kind.display().to_owned() } else { event.description.clone() };
    (object, about, event.timestamp, message)
}

fn summary_line(notice: &Notice) -> String {
    format!("#{} {} ({}, {})", notice.incident.id, name(notice), severity(notice), notice.event.kind.display())
}

fn name(notice: &Notice) -> String {
    cut(&one_line(&notice.incident.description), limits::SUBJECT_DESCRIPTION)
}

/// Returns the severity in the words of the protocol: `ok` if the incident is closed, otherwise by its level.
fn severity(notice: &Notice) -> &'static str {
    if notice.incident.end.is_stateful() && !notice.event.after.open {
        return "ok";
    }
    match notice.event.after.level.get() {
        1 => "crit",
        2 => "err",
        3 => "warning",
        4 => "notice",
        _ => "info",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::notify::{outgoing::Summary, samples};

    fn write(content: &Content) -> Value {
        let addresses = vec![("email".to_owned(), "a@x.org".to_owned()), ("room".to_owned(), "#ops".to_owned())];
        let contact = ContactCard { full_name: "Ann".to_owned(), addresses, channel: None };
        notification(&contact, content, Timestamp::saturating_from_micros(0))
    }

    #[test]
    fn an_event_as_the_protocol_wants_it() {
        assert_eq!(
            write(&Content::Event(samples::full())),
            json!({
                "contact": {"full_name": "Ann", "addresses": [
                    {"type": "email", "address": "a@x.org"}, {"type": "room", "address": "#ops"}]},
                "object": {
                    "name": "web1.example.org does not answer",
                    "url": "https://nav.example.org/x/1",
                    "tags": {"host": "web1.example.org", "problem_type": "hostDown"},
                },
                "incident": {"id": 28, "url": "https://argus.example.org/incidents/28/", "severity": "err"},
                "event": {"time": "2024-02-01T12:01:00Z", "message": "no answer to 5 pings"},
            })
        );
    }

    #[test]
    fn what_is_over_is_ok() {
        let mut notice = samples::full();
        let mut event = (*notice.event).clone();
        event.after.open = false;
        event.description = String::new();
        notice.event = Arc::new(event);
        let written = write(&Content::Event(notice));
        assert_eq!(written["incident"]["severity"], "ok");
        assert_eq!(written["event"]["message"], "Incident start");
    }

    #[test]
    fn summaries_and_tests_are_about_no_incident() {
        let summary = Summary { notices: vec![samples::full()], total: 3 };
        let written = write(&Content::Summary(summary));
        assert_eq!((&written["object"]["name"], &written["incident"]), (&json!("3 events"), &Value::Null));
        assert_eq!(
            written["event"]["message"],
            "#28 web1.example.org does not answer (err, Incident start)\n… and 2 more"
        );
        let written = write(&Content::Test { username: "ann".to_owned() });
        assert_eq!(written["event"]["message"], "This is a test message that ann asked for.");
        assert_eq!(written["event"]["time"], "1970-01-01T00:00:00Z");
    }
}

//! What is stored and no list shows: tokens as a password change sees them, preferences, near misses, contacts left out, and
//! the change log.

use std::ops::ControlFlow;

use argusd::{
    domain::{
        change::{Change, ChangeKind},
        ids::Seq,
        plan::NearMissRecipient,
        time::Timestamp,
    },
    service::Service,
    store::Snapshot,
};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::requests::{events, reason};

pub const KINDS: [&str; 4] = ["stored tokens", "stored preferences", "stored near misses", "stored overflows"];
/// Of the last file only: it has those of the others.
pub const CHANGES: &str = "stored changes";

pub fn answer(kind: &str, service: &Service) -> Value {
    let snapshot = &service.store().snapshot().unwrap();
    match kind {
        "stored tokens" => tokens(service),
        "stored preferences" => preferences(service, snapshot),
        "stored near misses" => near_misses(service, snapshot),
        "stored overflows" => {
            let overflows = snapshot.overflows().unwrap();
            let row = |at: i64, rule: u64, notified: u32, left_out: u32| json!([at, rule, notified, left_out]);
            overflows.iter().map(|it| row(it.at.micros(), it.rule.0, it.notified, it.left_out)).collect()
        }
        CHANGES => changes(snapshot),
        _ => panic!("{kind}"),
    }
}

fn tokens(service: &Service) -> Value {
    let directory = service.directory();
    let mut rows: Vec<_> = directory
        .tokens
        .values()
        .map(|it| {
            let expires = it.expires.map(Timestamp::micros);
            let (kind, origin) = (format!("{:?}", it.kind), format!("{:?}", it.origin));
            let row = json!([it.id.0, it.user.0, kind, origin, it.replaceable, it.created.micros(), expires, it.note]);
            (it.id, row)
        })
        .collect();
    rows.sort_by_key(|(id, _)| *id);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn preferences(service: &Service, snapshot: &Snapshot) -> Value {
    let directory = service.directory();
    let chosen = directory.users.keys().filter_map(|user| Some((user, snapshot.preferences(*user).unwrap()?)));
    chosen
        .map(|(user, it)| {
            let columns: Vec<_> = it.columns.iter().map(|column| column.name()).collect();
            json!({
                "user": user.0, "theme": it.theme.name(), "date_format": it.date_format.name(),
                "time_zone": it.time_zone.map(Tz::name), "density": it.density.name(), "columns": columns,
                "page_size": it.page_size, "sound": it.sound, "notices": it.notices, "last_view": it.last_view,
            })
        })
        .collect()
}

fn near_misses(service: &Service, snapshot: &Snapshot) -> Value {
    let mut rows = Vec::new();
    for (incident, event) in events(service) {
        let (kept, more) = snapshot.near_misses(incident, event).unwrap();
        for miss in kept {
            let recipient = match miss.recipient {
                NearMissRecipient::User { user, profile, destination } => {
                    json!({"user": user.0, "profile": profile.0, "destination": destination.map(|it| it.0)})
                }
                NearMissRecipient::Contact { rule, contact, channel } => {
                    json!({"rule": rule.0, "contact": contact.map(|it| it.0), "channel": channel.map(|it| it.0)})
                }
            };
            rows.push(json!({"event": event.0, "whom": recipient, "why": reason(miss.reason), "more": more}));
        }
    }
    Value::Array(rows)
}

fn changes(snapshot: &Snapshot) -> Value {
    let mut rows = Vec::new();
    snapshot
        .for_each_change(Seq(0), &mut |change| {
            rows.push(row(change));
            ControlFlow::Continue(())
        })
        .unwrap();
    Value::Array(rows)
}

fn row(change: Change) -> Value {
    let what = match change.kind {
        ChangeKind::IncidentCreated { incident, event } => json!({"created": incident.0, "event": event.0}),
        ChangeKind::EventAdded { incident, event } => json!({"incident": incident.0, "event": event.0}),
        ChangeKind::AckChanged { incident, ack, before, after } => {
            let micros = |at: Option<Timestamp>| at.map(Timestamp::micros);
            json!({"incident": incident.0, "ack": ack.0, "before": micros(before), "after": micros(after)})
        }
        ChangeKind::IncidentEdited { incident, fields, events } => {
            let fields: Vec<_> = fields.into_iter().map(|it| [it.field, it.before, it.after]).collect();
            let events: Vec<_> = events.into_iter().map(|event| event.0).collect();
            json!({"edited": incident.0, "fields": fields, "events": events})
        }
        ChangeKind::IncidentDeleted { incident } => json!({"deleted": incident.0}),
        ChangeKind::Configuration(it) => {
            let subject = format!("{:?}", it.subject);
            json!({"subject": subject, "key": it.key, "before": it.before, "after": it.after})
        }
    };
    json!({"seq": change.seq.0, "at": change.at.micros(), "actor": change.actor.map(|user| user.0), "what": what})
}

//! Every operation of all documents × every kind of user: each has an expected status here, and gets it.

mod beside;
mod pages;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use argusd::{
    domain::message::Message,
    http::{Version, docs, native},
};
use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    resource::{
        self, ALL_CREATE, ALL_READ, Document, Make, OPEN, OWNER_DELETES, OWNER_READS, Resource, Row, STAFF_ONLY, fill,
        row,
    },
    support::{App, Client, PASSWORD, Who},
};

const AT: &str = "2026-01-15T12:30:00+01:00";

/// What both versions have, below the prefix.
fn both() -> Vec<Row> {
    let incident = json!({"start_time": AT, "tags": []});
    let ack = json!({"timestamp": AT, "event": {"timestamp": AT}});
    vec![
        row("GET", "/incidents/", ALL_READ, Value::Null),
        row("POST", "/incidents/", [401, 400, 201, 400, 400], incident.clone()),
        row("GET", "/incidents/mine/", ALL_READ, Value::Null),
        row("POST", "/incidents/mine/", [401, 400, 201, 400, 400], incident),
        row("GET", "/incidents/{pk}/", ALL_READ, Value::Null),
        row("PUT", "/incidents/{pk}/", ALL_READ, json!({"tags": [{"tag": "t=1"}], "level": 3})),
        row("PATCH", "/incidents/{pk}/", ALL_READ, json!({"level": 3})),
        row("DELETE", "/incidents/{pk}/", [401, 405, 405, 405, 405], Value::Null),
        row("PUT", "/incidents/{pk}/ticket_url/", ALL_READ, json!({"ticket_url": "t"})),
        row("GET", "/incidents/{pk}/events/", ALL_READ, Value::Null),
        row("POST", "/incidents/{pk}/events/", ALL_CREATE, json!({"type": "OTH", "timestamp": AT})),
        row("GET", "/incidents/{pk}/events/{event_pk}/", ALL_READ, Value::Null),
        row("GET", "/incidents/{pk}/acks/", ALL_READ, Value::Null),
        row("POST", "/incidents/{pk}/acks/", ALL_CREATE, ack),
        row("GET", "/incidents/{pk}/acks/{ack_pk}/", ALL_READ, Value::Null),
        row("PUT", "/incidents/{pk}/acks/{ack_pk}/", ALL_READ, json!({})),
        row("PATCH", "/incidents/{pk}/acks/{ack_pk}/", ALL_READ, json!({})),
        row("GET", "/incidents/{pk}/tags/", ALL_READ, Value::Null),
        row("POST", "/incidents/{pk}/tags/", ALL_CREATE, json!({"tag": "x=y"})),
        row("GET", "/incidents/{pk}/tags/{tag}/", ALL_READ, Value::Null),
        row("DELETE", "/incidents/{pk}/tags/{tag}/", [401, 204, 204, 204, 204], Value::Null),
        row("GET", "/incidents/sources/", ALL_READ, Value::Null),
        row("POST", "/incidents/sources/", [401, 403, 403, 403, 201], json!({"name": "new", "type": "zabbix"})),
        row("GET", "/incidents/sources/{pk}/", ALL_READ, Value::Null),
        row("PUT", "/incidents/sources/{pk}/", [401, 403, 403, 403, 200], json!({"name": "other"})),
        row("PATCH", "/incidents/sources/{pk}/", [401, 403, 403, 403, 200], json!({"name": "another"})),
        row("GET", "/incidents/source-types/", ALL_READ, Value::Null),
        row("POST", "/incidents/source-types/", ALL_CREATE, json!({"name": "nav"})),
        row("GET", "/incidents/source-types/{name}/", ALL_READ, Value::Null),
        row("GET", "/notificationprofiles/filters/", ALL_READ, Value::Null),
        row("POST", "/notificationprofiles/filters/", ALL_CREATE, json!({"name": "new"})),
        row("GET", "/notificationprofiles/filters/{pk}/", OWNER_READS, Value::Null),
        row("PUT", "/notificationprofiles/filters/{pk}/", OWNER_READS, json!({"name": "put"})),
        row("PATCH", "/notificationprofiles/filters/{pk}/", OWNER_READS, json!({})),
        row("DELETE", "/notificationprofiles/filters/{pk}/", OWNER_DELETES, Value::Null),
        row("DELETE", "/notificationprofiles/{pk}/", OWNER_DELETES, Value::Null),
        row("GET", "/notificationprofiles/", ALL_READ, Value::Null),
        row("GET", "/notificationprofiles/{pk}/", OWNER_READS, Value::Null),
        row("PATCH", "/notificationprofiles/{pk}/", OWNER_READS, json!({"active": false})),
        row("GET", "/notificationprofiles/{pk}/incidents/", [401, 400, 200, 400, 400], Value::Null),
        row("POST", "/notificationprofiles/preview/", ALL_READ, json!({"open": true})),
        row("POST", "/notificationprofiles/filterpreview/", ALL_READ, json!({"open": true})),
        row("GET", "/auth/user/", ALL_READ, Value::Null),
        row("GET", "/auth/users/{pk}/", ALL_READ, Value::Null),
        row("POST", "/token-auth/", OPEN, json!({"username": "admin", "password": PASSWORD})),
        row("GET", "/schema/", OPEN, Value::Null),
        row("POST", "/auth/logout/", OPEN, Value::Null),
    ]
}

fn only(version: Version) -> Vec<Row> {
    let destination = json!({"media": "email", "settings": {"email_address": "new@example.org"}});
    let ids = |name: &str, value: Value| json!({"ids": [1], name: value});
    match version {
        Version::V1 => vec![
            row("GET", "/incidents/open/", ALL_READ, Value::Null),
            row("GET", "/incidents/open+unacked/", ALL_READ, Value::Null),
            row("GET", "/incidents/metadata/", ALL_READ, Value::Null),
            row("POST", "/notificationprofiles/", [401, 400, 400, 400, 400], json!({"media": []})),
            row("PUT", "/notificationprofiles/{pk}/", [401, 404, 400, 404, 404], json!({"media": []})),
            row("GET", "/auth/phone-number/", ALL_READ, Value::Null),
            row("POST", "/auth/phone-number/", ALL_CREATE, json!({"phone_number": "+4767676767"})),
            row("GET", "/auth/phone-number/{pk}/", OWNER_READS, Value::Null),
            row("PUT", "/auth/phone-number/{pk}/", OWNER_READS, json!({"phone_number": "+4767676768"})),
            row("PATCH", "/auth/phone-number/{pk}/", OWNER_READS, json!({})),
            row("DELETE", "/auth/phone-number/{pk}/", OWNER_DELETES, Value::Null),
        ],
        Version::V2 => vec![
            row("GET", "/incidents/events/", ALL_READ, Value::Null),
            row("PUT", "/incidents/{pk}/automatic-ticket/", [401, 400, 400, 400, 400], Value::Null),
            row("POST", "/incidents/acks/bulk/", ALL_CREATE, ids("ack", json!({"timestamp": AT}))),
            row("POST", "/incidents/events/bulk/", ALL_CREATE, ids("event", json!({"type": "OTH", "timestamp": AT}))),
            row("POST", "/incidents/ticket_url/bulk/", ALL_CREATE, ids("ticket_url", json!("t"))),
            row("POST", "/incidents/sources/heartbeat/", [401, 403, 204, 403, 403], Value::Null),
            row("POST", "/notificationprofiles/", [401, 400, 400, 400, 400], json!({})),
            row("PUT", "/notificationprofiles/{pk}/", [401, 404, 400, 404, 404], json!({})),
            row("GET", "/notificationprofiles/destinations/", ALL_READ, Value::Null),
            row("POST", "/notificationprofiles/destinations/", ALL_CREATE, destination),
            row("GET", "/notificationprofiles/destinations/{pk}/", OWNER_READS, Value::Null),
            row("PATCH", "/notificationprofiles/destinations/{pk}/", OWNER_READS, json!({"label": null})),
            row("DELETE", "/notificationprofiles/destinations/{pk}/", OWNER_DELETES, Value::Null),
            row("GET", "/notificationprofiles/destinations/{pk}/duplicate/", [401, 400, 200, 400, 400], Value::Null),
            row("POST", "/auth/refresh-token/", ALL_READ, Value::Null),
            row("POST", "/auth/token/login/", [403, 200, 200, 200, 200], Value::Null),
            row("POST", "/auth/token/logout/", [401; 5], Value::Null),
            row("POST", "/auth/token/logoutall", [401; 5], Value::Null),
        ],
    }
}

fn unversioned() -> Vec<Row> {
    vec![
        row("GET", "/api/", OPEN, Value::Null),
        row("GET", "/api/schema/", OPEN, Value::Null),
        row("GET", "/login-methods/", OPEN, Value::Null),
    ]
}

/// What the Argus API does not have, below its prefix. Timeslot and destination are the end user's.
fn natives() -> Vec<Row> {
    let draft = json!({"timeslot": 3, "filters": [{"open": true}]});
    vec![
        row("POST", "/incidents/{pk}/acks/{ack_pk}/take-back/", ALL_CREATE, Value::Null),
        row("GET", "/incidents/{pk}/notifications/", ALL_READ, Value::Null),
        row("GET", "/incidents/{pk}/events/{event_pk}/decisions/", ALL_READ, Value::Null),
        row("POST", "/destinations/{pk}/test/", [401, 200, 404, 404, 404], Value::Null),
        row("GET", "/deliveries/", STAFF_ONLY, Value::Null),
        row("POST", "/deliveries/{pk}/retry/", STAFF_ONLY, Value::Null),
        row("POST", "/profiles/preview/", [401, 200, 400, 400, 400], draft),
        row("GET", "/channels/", STAFF_ONLY, Value::Null),
        row("POST", "/channels/", [401, 403, 403, 403, 400], json!({})),
        row("GET", "/channels/types/", STAFF_ONLY, Value::Null),
        row("GET", "/channels/{uuid}/", STAFF_ONLY, Value::Null),
        row("PUT", "/channels/{uuid}/", [401, 403, 403, 403, 400], json!({})),
        row("PATCH", "/channels/{uuid}/", [401, 403, 403, 403, 200], json!({"offered": true})),
        row("DELETE", "/channels/{uuid}/", [401, 403, 403, 403, 204], Value::Null),
        row("GET", "/schema/", OPEN, Value::Null),
    ]
}

/// With whole paths.
fn table(document: Document) -> BTreeMap<(String, &'static str), Row> {
    let below = match document {
        Document::Argus(version) => [both(), only(version)].concat(),
        Document::Native => natives(),
    };
    let below = below.into_iter().map(|row| (format!("{}{}", document.prefix(), row.path), row));
    let plain = if document == Document::Argus(Version::V2) { unversioned() } else { Vec::new() };
    let plain = plain.into_iter().map(|row| (row.path.to_owned(), row));
    let of_resources =
        resource::all().flat_map(Resource::documented).filter(|(in_document, ..)| *in_document == document);
    let of_resources = of_resources.map(|(_, path, row)| (path, row));
    one_each(below.chain(plain).chain(of_resources).map(|(path, row)| ((path, row.method), row)))
}

/// There must not be two rows for the same.
fn one_each<K: Ord + Debug, R>(rows: impl IntoIterator<Item = (K, R)>) -> BTreeMap<K, R> {
    let mut table = BTreeMap::new();
    for (key, row) in rows {
        let shown = format!("{key:?}");
        assert!(table.insert(key, row).is_none(), "two rows for {shown}");
    }
    table
}

#[test]
fn every_operation_has_its_row() {
    for document in Document::ALL {
        let table = table(document);
        let document = document.openapi();
        let paths = document.paths.paths.iter();
        let documented: BTreeSet<(String, &str)> = paths
            .flat_map(|(path, item)| docs::operations(item).into_iter().map(move |(method, _)| (path.clone(), method)))
            .collect();
        let expected: BTreeSet<(String, &str)> = table.into_keys().collect();
        let missing: Vec<_> = documented.difference(&expected).collect();
        let gone: Vec<_> = expected.difference(&documented).collect();
        assert!(missing.is_empty() && gone.is_empty(), "without a row: {missing:?}; not documented: {gone:?}");
    }
}

#[tokio::test]
async fn every_kind_of_user_gets_the_statuses_of_the_table() {
    for document in Document::ALL {
        for (column, who) in Who::ALL.into_iter().enumerate() {
            check_column(document, column, who).await;
        }
    }
}

async fn check_column(document: Document, column: usize, who: Who) {
    let app = App::new().await;
    let table = table(document);
    // What ends the caller's token comes last, so the objects are made with another.
    let rank = |path: &str| (path.ends_with("/auth/logout/"), path.ends_with("/auth/refresh-token/"));
    let helper = app.bearing(&app.new_token("zabbix-src").await);
    let admin = app.bearing(&app.new_token("admin").await);
    let mut rows: Vec<_> = table.iter().collect();
    rows.sort_by_key(|((path, _), _)| rank(path));
    let mut wrong = Vec::new();
    for ((path, method), row) in rows {
        let path = filled(&app, &helper, &admin, row.object, path).await;
        let body = Some(row.body.clone()).filter(|body| !body.is_null());
        let reply = app.of(who).call(Method::from_bytes(method.as_bytes()).unwrap(), &path, body).await;
        let expected = row.statuses[column];
        if reply.status != expected {
            wrong.push(format!("{method} {path}: {} instead of {expected}: {}", reply.status, reply.text));
        }
    }
    assert!(wrong.is_empty(), "{document:?} {who:?}:\n{}", wrong.join("\n"));
}

/// The path with the keys of new objects, of the row's resource or of all that rows here need.
async fn filled(app: &App, helper: &Client, admin: &Client, object: Option<Make>, path: &str) -> String {
    match object {
        Some(object) => fill(app, path, object).await,
        None => objects(app, helper, admin).await.fill(path),
    }
}

/// What the parameters of paths stand for.
struct Objects {
    incident: u64,
    event: u64,
    ack: u64,
    filter: u64,
    /// The end user's.
    destination: u64,
    /// A message that was given up.
    dead: u64,
    /// Those of the source's user.
    own_destination: u64,
    profile: u64,
    channel: String,
}

/// A fresh incident with an event, an acknowledgement and a tag; a filter, a destination, a profile and a channel.
async fn objects(app: &App, helper: &Client, admin: &Client) -> Objects {
    let incident = helper.incident().starts(AT).tag("t=1").post().await;
    let path = format!("/api/v2/incidents/{incident}");
    let event = helper.post(&format!("{path}/events/"), json!({"type": "OTH", "timestamp": AT})).await.pk();
    let ack = helper.post(&format!("{path}/acks/"), json!({ "timestamp": AT })).await.pk();
    let name = format!("of {incident}");
    let filter = helper.filter(&name).post().await;
    let number = format!("+479{:07}", 1_000_000 + incident);
    let own_destination = helper.destination("sms", "phone_number", &number).post().await;
    let kept = format!("kept {incident}");
    let (timeslot, used) = (helper.timeslot(&kept).never().post().await, helper.filter(&kept).post().await);
    let profile = helper.profile().timeslot(timeslot).filter(used).with(json!({"destinations": []})).post().await;
    let channel = admin.channel(&name, "email").create().await;
    // A request to send it again is among those that are made.
    app.allow_unsent_messages();
    let failed = app.failed_message(incident, event);
    let dead = app
        .write(move |command| {
            let id = command.new_message_id();
            command.put_message(Message { id, ..failed });
            id
        })
        .await;
    let destination = app.destination_of("alice").0;
    Objects { incident, event, ack, filter, destination, dead: dead.0, own_destination, profile, channel }
}

impl Objects {
    /// Which object the path is about.
    fn key(&self, path: &str) -> u64 {
        if path.starts_with(native::PREFIX) && path.contains("/destinations/") {
            self.destination
        } else if path.contains("/deliveries/") {
            self.dead
        } else if path.contains("/sources/") {
            2
        } else if path.contains("/users/") {
            1
        } else if path.contains("/filters/") {
            self.filter
        } else if path.contains("/destinations/") || path.contains("/phone-number/") {
            self.own_destination
        } else if path.contains("/notificationprofiles/") || path.contains("/profiles/") {
            self.profile
        } else {
            self.incident
        }
    }

    fn fill(&self, path: &str) -> String {
        path.replace("{pk}", &self.key(path).to_string())
            .replace("{event_pk}", &self.event.to_string())
            .replace("{ack_pk}", &self.ack.to_string())
            .replace("{uuid}", &self.channel)
            .replace("{tag}", "t=1")
            .replace("{name}", "zabbix")
    }
}

//! Rules: contacts that came over one API are told of incidents that came over the other, and it can be asked why.

use std::sync::Arc;

use argusd::{
    clock::Clock,
    domain::message::{Message, Route},
    jobs::FaultWatch,
    notify::{ChannelSettings, Channels, DispatchSettings, Dispatcher, Health, MailSettings, QueueSettings},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    resource::{
        Document, Resource, STAFF_ONLY, STAFF_SEE, SUPERUSERS_DO, SUPERUSERS_ERR, SUPERUSERS_SEE, get, post, row,
    },
    support::{
        App, Client, MINUTE, Reply, Who,
        contact_api::{EMAIL, ISSUE, Rig, WEBHOOK, id, with},
        sinks::SmtpSink,
    },
};

const RULES: &str = "/argusd/v1/rules/";
const PROFILES: &str = "/api/v2/notificationprofiles";
const NTFY: &str = "0817d973-398e-41d7-9cd2-61cdb7ef41a3";

pub fn resource() -> Resource {
    Resource {
        documents: &[Document::Native],
        operations: vec![
            row("GET", "/rules/", STAFF_ONLY, Value::Null),
            row("POST", "/rules/", [401, 403, 403, 403, 400], json!({})),
            row("GET", "/rules/{pk}/", STAFF_ONLY, Value::Null),
            row("PUT", "/rules/{pk}/", [401, 403, 403, 403, 400], json!({})),
            row("PATCH", "/rules/{pk}/", [401, 403, 403, 403, 200], json!({"active": false})),
            row("DELETE", "/rules/{pk}/", [401, 403, 403, 403, 204], Value::Null),
        ],
        pages: vec![
            get("/admin/rules/", STAFF_SEE),
            get("/admin/rules/new/", SUPERUSERS_SEE),
            post("/admin/rules/new/", SUPERUSERS_ERR, &[]),
            get("/admin/rules/{id}/", STAFF_SEE),
            post("/admin/rules/{id}/", SUPERUSERS_ERR, &[]),
            post("/admin/rules/{id}/delete/", SUPERUSERS_DO, &[]),
        ],
        object: |app| Box::pin(without_recipients(app)),
        ..Resource::default()
    }
}

async fn without_recipients(app: &App) -> String {
    let (admin, name) = (app.of(Who::Superuser), Uuid::new_v4().to_string());
    let timeslot = admin.get(&format!("{PROFILES}/timeslots/")).await.json()[0]["pk"].clone();
    let filter = pk(&admin.post(&format!("{PROFILES}/filters/"), json!({ "name": name })).await);
    let body = json!({"name": name, "timeslot": timeslot, "filters": [filter]});
    pk(&admin.post(RULES, body).await).to_string()
}

/// Contacts over one API, incidents over the other, and an administrator with a filter for everything.
pub struct Desk {
    pub rig: Rig,
    pub admin: Client,
    timeslot: u64,
    filter: u64,
    pub watch: FaultWatch,
}

impl Desk {
    pub async fn new() -> Self {
        let rig = Rig::new().await;
        let admin = rig.app.of(Who::Superuser);
        let (timeslot, filter) = always(&admin).await;
        let watch = FaultWatch::new(rig.app.service.clone(), Arc::new(Health::default()));
        Self { rig, admin, timeslot, filter, watch }
    }

    fn body(&self, name: &str, recipients: &Value) -> Value {
        json!({"name": name, "timeslot": self.timeslot, "filters": [self.filter], "recipients": recipients})
    }

    pub async fn rule(&self, name: &str, recipients: Value) -> u64 {
        pk(&self.admin.post(RULES, self.body(name, &recipients)).await)
    }

    pub async fn edit(&self, rule: u64, fields: Value) {
        let reply = self.admin.patch(&format!("{RULES}{rule}/"), fields).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    /// Incident and first event.
    pub async fn happens(&self) -> (u64, u64) {
        let incident = self.rig.app.incident(json!({"description": "røde tall", "level": 1})).await;
        let events = self.admin.get(&format!("/api/v2/incidents/{incident}/events/")).await.json();
        (incident, events[0]["pk"].as_u64().unwrap())
    }

    /// (contact, rule, medium, address)
    fn notified(&self, incident: u64) -> Vec<(String, u64, String, String)> {
        let mut notified = Vec::new();
        for message in self.messages(incident) {
            if let Route::Contact { rule, full_name, medium, .. } = message.route {
                notified.push((full_name, rule.0, medium, message.address));
            }
        }
        notified
    }

    pub fn messages(&self, incident: u64) -> Vec<Message> {
        let snapshot = self.rig.app.service.store().snapshot().unwrap();
        snapshot.messages_of(argusd::domain::ids::IncidentId(incident)).unwrap()
    }

    pub async fn why(&self, (incident, event): (u64, u64), contact: u128) -> Value {
        let contact = id(contact);
        let path = format!("/argusd/v1/incidents/{incident}/events/{event}/decisions/?contact={contact}");
        let reply = self.admin.get(&path).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    }

    /// What is said of the contact by each rule.
    pub async fn codes(&self, happened: (u64, u64), contact: u128) -> Vec<String> {
        let code = |rule: &Value| match &rule["reasons"][0]["code"] {
            Value::String(code) => code.clone(),
            _ => rule["verdict"].as_str().unwrap().to_owned(),
        };
        self.why(happened, contact).await["rules"].as_array().unwrap().iter().map(code).collect()
    }

    /// So many open incidents are there about rules without recipients.
    async fn complaints(&self) -> Vec<Value> {
        for (_, settled) in self.watch.round().await {
            settled.unwrap();
        }
        let path = "/api/v2/incidents/?tags=problem_type=rule_without_recipients&open=true";
        self.admin.get(path).await.json()["results"].as_array().unwrap().clone()
    }
}

async fn always(client: &Client) -> (u64, u64) {
    let days = json!([{"days": [1, 2, 3, 4, 5, 6, 7], "all_day": true}]);
    let body = json!({"name": "always", "time_recurrences": days});
    let timeslot = client.post(&format!("{PROFILES}/timeslots/"), body).await;
    let body = json!({"name": "everything", "filter": {"maxlevel": 5}});
    (pk(&timeslot), pk(&client.post(&format!("{PROFILES}/filters/"), body).await))
}

#[track_caller]
fn pk(reply: &Reply) -> u64 {
    assert_eq!(reply.status, 201, "{}", reply.text);
    reply.json()["pk"].as_u64().unwrap()
}

pub fn to(n: u128) -> Value {
    json!({ "contact": id(n) })
}

pub fn to_group(n: u128) -> Value {
    json!({ "group": id(n) })
}

fn dispatcher(desk: &Desk, sink: &SmtpSink) -> Dispatcher {
    let app = &desk.rig.app;
    let mail = MailSettings { host: "127.0.0.1".to_owned(), port: sink.port, ..MailSettings::default() };
    let clock = Arc::clone(&app.clock) as Arc<dyn Clock>;
    let channels = Channels::new(&ChannelSettings { mail, ..ChannelSettings::default() }, clock).unwrap();
    let queue = QueueSettings { storm_limit: 0, retry_micros: 60 * MINUTE };
    let settings = DispatchSettings { queue, public_url: None };
    Dispatcher::new(app.service.store().clone(), Arc::new(channels), Arc::new(Health::default()), settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_reaches_a_contact_and_says_by_which_rule() {
    let desk = Desk::new().await;
    desk.rig.put_contact(1, json!({})).await;
    let rule = desk.rule("Net", json!([to(1)])).await;
    let (sink, happened) = (SmtpSink::start(), desk.happens().await);
    dispatcher(&desk, &sink).work_off().await;
    let mails = sink.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["c1@example.org"]);

    let list = desk.admin.get(&format!("/argusd/v1/incidents/{}/notifications/", happened.0)).await.json();
    let row = &list[0];
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!((&row["user"], &row["profile"], &row["state"]), (&Value::Null, &Value::Null, &json!("delivered")));
    assert_eq!(row["contact"], json!({"uuid": id(1), "full_name": "Contact 1"}));
    assert_eq!(row["rule"], json!({"pk": rule, "name": "Net"}));
    let channel = json!({"uuid": EMAIL, "name": "Mail", "type": "email", "address": "c1@example.org"});
    assert_eq!(row["channel"], channel);
    let path = format!("/argusd/v1/incidents/{}/notifications/", happened.0);
    let seen_by_others = desk.rig.app.of(Who::EndUser).get(&path).await.json();
    assert_eq!((&seen_by_others[0]["channel"]["address"], &seen_by_others[0]["answer"]), (&Value::Null, &Value::Null));

    let why = desk.why(happened, 1).await;
    assert_eq!((&why["told"], &why["user"]), (&json!(true), &Value::Null));
    assert_eq!(why["summary"], "Contact 1: 1 message sent, by rule \"Net\".");
    let notified = json!([{"pk": rule, "name": "Net", "verdict": "told", "channels": [channel], "reasons": []}]);
    assert_eq!(why["rules"], notified);
    for who in [Who::EndUser, Who::Source] {
        let path = format!("/argusd/v1/incidents/{}/events/{}/decisions/?contact={}", happened.0, happened.1, id(1));
        assert_eq!(desk.rig.app.of(who).get(&path).await.status, 403);
    }
    desk.rig.sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_meanwhile_is_not_written_to() {
    let desk = Desk::new().await;
    for n in 1..=2 {
        desk.rig.put_contact(n, json!({})).await;
    }
    desk.rule("r", json!([to(1), to(2)])).await;
    let (sink, (incident, _)) = (SmtpSink::start(), desk.happens().await);
    assert_eq!(desk.rig.delete(&format!("{ISSUE}/contacts/{}", id(1))).await.status, 204);
    // Another one with the same UUID is somebody else.
    desk.rig.put_contact(1, json!({"full_name": "Other", "addresses": {"email": "other@example.org"}})).await;
    dispatcher(&desk, &sink).work_off().await;
    assert_eq!(sink.mails().iter().flat_map(|mail| mail.to.clone()).collect::<Vec<_>>(), ["c2@example.org"]);
    let gone = &desk.messages(incident)[0];
    assert!(gone.is_dead() && gone.answer.contains("contact was deleted"), "{gone:?}");
}

#[tokio::test]
async fn each_contact_is_told_once_over_each_channel() {
    let desk = Desk::new().await;
    desk.rig.channel(NTFY, "Push", "ntfy", Some(json!({"url": "https://ntfy.example.org/ops"}))).await;
    desk.rig.put_group(10, json!({})).await;
    desk.rig.put_group(11, json!({})).await;
    desk.rig.put_contact(1, json!({"groups": [id(10), id(11)]})).await;
    desk.rig.put_contact(2, json!({"groups": [id(10)]})).await;
    let first = desk.rule("first", json!([to_group(10), to(1), to_group(11)])).await;
    let push = json!({"group": id(11), "channel": NTFY});
    let second = desk.rule("second", json!([to(1), push])).await;
    let happened = desk.happens().await;
    let mail = |n: u128, rule| (format!("Contact {n}"), rule, "email".to_owned(), format!("c{n}@example.org"));
    let pushed = ("Contact 1".to_owned(), second, "ntfy".to_owned(), String::new());
    assert_eq!(desk.notified(happened.0), [mail(1, first), mail(2, first), pushed]);
    let why = desk.why(happened, 1).await;
    assert_eq!(why["rules"][1]["verdict"], "told");
    let reason = &why["rules"][1]["reasons"][0];
    assert_eq!((&reason["code"], &reason["channel"]), (&json!("already_told"), &json!(EMAIL)));
    assert_eq!(reason["clause"], json!({"kind": "rule", "pk": first, "name": "first"}));
    assert_eq!(desk.codes(happened, 2).await, ["told", "not_recipient"]);
    desk.rig.sound();
}

#[tokio::test]
async fn a_user_who_is_told_already_is_not_told_as_a_contact() {
    let desk = Desk::new().await;
    let alice = desk.rig.app.of(Who::EndUser);
    let (timeslot, filter) = always(&alice).await;
    let destination = alice.get(&format!("{PROFILES}/destinations/")).await.json()[0]["pk"].clone();
    let body = json!({"timeslot": timeslot, "filters": [filter], "destinations": [destination], "name": "mine"});
    let profile = pk(&alice.post(&format!("{PROFILES}/"), body).await);
    let same = json!({"username": "Alice", "addresses": {"email": "ALICE@example.org"}});
    desk.rig.put_contact(1, same).await;
    desk.rig.put_contact(2, json!({"username": "bob", "addresses": {"email": "alice@example.org"}})).await;
    desk.rule("r", json!([to(1), to(2)])).await;
    let happened = desk.happens().await;
    let notified = desk.notified(happened.0);
    assert_eq!(notified.iter().map(|it| it.0.as_str()).collect::<Vec<_>>(), ["Contact 2"]);
    let why = desk.why(happened, 1).await;
    let reason = &why["rules"][0]["reasons"][0];
    assert_eq!((&reason["code"], &reason["clause"]["pk"]), (&json!("already_told"), &json!(profile)));
    desk.rig.put_contact(1, json!({"username": "alice", "addresses": {"email": "other@example.org"}})).await;
    assert_eq!(desk.notified(desk.happens().await.0).len(), 2, "another address is another message");
    assert_eq!(desk.why(happened, 1).await, why);
}

#[tokio::test]
async fn what_stands_against_a_rule_is_said() {
    let desk = Desk::new().await;
    desk.rig.put_contact(1, json!({})).await;
    desk.rig.put_contact(2, json!({"default_channel": WEBHOOK, "addresses": null})).await;
    let never = json!({"name": "never", "time_recurrences": []});
    let never = pk(&desk.admin.post(&format!("{PROFILES}/timeslots/"), never).await);
    let rule = desk.rule("r", json!([to(1), {"contact": id(2), "channel": EMAIL}])).await;
    let notified = desk.happens().await;
    assert_eq!(desk.codes(notified, 1).await, ["told"]);
    assert_eq!(desk.codes(notified, 2).await, ["no_destination"]);
    let sentence = &desk.why(notified, 2).await["rules"][0]["reasons"][0]["sentence"];
    assert_eq!(sentence, "Contact 2 had no address of type email for the channel \"Mail\".");

    desk.edit(rule, json!({"timeslot": never})).await;
    let closed = desk.happens().await;
    desk.edit(rule, json!({"timeslot": desk.timeslot, "active": false})).await;
    let inactive = desk.happens().await;
    let quiet = json!({"name": "quiet", "filter": {"event_types": ["END"]}});
    let quiet = pk(&desk.admin.post(&format!("{PROFILES}/filters/"), quiet).await);
    desk.edit(rule, json!({"filters": [quiet], "active": true})).await;
    let other_type = desk.happens().await;
    desk.edit(rule, json!({"filters": [desk.filter]})).await;
    let task = json!({"filters": [desk.filter], "start_time": "2026-01-15T10:00:00Z"});
    pk(&desk.admin.post("/api/v2/plannedmaintenance/", task).await);
    let maintained = desk.happens().await;
    let cases = [
        (closed, "outside_timeslot"),
        (inactive, "rule_inactive"),
        (other_type, "event_type"),
        (maintained, "maintenance"),
    ];
    for (happened, code) in cases {
        assert_eq!(desk.notified(happened.0), [], "{code}");
        assert_eq!(desk.codes(happened, 1).await, [code]);
    }
    desk.rig.sound();
}

#[tokio::test]
async fn the_answer_stays_when_everything_is_edited() {
    let desk = Desk::new().await;
    desk.rig.put_group(10, json!({})).await;
    desk.rig.put_contact(1, json!({"groups": [id(10)]})).await;
    desk.rig.put_contact(2, json!({})).await;
    let rule = desk.rule("r", json!([to_group(10), to(2)])).await;
    let other = desk.rule("s", json!([to(2)])).await;
    let happened = desk.happens().await;
    let before = [desk.why(happened, 1).await, desk.why(happened, 2).await];
    desk.edit(other, json!({"name": "renamed", "active": false})).await;
    desk.rig.put_contact(1, json!({"full_name": "Renamed", "groups": [], "addresses": {"email": "x@y.org"}})).await;
    assert_eq!(desk.rig.delete(&format!("{ISSUE}/contactgroups/{}", id(10))).await.status, 204);
    assert_eq!(desk.rig.delete(&format!("{ISSUE}/contacts/{}", id(2))).await.status, 204);
    assert_eq!(desk.admin.delete(&format!("{RULES}{rule}/")).await.status, 204);
    assert_eq!([desk.why(happened, 1).await, desk.why(happened, 2).await], before);
    desk.rig.put_contact(2, json!({"full_name": "Somebody else"})).await;
    assert_eq!(desk.why(happened, 2).await, before[1]);
    desk.rig.sound();
}

#[tokio::test]
async fn a_rule_that_leads_to_nobody_is_kept_and_complained_about() {
    let desk = Desk::new().await;
    desk.rig.channel(NTFY, "Push", "ntfy", Some(json!({"url": "https://ntfy.example.org/ops"}))).await;
    desk.rig.put_group(10, json!({})).await;
    desk.rig.put_contact(1, json!({})).await;
    let pushed = json!({"contact": id(1), "channel": NTFY});
    let rule = desk.rule("r", json!([to(1), to_group(10), pushed])).await;
    let path = format!("{RULES}{rule}/");
    let left = async || desk.admin.get(&path).await.json()["recipients"].as_array().unwrap().len();
    desk.rig.app.service.contacts().delete_channel(&desk.rig.app.local, NTFY.parse().unwrap()).await.unwrap();
    assert_eq!(left().await, 2);
    assert_eq!(desk.rig.delete(&format!("{ISSUE}/contactgroups/{}", id(10))).await.status, 204);
    assert_eq!((left().await, desk.complaints().await.len()), (1, 0));
    assert_eq!(desk.rig.delete(&format!("{ISSUE}/contacts/{}", id(1))).await.status, 204);
    assert_eq!(left().await, 0);
    desk.rig.sound();
    let complaints = desk.complaints().await;
    assert_eq!(complaints.len(), 1);
    assert!(complaints[0]["tags"].to_string().contains(&format!("rule_id={rule}")));
    assert_eq!(complaints[0]["description"], "Rule \"r\" has no recipients, so it notifies nobody");
    desk.rig.put_contact(2, json!({})).await;
    desk.edit(rule, json!({"recipients": [to(2)]})).await;
    assert_eq!(desk.complaints().await.len(), 0);
    desk.edit(rule, json!({"recipients": []})).await;
    assert_eq!(desk.complaints().await.len(), 1);
    desk.edit(rule, json!({"active": false})).await;
    assert_eq!(desk.complaints().await.len(), 0);
    desk.edit(rule, json!({"active": true})).await;
    assert_eq!(desk.complaints().await.len(), 1);
    assert_eq!(desk.admin.delete(&path).await.status, 204);
    assert_eq!(desk.complaints().await.len(), 0);
}

#[tokio::test]
async fn requests_are_checked_field_by_field() {
    let desk = Desk::new().await;
    desk.rig.put_contact(1, json!({})).await;
    let rule = desk.rule("Net", json!([to(1)])).await;
    let foreign = always(&desk.rig.app.of(Who::EndUser)).await;
    let body = |fields: Value| with(desk.body("new", &json!([to(1)])), fields);
    let nobody = json!({"non_field_errors": ["Name either a contact or a group."]});
    for (fields, field) in [
        (json!({"name": "NET"}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"name": null}), "name"),
        (json!({"timeslot": 999}), "timeslot"),
        (json!({"timeslot": foreign.0}), "non_field_errors"),
        (json!({"filters": []}), "filters"),
        (json!({"filters": [foreign.1]}), "filters"),
        (json!({"recipients": [to(9)]}), "recipients"),
        (json!({"recipients": [to_group(1)]}), "recipients"),
        (json!({"recipients": [{"contact": "x"}]}), "recipients"),
        (json!({"recipients": [{"contact": id(1), "channel": id(1)}]}), "recipients"),
        (json!({"recipients": [{}]}), "recipients"),
        (json!({"recipients": 3}), "recipients"),
        (json!({"active": "perhaps"}), "active"),
    ] {
        let reply = desk.admin.post(RULES, body(fields.clone())).await;
        assert_eq!(reply.status, 400, "{fields}: {}", reply.text);
        assert!(reply.json().get(field).is_some(), "{fields}: {}", reply.text);
        if fields == json!({"recipients": [{}]}) {
            assert!(reply.text.contains(&nobody.to_string()), "{}", reply.text);
        }
    }
    let read = desk.admin.get(&format!("{RULES}{rule}/")).await.json();
    let put = desk.admin.put(&format!("{RULES}{rule}/"), read.clone()).await;
    put.is(200, read);
    let filter = desk.admin.delete(&format!("{PROFILES}/filters/{}/", desk.filter)).await;
    assert_eq!(filter.status, 400);
    assert!(filter.text.contains("rule(s): Net"), "{}", filter.text);
    let timeslot = desk.admin.delete(&format!("{PROFILES}/timeslots/{}/", desk.timeslot)).await;
    assert_eq!(timeslot.status, 400);
    assert!(timeslot.text.contains("rule(s): Net"), "{}", timeslot.text);
    assert_eq!(desk.rig.app.of(Who::Staff).get(RULES).await.json().as_array().unwrap().len(), 1);
}

//! Rules: contacts that came over one API are notified of incidents that came over the other, and it can be asked why.

use std::sync::Arc;

use argusd::{
    domain::message::Route,
    jobs::FaultWatch,
    notify::{Dispatcher, Health},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    resource::{
        Document, Resource, STAFF_ONLY, STAFF_SEE, SUPERUSERS_DO, SUPERUSERS_ERR, SUPERUSERS_SEE, get, post, row,
    },
    support::{
        App, Client, MINUTE, Who,
        builder::Builder,
        contact_api::{ContactApi, EMAIL, ISSUE, WEBHOOK, id, with},
        outbox::mail_at,
        rule::{PATH as RULES, Rule, to, to_group},
        sinks::SmtpSink,
    },
};

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
    let filter = admin.filter(&name).post().await;
    admin.rule(&name).filter(filter).post().await.to_string()
}

/// Contacts over one API, incidents over the other, and an administrator with a filter for everything.
pub struct ContactRules {
    pub api: ContactApi,
    pub admin: Client,
    timeslot: u64,
    filter: u64,
    pub watch: FaultWatch,
}

impl ContactRules {
    pub async fn new() -> Self {
        let api = ContactApi::new().await;
        let admin = api.app.of(Who::Superuser);
        let (timeslot, filter) = always(&admin).await;
        let watch = FaultWatch::new(api.app.service.clone(), Arc::new(Health::default()));
        Self { api, admin, timeslot, filter, watch }
    }

    fn new_rule(&self, name: &str, recipients: Value) -> Builder<Client, Rule> {
        self.admin.rule(name).timeslot(self.timeslot).filter(self.filter).recipients(recipients)
    }

    pub async fn rule(&self, name: &str, recipients: Value) -> u64 {
        self.new_rule(name, recipients).post().await
    }

    pub async fn edit(&self, rule: u64, fields: Value) {
        let reply = self.admin.patch(&format!("{RULES}{rule}/"), fields).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
    }

    /// Incident and first event.
    pub async fn happens(&self) -> (u64, u64) {
        let incident = self.api.app.incident().description("røde tall").level(1).post().await;
        let events = self.admin.get(&format!("/api/v2/incidents/{incident}/events/")).await.json();
        (incident, events[0]["pk"].as_u64().unwrap())
    }

    /// (contact, rule, medium, address)
    fn notified(&self, incident: u64) -> Vec<(String, u64, String, String)> {
        let mut notified = Vec::new();
        for message in self.api.app.messages_of(incident) {
            if let Route::Contact { rule, full_name, medium, .. } = message.route {
                notified.push((full_name, rule.0, medium, message.address));
            }
        }
        notified
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
    (client.timeslot("always").post().await, client.filter("everything").everything().post().await)
}

async fn push_channel(rules: &ContactRules) {
    let config = json!({"url": "https://ntfy.example.org/ops"});
    rules.admin.channel("Push", "ntfy").uuid(NTFY).config(config).create().await;
}

fn dispatcher(rules: &ContactRules, sink: &SmtpSink) -> Dispatcher {
    let app = &rules.api.app;
    app.dispatcher(Arc::new(app.channels(mail_at(sink.port))), &Arc::default(), 60 * MINUTE)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_sent_to_a_contact_with_its_rule() {
    let rules = ContactRules::new().await;
    rules.api.put_contact(1, json!({})).await;
    let rule = rules.rule("Net", json!([to(1)])).await;
    let (sink, happened) = (SmtpSink::start(), rules.happens().await);
    dispatcher(&rules, &sink).work_off().await;
    let mails = sink.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["c1@example.org"]);

    let list = rules.admin.get(&format!("/argusd/v1/incidents/{}/notifications/", happened.0)).await.json();
    let row = &list[0];
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!((&row["user"], &row["profile"], &row["state"]), (&Value::Null, &Value::Null, &json!("delivered")));
    assert_eq!(row["contact"], json!({"uuid": id(1), "full_name": "Contact 1"}));
    assert_eq!(row["rule"], json!({"pk": rule, "name": "Net"}));
    let channel = json!({"uuid": EMAIL, "name": "Mail", "type": "email", "address": "c1@example.org"});
    assert_eq!(row["channel"], channel);
    let path = format!("/argusd/v1/incidents/{}/notifications/", happened.0);
    let seen_by_others = rules.api.app.of(Who::EndUser).get(&path).await.json();
    assert_eq!((&seen_by_others[0]["channel"]["address"], &seen_by_others[0]["answer"]), (&Value::Null, &Value::Null));

    let why = rules.why(happened, 1).await;
    assert_eq!((&why["told"], &why["user"]), (&json!(true), &Value::Null));
    assert_eq!(why["summary"], "Contact 1: 1 message sent, by rule \"Net\".");
    let notified = json!([{"pk": rule, "name": "Net", "verdict": "told", "channels": [channel], "reasons": []}]);
    assert_eq!(why["rules"], notified);
    for who in [Who::EndUser, Who::Source] {
        let path = format!("/argusd/v1/incidents/{}/events/{}/decisions/?contact={}", happened.0, happened.1, id(1));
        assert_eq!(rules.api.app.of(who).get(&path).await.status, 403);
    }
    rules.api.sound();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_contact_gets_no_message() {
    let rules = ContactRules::new().await;
    for n in 1..=2 {
        rules.api.put_contact(n, json!({})).await;
    }
    rules.rule("r", json!([to(1), to(2)])).await;
    let (sink, (incident, _)) = (SmtpSink::start(), rules.happens().await);
    assert_eq!(rules.api.delete(&format!("{ISSUE}/contacts/{}", id(1))).await.status, 204);
    // Another one with the same UUID is somebody else.
    rules.api.put_contact(1, json!({"full_name": "Other", "addresses": {"email": "other@example.org"}})).await;
    dispatcher(&rules, &sink).work_off().await;
    assert_eq!(sink.mails().iter().flat_map(|mail| mail.to.clone()).collect::<Vec<_>>(), ["c2@example.org"]);
    let gone = &rules.api.app.messages_of(incident)[0];
    assert!(gone.is_dead() && gone.answer.contains("contact was deleted"), "{gone:?}");
}

#[tokio::test]
async fn each_contact_is_notified_once_via_each_channel() {
    let rules = ContactRules::new().await;
    rules.api.app.allow_unsent_messages();
    push_channel(&rules).await;
    rules.api.put_group(10, json!({})).await;
    rules.api.put_group(11, json!({})).await;
    rules.api.put_contact(1, json!({"groups": [id(10), id(11)]})).await;
    rules.api.put_contact(2, json!({"groups": [id(10)]})).await;
    let first = rules.rule("first", json!([to_group(10), to(1), to_group(11)])).await;
    let push = json!({"group": id(11), "channel": NTFY});
    let second = rules.rule("second", json!([to(1), push])).await;
    let happened = rules.happens().await;
    let mail = |n: u128, rule| (format!("Contact {n}"), rule, "email".to_owned(), format!("c{n}@example.org"));
    let pushed = ("Contact 1".to_owned(), second, "ntfy".to_owned(), String::new());
    assert_eq!(rules.notified(happened.0), [mail(1, first), mail(2, first), pushed]);
    let why = rules.why(happened, 1).await;
    assert_eq!(why["rules"][1]["verdict"], "told");
    let reason = &why["rules"][1]["reasons"][0];
    assert_eq!((&reason["code"], &reason["channel"]), (&json!("already_told"), &json!(EMAIL)));
    assert_eq!(reason["clause"], json!({"kind": "rule", "pk": first, "name": "first"}));
    assert_eq!(rules.codes(happened, 2).await, ["told", "not_recipient"]);
    rules.api.sound();
}

#[tokio::test]
async fn a_user_who_is_notified_is_not_notified_again_as_a_contact() {
    let rules = ContactRules::new().await;
    rules.api.app.allow_unsent_messages();
    let alice = rules.api.app.of(Who::EndUser);
    let (timeslot, filter) = always(&alice).await;
    let profile = alice.profile().name("mine").timeslot(timeslot).filter(filter).post().await;
    let same = json!({"username": "Alice", "addresses": {"email": "ALICE@example.org"}});
    rules.api.put_contact(1, same).await;
    rules.api.put_contact(2, json!({"username": "bob", "addresses": {"email": "alice@example.org"}})).await;
    rules.rule("r", json!([to(1), to(2)])).await;
    let happened = rules.happens().await;
    let notified = rules.notified(happened.0);
    assert_eq!(notified.iter().map(|it| it.0.as_str()).collect::<Vec<_>>(), ["Contact 2"]);
    let why = rules.why(happened, 1).await;
    let reason = &why["rules"][0]["reasons"][0];
    assert_eq!((&reason["code"], &reason["clause"]["pk"]), (&json!("already_told"), &json!(profile)));
    rules.api.put_contact(1, json!({"username": "alice", "addresses": {"email": "other@example.org"}})).await;
    assert_eq!(rules.notified(rules.happens().await.0).len(), 2, "another address is another message");
    assert_eq!(rules.why(happened, 1).await, why);
}

#[tokio::test]
async fn explanations_say_what_prevented_a_rule() {
    let rules = ContactRules::new().await;
    rules.api.app.allow_unsent_messages();
    rules.api.put_contact(1, json!({})).await;
    rules.api.put_contact(2, json!({"default_channel": WEBHOOK, "addresses": null})).await;
    let never = rules.admin.timeslot("never").never().post().await;
    let rule = rules.rule("r", json!([to(1), {"contact": id(2), "channel": EMAIL}])).await;
    let notified = rules.happens().await;
    assert_eq!(rules.codes(notified, 1).await, ["told"]);
    assert_eq!(rules.codes(notified, 2).await, ["no_destination"]);
    let sentence = &rules.why(notified, 2).await["rules"][0]["reasons"][0]["sentence"];
    assert_eq!(sentence, "Contact 2 had no address of type email for the channel \"Mail\".");

    rules.edit(rule, json!({"timeslot": never})).await;
    let closed = rules.happens().await;
    rules.edit(rule, json!({"timeslot": rules.timeslot, "active": false})).await;
    let inactive = rules.happens().await;
    let quiet = rules.admin.filter("quiet").matching(json!({"event_types": ["END"]})).post().await;
    rules.edit(rule, json!({"filters": [quiet], "active": true})).await;
    let other_type = rules.happens().await;
    rules.edit(rule, json!({"filters": [rules.filter]})).await;
    let task = json!({"filters": [rules.filter], "start_time": "2026-01-15T10:00:00Z"});
    rules.admin.post("/api/v2/plannedmaintenance/", task).await.pk();
    let maintained = rules.happens().await;
    let cases = [
        (closed, "outside_timeslot"),
        (inactive, "rule_inactive"),
        (other_type, "event_type"),
        (maintained, "maintenance"),
    ];
    for (happened, code) in cases {
        assert_eq!(rules.notified(happened.0), [], "{code}");
        assert_eq!(rules.codes(happened, 1).await, [code]);
    }
    rules.api.sound();
}

#[tokio::test]
async fn explanations_do_not_change_with_later_edits() {
    let rules = ContactRules::new().await;
    rules.api.app.allow_unsent_messages();
    rules.api.put_group(10, json!({})).await;
    rules.api.put_contact(1, json!({"groups": [id(10)]})).await;
    rules.api.put_contact(2, json!({})).await;
    let rule = rules.rule("r", json!([to_group(10), to(2)])).await;
    let other = rules.rule("s", json!([to(2)])).await;
    let happened = rules.happens().await;
    let before = [rules.why(happened, 1).await, rules.why(happened, 2).await];
    rules.edit(other, json!({"name": "renamed", "active": false})).await;
    rules.api.put_contact(1, json!({"full_name": "Renamed", "groups": [], "addresses": {"email": "x@y.org"}})).await;
    assert_eq!(rules.api.delete(&format!("{ISSUE}/contactgroups/{}", id(10))).await.status, 204);
    assert_eq!(rules.api.delete(&format!("{ISSUE}/contacts/{}", id(2))).await.status, 204);
    assert_eq!(rules.admin.delete(&format!("{RULES}{rule}/")).await.status, 204);
    assert_eq!([rules.why(happened, 1).await, rules.why(happened, 2).await], before);
    rules.api.put_contact(2, json!({"full_name": "Somebody else"})).await;
    assert_eq!(rules.why(happened, 2).await, before[1]);
    rules.api.sound();
}

#[tokio::test]
async fn a_rule_without_recipients_is_kept_and_reported() {
    let rules = ContactRules::new().await;
    rules.api.app.allow_unsent_messages();
    push_channel(&rules).await;
    rules.api.put_group(10, json!({})).await;
    rules.api.put_contact(1, json!({})).await;
    let pushed = json!({"contact": id(1), "channel": NTFY});
    let rule = rules.rule("r", json!([to(1), to_group(10), pushed])).await;
    let path = format!("{RULES}{rule}/");
    let left = async || rules.admin.get(&path).await.json()["recipients"].as_array().unwrap().len();
    rules.api.app.service.contacts().delete_channel(&rules.api.app.local, NTFY.parse().unwrap()).await.unwrap();
    assert_eq!(left().await, 2);
    assert_eq!(rules.api.delete(&format!("{ISSUE}/contactgroups/{}", id(10))).await.status, 204);
    assert_eq!((left().await, rules.complaints().await.len()), (1, 0));
    assert_eq!(rules.api.delete(&format!("{ISSUE}/contacts/{}", id(1))).await.status, 204);
    assert_eq!(left().await, 0);
    rules.api.sound();
    let complaints = rules.complaints().await;
    assert_eq!(complaints.len(), 1);
    assert!(complaints[0]["tags"].to_string().contains(&format!("rule_id={rule}")));
    assert_eq!(complaints[0]["description"], "Rule \"r\" has no recipients, so it notifies nobody");
    rules.api.put_contact(2, json!({})).await;
    rules.edit(rule, json!({"recipients": [to(2)]})).await;
    assert_eq!(rules.complaints().await.len(), 0);
    rules.edit(rule, json!({"recipients": []})).await;
    assert_eq!(rules.complaints().await.len(), 1);
    rules.edit(rule, json!({"active": false})).await;
    assert_eq!(rules.complaints().await.len(), 0);
    rules.edit(rule, json!({"active": true})).await;
    assert_eq!(rules.complaints().await.len(), 1);
    assert_eq!(rules.admin.delete(&path).await.status, 204);
    assert_eq!(rules.complaints().await.len(), 0);
}

#[tokio::test]
async fn invalid_rules_are_refused_by_field() {
    let rules = ContactRules::new().await;
    rules.api.put_contact(1, json!({})).await;
    let rule = rules.rule("Net", json!([to(1)])).await;
    let foreign = always(&rules.api.app.of(Who::EndUser)).await;
    let body = |fields: Value| with(rules.new_rule("new", json!([to(1)])).body(), fields);
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
        let reply = rules.admin.post(RULES, body(fields.clone())).await;
        assert_eq!(reply.status, 400, "{fields}: {}", reply.text);
        assert!(reply.json().get(field).is_some(), "{fields}: {}", reply.text);
        if fields == json!({"recipients": [{}]}) {
            assert!(reply.text.contains(&nobody.to_string()), "{}", reply.text);
        }
    }
    let read = rules.admin.get(&format!("{RULES}{rule}/")).await.json();
    let put = rules.admin.put(&format!("{RULES}{rule}/"), read.clone()).await;
    put.is(200, read);
    let filter = rules.admin.delete(&format!("{PROFILES}/filters/{}/", rules.filter)).await;
    assert_eq!(filter.status, 400);
    assert!(filter.text.contains("rule(s): Net"), "{}", filter.text);
    let timeslot = rules.admin.delete(&format!("{PROFILES}/timeslots/{}/", rules.timeslot)).await;
    assert_eq!(timeslot.status, 400);
    assert!(timeslot.text.contains("rule(s): Net"), "{}", timeslot.text);
    assert_eq!(rules.api.app.of(Who::Staff).get(RULES).await.json().as_array().unwrap().len(), 1);
}

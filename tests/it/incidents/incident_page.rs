//! The page of one incident and its forms, without scripts.

use argusd::{
    domain::{ids::IncidentId, maintenance::MaintenanceDraft},
    service::Settings,
};
use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::support::{App, Reply, Who, visit::Visit};

async fn open_incident(app: &App) -> (u64, String) {
    let fields = json!({
        "end_time": "infinity", "level": 3, "description": "Uplink lost\nsince noon", "details_url": "alarm/7",
        "source_incident_id": "A7", "metadata": {"port": "xe-0/0/3"},
        "tags": [{"tag": "host=gw 1"}, {"tag": "url=https://nav.example.org/gw1"}],
    });
    let pk = app.incident().with(fields).post().await;
    (pk, format!("/incidents/{pk}/"))
}

#[track_caller]
fn has(reply: &Reply, parts: &[&str]) {
    for part in parts {
        assert!(reply.text.contains(part), "no {part} in {}", reply.text);
    }
}

#[track_caller]
fn has_not(reply: &Reply, parts: &[&str]) {
    for part in parts {
        assert!(!reply.text.contains(part), "{part} in {}", reply.text);
    }
}

#[track_caller]
fn is_refused(reply: &Reply, parts: &[&str]) {
    assert_eq!(reply.status, 422, "{}", reply.text);
    has(reply, &["class=\"problem\" role=\"alert\""]);
    has(reply, parts);
}

async fn incident(app: &App, pk: u64) -> Value {
    app.of(Who::EndUser).get(&format!("/api/v2/incidents/{pk}/")).await.json()
}

#[tokio::test]
async fn the_page_shows_all_fields() {
    let app = App::new().await;
    let (_, path) = open_incident(&app).await;
    let mut alice = Visit::of(&app, "alice").await;
    let page = alice.get(&path).await;
    assert_eq!(page.status, 200);
    has(
        &page,
        &[
            "<h1>Uplink lost</h1>",
            "Uplink lost\nsince noon",
            "Moderate",
            "badge open",
            "not acknowledged",
            "zabbix-src",
            ">A7<",
            "href=\"https://nav.example.org/app/alarm/7\"",
            "href=\"/incidents/?tags=host%3Dgw%201\"",
            "href=\"https://nav.example.org/gw1\"",
            "xe-0/0/3",
            "15 Jan 2026 12:00:00",
            "1 h ago",
            "Started</strong> by zabbix-src",
        ],
    );
    has_not(&page, &["under maintenance", "/delete/"]);
    for path in ["/incidents/999/", "/incidents/x/", "/incidents/-1/"] {
        assert_eq!(alice.get(path).await.status, 404, "{path}");
    }
    let stranger = app.of(Who::Anonymous).get(&path).await;
    assert_eq!(stranger.header("location"), "/accounts/login/?next=%2Fincidents%2F1%2F");
}

#[tokio::test]
async fn an_acknowledgement_with_an_expiration_is_created_and_changed() {
    let app = App::new().await;
    let (pk, path) = open_incident(&app).await;
    let mut alice = Visit::of(&app, "alice").await;
    let form = format!("{path}acknowledge/");
    let page = alice.submit(&form, &[("message", "Mine <i>"), ("until", "1h")]).await;
    has(&page, &["badge acked", "15 Jan 2026 14:00:00", "Mine &#60;i&#62;", "Acknowledged."]);
    let acks = app.of(Who::EndUser).get(&format!("/api/v2/incidents/{pk}/acks/")).await.json();
    assert_eq!(acks[0]["expiration"], "2026-01-15T14:00:00+01:00");

    let ack = acks[0]["pk"].as_u64().unwrap();
    let change = format!("{path}acknowledgements/{ack}/");
    let page = alice.submit(&change, &[("until", "custom"), ("until_at", "2026-01-16T07:30")]).await;
    has(&page, &["16 Jan 2026 07:30:00"]);
    let page = alice.submit(&change, &[("until", "never")]).await;
    has(&page, &["No expiry."]);

    let refused = alice.post(&change, &[("until", "custom"), ("until_at", "2026-01-01T00:00")]).await;
    is_refused(&refused, &["Expires: this time has passed", "value=\"2026-01-01T00:00\""]);
    let refused = alice.post(&form, &[("message", "my <words>"), ("until", "custom"), ("until_at", "soon")]).await;
    is_refused(&refused, &["Expires: &#34;soon&#34; is not a date and time.", "my &#60;words&#62;</textarea>"]);
    has(&refused, &["id=\"action-acknowledge\" open", "value=\"custom\" checked"]);
    assert_eq!(alice.post(&format!("{path}acknowledgements/77/"), &[("until", "1h")]).await.status, 404);
    assert_eq!(incident(&app, pk).await["acked"], true);
}

#[tokio::test]
async fn an_acknowledgement_is_undone() {
    let app = App::new().await;
    let (pk, path) = open_incident(&app).await;
    let mut alice = Visit::of(&app, "alice").await;
    let form = format!("{path}acknowledge/");
    alice.submit(&form, &[("message", "Mine"), ("until", "never")]).await;
    alice.submit(&form, &[("message", "Mine, too"), ("until", "1h")]).await;
    let user = app.of(Who::EndUser);
    let acks = user.get(&format!("/api/v2/incidents/{pk}/acks/")).await.json();
    let [second, first] = [0, 1].map(|at| acks[at]["pk"].as_u64().unwrap());

    let page = alice.get(&path).await;
    has(&page, &["name=\"take_back\""]);
    let mut bob = Visit::of(&app, "bob").await;
    let page = bob.submit(&format!("{path}acknowledgements/{first}/"), &[("take_back", "1")]).await;
    has(&page, &["Acknowledgement undone.", "Took back the acknowledgement by alice.", "badge acked"]);
    assert_eq!(incident(&app, pk).await["acked"], true, "there is another one");
    // What is over cannot be taken back.
    let again = bob.post(&format!("{path}acknowledgements/{first}/"), &[("take_back", "1")]).await;
    assert_eq!(again.status, 422, "{}", again.text);
    app.clock.advance_micros(1_000_000);

    let native = |ack: u64| format!("/argusd/v1/incidents/{pk}/acks/{ack}/take-back/");
    let taken = user.post(&native(second), json!({})).await;
    assert_eq!((taken.status, &taken.json()["type"]["value"]), (201, &json!("OTH")), "{}", taken.text);
    assert_eq!(taken.json()["description"], "Took back the acknowledgement by alice.");
    assert_eq!(incident(&app, pk).await["acked"], false);
    user.post(&native(second), json!({})).await.is(400, json!(["Cannot change expired Acknowledgement"]));
    assert_eq!(user.post(&native(77), json!({})).await.status, 404);
    let events = user.get(&format!("/api/v2/incidents/{pk}/events/")).await.json();
    let kinds: Vec<&str> = events.as_array().unwrap().iter().map(|it| it["type"]["value"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "OTH").count(), 2, "{kinds:?}");
    assert!(alice.get(&path).await.text.contains("not acknowledged"));
}

#[tokio::test]
async fn an_incident_is_closed_reopened_and_commented() {
    let app = App::new().await;
    let (pk, path) = open_incident(&app).await;
    let mut alice = Visit::of(&app, "alice").await;
    let page = alice.submit(&format!("{path}close/"), &[("message", "Plugged in again")]).await;
    has(&page, &["badge closed", "Plugged in again", "Closed</strong> by alice", "Lasted", ">1 h<"]);
    has_not(&page, &["action-close"]);
    is_refused(
        &alice.post(&format!("{path}close/"), &[("message", "twice")]).await,
        &["The incident is already closed.", "twice</textarea>", "id=\"action-close\" open"],
    );
    let page = alice.submit(&format!("{path}reopen/"), &[]).await;
    has(&page, &["badge open", "Reopened</strong> by alice"]);
    is_refused(&alice.post(&format!("{path}reopen/"), &[]).await, &["The incident is already open."]);
    let page = alice.submit(&format!("{path}comment/"), &[("message", "Called\r\nthem")]).await;
    has(&page, &["Comment</strong> by alice", "Called\nthem"]);
    is_refused(&alice.post(&format!("{path}comment/"), &[("message", " ")]).await, &["enter a text first"]);
    is_refused(
        &alice.post(&format!("{path}comment/"), &[("message", &"x".repeat(50_001))]).await,
        &["Message: at most 50000 characters."],
    );
    assert_eq!(incident(&app, pk).await["open"], true);
    assert_eq!(alice.get(&format!("{path}close/")).await.header("location"), path);
}

#[tokio::test]
async fn stateless_incidents_can_only_be_acknowledged() {
    let app = App::new().await;
    let pk = app.incident().description("Reboot").stateless().post().await;
    let mut alice = Visit::of(&app, "alice").await;
    let page = alice.get(&format!("/incidents/{pk}/")).await;
    has(&page, &["stateless", "Happened", "action-acknowledge"]);
    has_not(&page, &["action-close", "action-reopen", "Open for"]);
    let refused = alice.post(&format!("/incidents/{pk}/close/"), &[]).await;
    is_refused(&refused, &["Cannot change the state of a stateless incident."]);
}

#[tokio::test]
async fn ticket_urls_are_web_addresses() {
    let app = App::new().await;
    let (pk, path) = open_incident(&app).await;
    let mut alice = Visit::of(&app, "alice").await;
    let form = format!("{path}ticket/");
    let page = alice.submit(&form, &[("url", "https://t.example.org/?a=1&b=2")]).await;
    has(&page, &["href=\"https://t.example.org/?a=1&#38;b=2\"", "ticket url: nothing → https://t.example.org/"]);
    for bad in ["javascript:alert(1)", "t.example.org/1", "ftp://t.example.org/1", ""] {
        is_refused(&alice.post(&form, &[("url", bad)]).await, &["Ticket: ", "id=\"action-ticket\" open"]);
    }
    alice.submit(&form, &[("url", "whatever"), ("remove", "1")]).await;
    assert_eq!(incident(&app, pk).await["ticket_url"], "");
}

#[tokio::test]
async fn tags_of_others_are_removed_by_superusers_only() {
    let app = App::new().await;
    let (pk, path) = open_incident(&app).await;
    let form = format!("{path}tags/");
    let mut alice = Visit::of(&app, "alice").await;
    has_not(&alice.get(&path).await, &["value=\"host=gw 1\""]);
    let page = alice.submit(&form, &[("tag", "room=1<2")]).await;
    has(&page, &["room=1&#60;2", "value=\"room=1&#60;2\"", "tags: ["]);
    is_refused(&alice.post(&form, &[("tag", "Room 12")]).await, &["is not key=value", "value=\"Room 12\""]);
    is_refused(&alice.post(&form, &[]).await, &["enter key=value"]);
    let refused = alice.post(&form, &[("remove", "host=gw 1")]).await;
    is_refused(&refused, &["Only superusers may remove tags that somebody else added."]);

    let mut bob = Visit::of(&app, "bob").await;
    is_refused(&bob.post(&form, &[("remove", "room=1<2")]).await, &["Only superusers"]);
    let mut stan = Visit::of(&app, "stan").await;
    is_refused(&stan.post(&form, &[("remove", "room=1<2")]).await, &["Only superusers"]);
    alice.submit(&form, &[("remove", "room=1<2")]).await;
    let mut admin = Visit::of(&app, "admin").await;
    has(&admin.get(&path).await, &["value=\"host=gw 1\""]);
    admin.submit(&form, &[("remove", "host=gw 1")]).await;
    assert_eq!(incident(&app, pk).await["tags"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_level_is_changed() {
    let app = App::new().await;
    let (pk, path) = open_incident(&app).await;
    let mut alice = Visit::of(&app, "alice").await;
    let page = alice.submit(&format!("{path}level/"), &[("level", "1")]).await;
    has(&page, &["level: 3 → 1"]);
    assert_eq!(incident(&app, pk).await["level"], 1);
    is_refused(&alice.post(&format!("{path}level/"), &[("level", "6")]).await, &["Level: choose one from 1 to 5."]);
}

#[tokio::test]
async fn deleting_needs_the_setting_the_right_and_a_confirmation() {
    let app = App::new().await;
    let (_, path) = open_incident(&app).await;
    let form = format!("{path}delete/");
    let mut admin = Visit::of(&app, "admin").await;
    is_refused(&admin.post(&form, &[("sure", "1")]).await, &["Incidents cannot be deleted here"]);

    let settings = Settings { indelible_incidents: false, time_zone: Tz::Europe__Oslo, ..Settings::default() };
    let app = App::with(settings).await;
    let (pk, path) = open_incident(&app).await;
    let form = format!("{path}delete/");
    for (name, may) in [("alice", false), ("stan", false), ("zabbix-src", true), ("admin", true)] {
        let mut visit = Visit::of(&app, name).await;
        let page = visit.get(&path).await;
        assert_eq!(page.text.contains("action-delete"), may, "{name}");
        if !may {
            assert_eq!(visit.post(&form, &[("sure", "1")]).await.status, 403);
        }
    }
    let mut admin = Visit::of(&app, "admin").await;
    is_refused(&admin.post(&form, &[]).await, &["Check the box"]);
    assert_eq!(admin.post(&form, &[("sure", "1")]).await.header("location"), "/incidents/");
    assert_eq!(app.of(Who::EndUser).get(&format!("/api/v2/incidents/{pk}/")).await.status, 404);
    assert_eq!(admin.get(&path).await.status, 404);
}

#[tokio::test]
async fn sources_can_comment_but_not_close() {
    let app = App::new().await;
    let (_, path) = open_incident(&app).await;
    let mut source = Visit::of(&app, "zabbix-src").await;
    has_not(&source.get(&path).await, &["action-close"]);
    has(&source.submit(&format!("{path}comment/"), &[("message", "self test passed")]).await, &["self test passed"]);
    is_refused(&source.post(&format!("{path}close/"), &[]).await, &["A source system cannot post events of type"]);
}

#[tokio::test]
async fn forms_without_a_csrf_token_do_nothing() {
    let app = App::new().await;
    let (pk, path) = open_incident(&app).await;
    let mut alice = Visit::of(&app, "alice").await;
    for action in ["acknowledge", "close", "reopen", "comment", "ticket", "tags", "level", "delete"] {
        assert_eq!(alice.post_without_proof(&format!("{path}{action}/")).await.status, 403, "{action}");
    }
    let found = incident(&app, pk).await;
    assert_eq!((&found["open"], &found["acked"]), (&json!(true), &json!(false)));
}

#[tokio::test]
async fn hostile_texts_are_shown_as_text() {
    const MARKUP: &str = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'";
    let app = App::new().await;
    let pk = app
        .incident()
        .open()
        .description(MARKUP)
        .tag(format!("x={MARKUP}"))
        .tag("y=javascript:alert(2)")
        .tag("z=data:text/html,hi")
        .field("details_url", "javascript:alert(1)")
        .with(json!({"source_incident_id": MARKUP}))
        .with(json!({"metadata": {MARKUP: MARKUP}}))
        .post()
        .await;
    let path = format!("/incidents/{pk}/");
    let api = app.of(Who::EndUser);
    // The API takes what pages would not.
    let changed =
        api.patch(&format!("/api/v2/incidents/{pk}/"), json!({"ticket_url": "javascript://x/%0aalert(3)"})).await;
    let mut alice = Visit::of(&app, "alice").await;
    let mut page = alice.submit(&format!("{path}comment/"), &[("message", MARKUP)]).await;
    page.text.push_str(&alice.submit(&format!("{path}acknowledge/"), &[("message", MARKUP)]).await.text);
    page.text.push_str(&alice.get(&format!("{path}?whom={}&event=%22%3E", "%3Cscript%3Ealert(1)")).await.text);
    page.text.push_str(&alice.post(&format!("{path}ticket/"), &[("url", MARKUP)]).await.text);
    has(&page, &["&#60;script&#62;alert(1)"]);
    has_not(&page, &["<script>alert", "<img src=x", "href=\"javascript", "href=\"data:"]);
    assert!(changed.status == 200 || changed.status == 400);
}

#[tokio::test]
async fn active_maintenance_of_the_incident_is_shown() {
    let app = App::new().await;
    let (_, path) = open_incident(&app).await;
    let filters = "/api/v2/notificationprofiles/filters/";
    let staff = app.of(Who::Staff);
    for (name, tag) in [("this", "host=gw 1"), ("that", "host=gw2")] {
        let filter = staff.post(filters, json!({"name": name, "filter": {"tags": [tag]}})).await.json();
        let id = argusd::domain::ids::FilterId(filter["pk"].as_u64().unwrap());
        let new = MaintenanceDraft {
            description: Some(format!("Work on {name}")),
            filters: Some(vec![id]),
            ..MaintenanceDraft::default()
        };
        app.service.put(&app.local, None, new).await.unwrap();
    }
    let page = Visit::of(&app, "alice").await.get(&path).await;
    has(&page, &["under maintenance: Work on this", "No notifications are sent meanwhile."]);
    has_not(&page, &["Work on that"]);
}

async fn wants(app: &App, who: Who, name: &str, filter: Value) {
    app.allow_unsent_messages();
    let client = app.of(who);
    let filter = client.filter(name).matching(filter).post().await;
    client.profile().name(name).filter(filter).post().await;
}

#[tokio::test]
async fn the_page_says_who_was_notified_and_why_others_were_not() {
    let app = App::new().await;
    wants(&app, Who::EndUser, "Everything", json!({"maxlevel": 5})).await;
    wants(&app, Who::Staff, "The worst", json!({"maxlevel": 1})).await;
    let (_, path) = open_incident(&app).await;

    let mut alice = Visit::of(&app, "alice").await;
    let page = alice.get(&path).await;
    has(&page, &["alice@example.org", ">queued</span>", "profile &#34;Everything&#34;", "Was I notified?"]);
    has_not(&page, &["name=\"whom\""]);
    let page = alice.get(&format!("{path}?me=1")).await;
    has(
        &page,
        &[
            "answered no",
            "alice: 1 message queued, not sent yet.",
            "<span class=\"badge acked\">queued: email alice@example.org",
        ],
    );
    has_not(&page, &["was told", "told:", "delivered"]);
    has(&alice.get(&format!("{path}?whom=stan")).await, &["Staff can ask about others."]);

    let mut bob = Visit::of(&app, "bob").await;
    let page = bob.get(&format!("{path}?me=1")).await;
    has(&page, &["No messages to you yet.", "1 more is to others", "bob had no notification profile"]);
    has_not(&page, &["alice@example.org"]);

    let mut stan = Visit::of(&app, "stan").await;
    let page = stan.get(&format!("{path}?whom=stan")).await;
    has(
        &page,
        &["alice@example.org", "stan was not notified.", "Profile &#34;The worst&#34;:", "<option value=\"alice\">"],
    );
    has(&stan.get(&format!("{path}?whom=nobody")).await, &["No user or contact is named &#34;nobody&#34;."]);
    has(&stan.get(&format!("{path}?whom=stan&event=999")).await, &["This incident has no such event."]);
}

#[tokio::test]
async fn the_timeline_has_a_limited_length() {
    let app = App::new().await;
    let (pk, path) = open_incident(&app).await;
    for number in 0..40 {
        let event =
            json!({"timestamp": "2026-01-15T12:00:00Z", "type": "OTH", "description": format!("note {number}.")});
        let reply = app.of(Who::EndUser).post(&format!("/api/v2/incidents/{pk}/events/"), event).await;
        assert_eq!(reply.status, 201);
    }
    let mut alice = Visit::of(&app, "alice").await;
    let page = alice.get(&path).await;
    has(&page, &["note 39.", "Show all 41 events"]);
    has_not(&page, &["note 9."]);
    let page = alice.get(&format!("{path}?all=1")).await;
    has(&page, &["note 39.", "note 0."]);
    has_not(&page, &["Show all"]);
}

#[tokio::test]
async fn related_incidents_share_tags() {
    let app = App::new().await;
    let (_, path) = open_incident(&app).await;
    let tags = json!([{"tag": "host=gw 1"}]);
    let near = app.incident().open().description("Fan <1>").with(json!({"tags": tags})).post().await;
    app.incident().open().description("Stranger").tag("host=gw2").post().await;
    let page = Visit::of(&app, "alice").await.get(&path).await;
    has(&page, &[&format!("href=\"/incidents/{near}/\">#{near} Fan &#60;1&#62;"), "shares"]);
    has_not(&page, &["Stranger"]);
    assert!(app.service.incidents().incident(IncidentId(near)).await.is_ok());
}

#[tokio::test]
async fn a_timeline_of_long_texts_ends_before_the_page_becomes_too_large() {
    let app = App::new().await;
    let (pk, path) = open_incident(&app).await;
    for _ in 0..60 {
        let body = json!({"type": "OTH", "timestamp": "2026-01-15T12:30:00+01:00", "description": "x".repeat(49_000)});
        assert_eq!(app.of(Who::Source).post(&format!("/api/v2/incidents/{pk}/events/"), body).await.status, 201);
    }
    let mut alice = Visit::of(&app, "alice").await;
    let page = alice.get(&format!("{path}?all=1")).await;
    has(&page, &["The newest 42 of 61 events. The API has the others."]);
    assert!(page.text.len() < 2_500_000, "{}", page.text.len());
}

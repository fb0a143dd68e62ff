//! The native API: what became of messages, and why there were none.

use std::collections::BTreeMap;

use argusd::domain::{
    destination::Destination,
    event::{Event, EventType},
    ids::{DestinationId, EventId, FilterId, IncidentId, MessageId, ProfileId, TimeslotId},
    message::{Message, MessageState, MessageSubject, restricted_answer},
    profile::Profile,
    severity::Level,
    stored_filter::{FilterBlob, StoredFilter},
    time::Timestamp,
};
use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{App, MINUTE, NOW, Who};

#[derive(Clone, Copy)]
pub struct Watch {
    pub profile: ProfileId,
    pub filter: FilterId,
    pub timeslot: TimeslotId,
    pub destination: DestinationId,
}

/// A profile of a user, by mail at any hour.
pub async fn watch(app: &App, username: &str, blob: FilterBlob) -> Watch {
    app.allow_unsent_messages();
    let owner = app.user_id(username);
    let (timeslot, destination) = (app.timeslot_of(username), app.destination_of(username));
    let (profile, filter) = app
        .write(move |command| {
            let (filter, profile) = (command.new_filter_id(), command.new_profile_id());
            command.put_filter(StoredFilter { id: filter, owner, name: "Core".to_owned(), public: false, blob });
            command.put_profile(Profile {
                id: profile,
                owner,
                name: Some("Work".to_owned()),
                timeslot,
                filters: vec![filter],
                destinations: vec![destination],
                active: true,
            });
            (profile, filter)
        })
        .await;
    Watch { profile, filter, timeslot, destination }
}

fn all() -> FilterBlob {
    FilterBlob { stateful: Some(true), ..FilterBlob::default() }
}

fn up_to(level: u8) -> FilterBlob {
    FilterBlob { max_level: Level::new(level), ..FilterBlob::default() }
}

async fn first_event(app: &App, incident: u64) -> u64 {
    let events = app.of(Who::EndUser).get(&format!("/api/v2/incidents/{incident}/events/")).await.json();
    events.as_array().unwrap().last().unwrap()["pk"].as_u64().unwrap()
}

async fn decisions(app: &App, who: Who, incident: u64, event: u64, user: &str) -> (u16, Value) {
    let query = if user.is_empty() { String::new() } else { format!("?user={user}") };
    let path = format!("/argusd/v1/incidents/{incident}/events/{event}/decisions/{query}");
    let reply = app.of(who).get(&path).await;
    (reply.status, reply.json())
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::saturating_from_micros(NOW + minutes * MINUTE)
}

#[tokio::test]
async fn messages_about_an_incident_are_listed() {
    let app = App::new().await;
    let watch = watch(&app, "alice", all()).await;
    let incident = app.incident().level(2).post().await;
    let event = first_event(&app, incident).await;
    let path = format!("/argusd/v1/incidents/{incident}/notifications/");
    let row = json!([{
        "pk": 1,
        "incident": incident,
        "event": {"pk": event, "type": "STA"},
        "user": "alice",
        "profile": {"pk": watch.profile.0, "name": "Work"},
        "destination": {
            "pk": watch.destination.0, "medium": "email", "address": "alice@example.org", "label": null},
        "contact": null,
        "rule": null,
        "channel": null,
        "status": "queued",
        "state": "due",
        "summary": null,
        "attempts": 0,
        "created": "2026-01-15T13:00:00+01:00",
        "next_attempt": "2026-01-15T13:00:00+01:00",
        "last_attempt": null,
        "settled": null,
        "answer": "",
    }]);
    for who in [Who::EndUser, Who::Staff, Who::Superuser] {
        app.of(who).get(&path).await.is(200, row.clone());
    }
    let mut of_others = row.clone();
    of_others[0]["destination"]["address"] = Value::Null;
    of_others[0]["answer"] = Value::Null;
    app.of(Who::Source).get(&path).await.is(200, of_others);
    let unknown = json!({"detail": "No Incident matches the given query."});
    app.of(Who::EndUser).get("/argusd/v1/incidents/99/notifications/").await.is(404, unknown);
    app.of(Who::EndUser).get("/argusd/v1/incidents/x/notifications/").await.is(404, json!({"detail": "Not found."}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_messages_about_an_incident_are_all_listed() {
    let app = App::new().await;
    watch(&app, "alice", all()).await;
    let incident = app.incident().level(2).post().await;
    let (source, path) = (app.of(Who::Source), format!("/api/v2/incidents/{incident}/events/"));
    for _ in 0..800 {
        let body = json!({"type": "OTH", "timestamp": "2026-01-15T12:30:00+01:00", "description": "again"});
        assert_eq!(source.post(&path, body).await.status, 201);
    }
    let list = app.of(Who::EndUser).get(&format!("/argusd/v1/incidents/{incident}/notifications/")).await.json();
    let pks: Vec<u64> = list.as_array().unwrap().iter().map(|row| row["pk"].as_u64().unwrap()).collect();
    assert_eq!(pks, (1..=801).collect::<Vec<u64>>());
}

#[tokio::test]
async fn the_state_of_each_message_is_answered() {
    let app = App::new().await;
    watch(&app, "alice", all()).await;
    let incident = app.incident().post().await;
    let path = format!("/argusd/v1/incidents/{incident}/notifications/");
    let first = app.messages().remove(0);
    let shown = async |state: MessageState| {
        let message =
            Message { state, attempts: 2, last_attempt: Some(at(1)), answer: "451 later".to_owned(), ..first.clone() };
        app.put_message(message).await;
        app.of(Who::EndUser).get(&path).await.json().as_array_mut().unwrap().remove(0)
    };
    let due = shown(MessageState::Due { at: at(5), since: at(0) }).await;
    assert_eq!((&due["state"], &due["attempts"], &due["answer"]), (&json!("due"), &json!(2), &json!("451 later")));
    assert_eq!(due["status"], "queued");
    assert_eq!(due["next_attempt"], "2026-01-15T13:05:00+01:00");
    assert_eq!(due["last_attempt"], "2026-01-15T13:01:00+01:00");
    for (state, name, status) in [
        (MessageState::Delivered { at: at(2) }, "delivered", "sent"),
        (MessageState::Dead { at: at(2) }, "dead", "failed"),
    ] {
        let row = shown(state).await;
        assert_eq!((&row["state"], &row["status"]), (&json!(name), &json!(status)));
        assert_eq!(row["next_attempt"], Value::Null);
        assert_eq!(row["settled"], "2026-01-15T13:02:00+01:00");
    }
    let summary = Message {
        id: MessageId(2),
        about: MessageSubject::Summary(vec![first.id]),
        state: MessageState::Delivered { at: at(3) },
        answer: "250 OK".to_owned(),
        attempts: 1,
        ..first.clone()
    };
    app.write(move |command| {
        command.new_message_id();
        command.put_message(summary);
    })
    .await;
    let gathered = shown(MessageState::Gathered { into: MessageId(2), at: at(2) }).await;
    assert_eq!((&gathered["state"], &gathered["status"]), (&json!("gathered"), &json!("sent")));
    assert_eq!(
        gathered["summary"],
        json!({"pk": 2, "status": "sent", "state": "delivered", "attempts": 1, "next_attempt": null, "last_attempt": null,
            "settled": "2026-01-15T13:03:00+01:00", "answer": "250 OK"})
    );
    let list = app.of(Who::Staff).get("/argusd/v1/deliveries/").await.json();
    let row = &list["results"][0];
    assert_eq!((&row["pk"], &row["summary_of"]), (&json!(2), &json!([1])));
    assert_eq!((&row["incident"], &row["event"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_decision_is_explained() {
    let app = App::new().await;
    let watch = watch(&app, "alice", up_to(2)).await;
    let (low, high) = (app.incident().level(4).post().await, app.incident().level(1).post().await);
    let (low_event, high_event) = (first_event(&app, low).await, first_event(&app, high).await);
    let filter = watch.filter;
    let sentence = format!("Filter \"Core\" (pk {filter}) wants level 2 or worse, but the incident was at level 4.");
    let silent = json!({
        "incident": low,
        "event": {"pk": low_event, "type": "STA"},
        "user": "alice",
        "contact": null,
        "decided": true,
        "at": "2026-01-15T13:00:00+01:00",
        "told": false,
        "messages": {"sent": 0, "queued": 0, "failed": 0},
        "summary": format!("alice was not notified. {sentence}"),
        "profiles": [{
            "pk": watch.profile.0,
            "name": "Work",
            "verdict": "silent",
            "destinations": [],
            "reasons": [{
                "destination": null,
                "code": "filter",
                "sentence": sentence,
                "clause": {"kind": "filter", "pk": filter.0, "name": "Core"},
                "criterion": "maxlevel",
                "wanted": "level 2 or worse",
                "actual": "level 4",
            }],
        }],
        "rules": [],
    });
    assert_eq!(decisions(&app, Who::EndUser, low, low_event, "").await, (200, silent.clone()));
    assert_eq!(decisions(&app, Who::EndUser, low, low_event, "alice").await, (200, silent.clone()));
    assert_eq!(decisions(&app, Who::Staff, low, low_event, "alice").await, (200, silent.clone()));
    let (_, notified) = decisions(&app, Who::EndUser, high, high_event, "").await;
    assert_eq!(
        (&notified["told"], &notified["summary"]),
        (&json!(true), &json!("alice: 1 message queued, not sent yet."))
    );
    assert_eq!(notified["messages"], json!({"sent": 0, "queued": 1, "failed": 0}));
    assert_eq!(notified["profiles"][0]["verdict"], "told");
    let destination = json!({
        "pk": watch.destination.0, "medium": "email", "address": "alice@example.org", "label": null});
    assert_eq!(notified["profiles"][0]["destinations"], json!([destination]));
    // Neither answer changes when all that decided is gone.
    app.write(move |command| {
        command.delete_profile(watch.profile);
        command.delete_filter(watch.filter);
        command.delete_timeslot(watch.timeslot);
        command.delete_destination(watch.destination);
    })
    .await;
    assert_eq!(decisions(&app, Who::EndUser, low, low_event, "").await, (200, silent));
    assert_eq!(decisions(&app, Who::EndUser, high, high_event, "").await, (200, notified));
}

/// Nobody is said to be notified by a message that is queued or failed.
#[tokio::test]
async fn a_decision_counts_sent_queued_and_failed_messages() {
    let app = App::new().await;
    watch(&app, "alice", all()).await;
    let incident = app.incident().post().await;
    let event = first_event(&app, incident).await;
    let message = app.messages().remove(0);
    let put = async |state: MessageState, attempts: u32, answer: &str| {
        let message = Message { state, attempts, answer: answer.to_owned(), ..message.clone() };
        app.put_message(message).await;
    };
    let refused = restricted_answer("Connection refused.", "10.0.0.1:25 refused the connection.");
    for (state, attempts, answer, status, summary, for_staff) in [
        (
            MessageState::Due { at: at(5), since: at(0) },
            1,
            refused.as_str(),
            "queued",
            "alice: 1 message queued, not sent yet (Connection refused, 1 try).",
            "alice: 1 message queued, not sent yet (10.0.0.1:25 refused the connection, 1 try).",
        ),
        (
            MessageState::Dead { at: at(5) },
            7,
            "550 no such user",
            "failed",
            "alice: 1 message failed (550 no such user, 7 tries).",
            "alice: 1 message failed (550 no such user, 7 tries).",
        ),
        (
            MessageState::Delivered { at: at(5) },
            8,
            "250 OK",
            "sent",
            "alice: 1 message sent.",
            "alice: 1 message sent.",
        ),
    ] {
        put(state, attempts, answer).await;
        let (_, own) = decisions(&app, Who::EndUser, incident, event, "").await;
        assert_eq!((&own["summary"], &own["messages"][status]), (&json!(summary), &json!(1)));
        let (_, staff) = decisions(&app, Who::Staff, incident, event, "alice").await;
        assert_eq!(staff["summary"], for_staff);
    }
    // Part of a summary, which counts.
    let gathered = MessageState::Gathered { into: MessageId(2), at: at(6) };
    let summary = Message {
        id: MessageId(2),
        about: MessageSubject::Summary(vec![message.id]),
        state: MessageState::Dead { at: at(7) },
        attempts: 3,
        answer: "too late".to_owned(),
        ..message.clone()
    };
    app.write(move |command| {
        command.new_message_id();
        command.put_message(summary);
    })
    .await;
    put(gathered, 0, "").await;
    let (_, answer) = decisions(&app, Who::EndUser, incident, event, "").await;
    assert_eq!(answer["summary"], "alice: 1 message failed (too late, 3 tries).");
}

#[tokio::test]
async fn decisions_about_others_are_for_staff() {
    let app = App::new().await;
    let incident = app.incident().post().await;
    let event = first_event(&app, incident).await;
    let forbidden = json!({"detail": "You do not have permission to perform this action."});
    for who in [Who::EndUser, Who::Source] {
        for user in ["bob", "nobody"] {
            assert_eq!(decisions(&app, who, incident, event, user).await, (403, forbidden.clone()), "{who:?}");
        }
        // Rights come before what there is.
        assert_eq!(decisions(&app, who, 99, 99, "bob").await.0, 403);
    }
    for who in [Who::Staff, Who::Superuser] {
        let (status, answer) = decisions(&app, who, incident, event, "bob").await;
        assert_eq!((status, &answer["profiles"]), (200, &json!([])));
        assert_eq!(answer["summary"], "bob had no notification profile, so nothing was sent.");
        let unknown = json!({"detail": "No User matches the given query."});
        assert_eq!(decisions(&app, who, incident, event, "nobody").await, (404, unknown));
    }
    let no_event = json!({"detail": "No Event matches the given query."});
    assert_eq!(decisions(&app, Who::EndUser, incident, 99, "").await, (404, no_event));
    let no_incident = json!({"detail": "No Incident matches the given query."});
    assert_eq!(decisions(&app, Who::EndUser, 99, event, "").await, (404, no_incident));
}

#[tokio::test]
async fn an_event_without_notifications_is_explained() {
    let app = App::new().await;
    watch(&app, "alice", all()).await;
    let incident = app.incident().level(3).post().await;
    app.of(Who::Source).patch(&format!("/api/v2/incidents/{incident}/"), json!({"level": 1})).await;
    let events = app.of(Who::EndUser).get(&format!("/api/v2/incidents/{incident}/events/")).await.json();
    let change = events.as_array().unwrap().iter().find(|event| event["type"]["value"] == "CHI").unwrap();
    let (_, answer) = decisions(&app, Who::EndUser, incident, change["pk"].as_u64().unwrap(), "").await;
    assert_eq!((&answer["decided"], &answer["at"], &answer["profiles"]), (&json!(false), &Value::Null, &json!([])));
    let summary = answer["summary"].as_str().unwrap();
    assert!(summary.starts_with("Nobody was to be notified of this event: the server notes such changes"), "{summary}");
}

#[tokio::test]
async fn a_user_created_later_is_explained() {
    let app = App::new().await;
    let incident = app.incident().post().await;
    let event = first_event(&app, incident).await;
    app.user("late").create().await;
    let (status, answer) = decisions(&app, Who::Staff, incident, event, "late").await;
    assert_eq!((status, &answer["decided"]), (200, &json!(true)));
    assert_eq!(answer["summary"], "There was no user late yet when this was decided.");
}

#[tokio::test]
async fn an_event_without_stored_tags_is_still_explained() {
    let app = App::new().await;
    watch(&app, "alice", all()).await;
    let incident = app.incident().post().await;
    let first = first_event(&app, incident).await;
    let first = app.service.incidents().event(IncidentId(incident), EventId(first)).await.unwrap();
    let event = app
        .write(move |command| {
            let id = command.new_event_id();
            let mut event = Event { id, kind: EventType::Other, ..first };
            event.after.tags_version = 7;
            command.put_event(event);
            id
        })
        .await;
    let (status, answer) = decisions(&app, Who::EndUser, incident, event.0, "").await;
    assert_eq!((status, &answer["profiles"]), (200, &json!([])));
    assert!(answer["summary"].as_str().unwrap().starts_with("The tags that the incident had then are not known"));
}

#[tokio::test]
async fn destinations_are_tested_with_a_limit() {
    let app = App::new().await;
    let destination = app.service.directory().destinations_of(app.user_id("alice"))[0].id;
    let path = format!("/argusd/v1/destinations/{destination}/test/");
    let sent = json!({"outcome": "sent", "answer": "250 OK", "transcript": ["to alice@example.org", "250 OK"]});
    for _ in 0..5 {
        app.of(Who::EndUser).post(&path, json!({})).await.is(200, sent.clone());
    }
    let throttled = app.of(Who::EndUser).post(&path, json!({})).await;
    assert_eq!(throttled.status, 429, "{}", throttled.text);
    assert!((1..=13).contains(&throttled.header("retry-after").parse::<u64>().unwrap()));
    let unknown = json!({"detail": "No DestinationConfig matches the given query."});
    for who in [Who::Source, Who::Staff, Who::Superuser] {
        app.of(who).post(&path, json!({})).await.is(404, unknown.clone());
    }
    let of_staff = app.service.directory().destinations_of(app.user_id("stan"))[0].id;
    let other = app.of(Who::Staff).post(&format!("/argusd/v1/destinations/{of_staff}/test/"), json!({})).await;
    assert_eq!(other.status, 200, "each user has a limit of their own");
    let mut expected = vec![(destination, "alice".to_owned()); 5];
    expected.push((of_staff, "stan".to_owned()));
    assert_eq!(app.sender.sent(), expected);
    assert!(app.messages().is_empty(), "nothing is stored");
}

#[tokio::test]
async fn deliveries_are_paged() {
    let app = App::new().await;
    watch(&app, "alice", all()).await;
    for _ in 0..5 {
        app.incident().post().await;
    }
    for message in app.messages().into_iter().filter(|message| message.id.0 % 2 == 0) {
        app.settle(message, MessageState::Dead { at: at(1) }).await;
    }
    let staff = app.of(Who::Staff);
    let pks = |page: &Value| -> Vec<u64> {
        page["results"].as_array().unwrap().iter().map(|row| row["pk"].as_u64().unwrap()).collect()
    };
    let list = async |query: &str| staff.get(&format!("/argusd/v1/deliveries/{query}")).await.json();
    assert_eq!(pks(&list("").await), [5, 4, 3, 2, 1]);
    assert_eq!(pks(&list("?state=all").await), [5, 4, 3, 2, 1]);
    assert_eq!(pks(&list("?state=due").await), [5, 3, 1]);
    assert_eq!(pks(&list("?state=dead").await), [4, 2]);
    assert_eq!(pks(&list("?state=queued").await), [5, 3, 1]);
    assert_eq!(pks(&list("?state=failed").await), [4, 2]);
    let first = list("?state=due&page_size=2").await;
    assert_eq!(pks(&first), [5, 3]);
    let next = first["next"].as_str().unwrap();
    assert_eq!(next, "http://argus.test/argusd/v1/deliveries/?before=3&state=due&page_size=2");
    let rest = staff.get(next.strip_prefix("http://argus.test").unwrap()).await.json();
    assert_eq!((pks(&rest), &rest["next"]), (vec![1], &Value::Null));
    let no_choice = json!({"state": ["\"lost\" is not a valid choice."]});
    staff.get("/argusd/v1/deliveries/?state=lost").await.is(400, no_choice);
    staff.get("/argusd/v1/deliveries/?before=x").await.is(400, json!({"before": ["A valid integer is required."]}));
}

#[tokio::test]
async fn a_failed_message_is_retried_by_hand() {
    let app = App::new().await;
    watch(&app, "alice", all()).await;
    app.incident().post().await;
    let path = "/argusd/v1/deliveries/1/retry/";
    let still_due = json!(["This message is queued. Only failed messages can be sent again."]);
    app.of(Who::Staff).post(path, json!({})).await.is(400, still_due.clone());
    app.settle(app.messages().remove(0), MessageState::Dead { at: at(0) }).await;
    app.clock.advance_micros(10 * MINUTE);
    for who in [Who::EndUser, Who::Source] {
        assert_eq!(app.of(who).post(path, json!({})).await.status, 403);
    }
    let reply = app.of(Who::Staff).post(path, json!({})).await;
    assert_eq!((reply.status, &reply.json()["state"]), (200, &json!("due")));
    assert_eq!(app.messages()[0].state, MessageState::Due { at: at(10), since: at(10) });
    app.of(Who::Staff).post(path, json!({})).await.is(400, still_due);
    for (state, text) in [
        (MessageState::Delivered { at: at(1) }, "This message was sent. Only failed messages can be sent again."),
        (
            MessageState::Gathered { into: MessageId(7), at: at(1) },
            "This message is part of summary 7; only the summary can be sent again.",
        ),
    ] {
        app.settle(app.messages().remove(0), state).await;
        app.of(Who::Staff).post(path, json!({})).await.is(400, json!([text]));
    }
    let unknown = json!({"detail": "No Delivery matches the given query."});
    app.of(Who::Staff).post("/argusd/v1/deliveries/99/retry/", json!({})).await.is(404, unknown);
}

#[tokio::test]
async fn secrets_of_destinations_are_not_answered() {
    let app = App::new().await;
    let Watch { profile, .. } = watch(&app, "alice", all()).await;
    let owner = app.user_id("alice");
    let before = app.service.directory().profiles[&profile].clone();
    app.write(move |command| {
        let id = command.new_destination_id();
        let url = "https://hooks.example.org/services/SECRET/PATH".to_owned();
        command.put_destination(Destination {
            id,
            owner,
            medium: "slack".to_owned(),
            label: Some("team".to_owned()),
            settings: BTreeMap::from([("destination_url".to_owned(), url)]),
            synced: false,
        });
        command.put_profile(Profile { destinations: vec![id], ..Profile::clone(&before) });
    })
    .await;
    let incident = app.incident().post().await;
    let event = first_event(&app, incident).await;
    for who in Who::ALL {
        for path in [
            format!("/argusd/v1/incidents/{incident}/notifications/"),
            format!("/argusd/v1/incidents/{incident}/events/{event}/decisions/?user=alice"),
            "/argusd/v1/deliveries/".to_owned(),
        ] {
            let text = app.of(who).get(&path).await.text;
            assert!(!text.contains("SECRET"), "{who:?} {path}: {text}");
        }
    }
    let rows = app.of(Who::EndUser).get(&format!("/argusd/v1/incidents/{incident}/notifications/")).await.json();
    assert_eq!(rows[0]["destination"]["address"], "hooks.example.org");
    assert_eq!(rows[0]["destination"]["label"], "team");
}

#[tokio::test]
async fn the_openapi_document_is_served() {
    let app = App::new().await;
    let anonymous = app.of(Who::Anonymous);
    let yaml = anonymous.get("/argusd/v1/schema/").await;
    assert_eq!((yaml.status, yaml.header("content-type")), (200, "application/vnd.oai.openapi"));
    let json = anonymous.get("/argusd/v1/schema?format=json").await;
    assert!(json.json()["paths"]["/argusd/v1/deliveries/"]["get"].is_object());
    assert_eq!(anonymous.get("/argusd/v1/schema/swagger-ui/").await.status, 200);
    let options = app.of(Who::Staff).call(Method::OPTIONS, "/argusd/v1/deliveries/", None).await;
    assert_eq!((options.status, options.header("allow")), (200, "GET, HEAD, OPTIONS"));
    assert_eq!(options.json()["name"], "List messages");
    let refused = app.of(Who::Staff).delete("/argusd/v1/deliveries/").await;
    refused.is(405, json!({"detail": "Method \"DELETE\" not allowed."}));
    assert_eq!(app.of(Who::EndUser).get("/argusd/v1/nothing/").await.status, 404);
}

//! Events, acknowledgements, tags and bulk changes (contract sections 9 to 12).

use serde_json::{Value, json};

use crate::support::{App, MINUTE, Who};

const AT: &str = "2026-01-15T12:30:00.123456+01:00";

#[tokio::test]
async fn events_have_the_expected_fields() {
    let app = App::new().await;
    let pk = app.incident().description("it").post().await;
    let path = format!("/api/v1/incidents/{pk}/events/");
    let body = json!({"type": "OTH", "timestamp": AT, "description": "two\nlines"});
    let created = app.of(Who::Source).post(&path, body).await;
    let actor = json!({"pk": app.user_id("zabbix-src").0, "username": "zabbix-src"});
    let event = json!({"pk": 2, "incident": pk, "actor": actor, "timestamp": AT,
        "received": "2026-01-15T13:00:00+01:00", "type": {"value": "OTH", "display": "Other"},
        "description": "two\nlines"});
    created.is(201, event.clone());
    app.of(Who::EndUser).get(&format!("{path}2/")).await.is(200, event.clone());
    let list = app.of(Who::EndUser).get(&path).await.json();
    assert_eq!((&list[0], list.as_array().unwrap().len()), (&event, 2));
    let unknown = json!({"detail": "No Event matches the given query."});
    app.of(Who::EndUser).get(&format!("{path}999/")).await.is(404, unknown);
}

#[tokio::test]
async fn all_events_are_listed_in_pages() {
    let app = App::new().await;
    for _ in 0..3 {
        app.incident().post().await;
    }
    let client = app.of(Who::EndUser);
    let first = client.get("/api/v2/incidents/events/?page_size=2").await.json();
    assert_eq!((&first["results"][0]["pk"], &first["results"][1]["pk"]), (&json!(3), &json!(2)));
    assert_eq!(first["previous"], json!(null));
    let last = client.get(first["next"].as_str().unwrap()).await.json();
    assert_eq!((&last["results"][0]["pk"], &last["next"]), (&json!(1), &json!(null)));
    let back = client.get(last["previous"].as_str().unwrap()).await.json();
    assert_eq!(back["results"], first["results"]);
    client.get("/api/v2/incidents/events/?cursor=null").await.is(404, json!({"detail": "Invalid cursor"}));
}

#[tokio::test]
async fn event_types_are_restricted_by_kind_of_user() {
    let app = App::new().await;
    let open = app.incident().post().await;
    let stateless = app.incident().stateless().post().await;
    let post = async |who, pk: u64, kind: &str| {
        let body = json!({"type": kind, "timestamp": AT});
        app.of(who).post(&format!("/api/v2/incidents/{pk}/events/"), body).await
    };
    let text = |text: &str| json!({ "type": text });
    for kind in ["CLO", "REO", "ACK"] {
        let expected = text(&format!("A source system cannot post events of type '{kind}'."));
        post(Who::Source, open, kind).await.is(400, expected);
    }
    for kind in ["STA", "END", "RES", "CHI", "LES"] {
        let expected = text(&format!("An end user cannot post events of type '{kind}'."));
        post(Who::Superuser, open, kind).await.is(400, expected);
    }
    let refused = post(Who::EndUser, open, "ACK").await;
    refused.is(400, text(&format!(
        "Acknowledgements of this incidents should be posted through http://argus.test/api/v2/incidents/{open}/acks/."
    )));
    post(Who::EndUser, open, "REO").await.is(400, text("The incident is already open."));
    assert_eq!(post(Who::EndUser, open, "CLO").await.status, 201);
    post(Who::EndUser, open, "CLO").await.is(400, text("The incident is already closed."));
    assert_eq!(app.of(Who::EndUser).get(&format!("/api/v2/incidents/{open}/")).await.json()["end_time"], AT);
    assert_eq!(post(Who::Source, open, "END").await.status, 201);
    assert_eq!(post(Who::Source, open, "RES").await.status, 201);
    assert_eq!(app.of(Who::EndUser).get(&format!("/api/v2/incidents/{open}/")).await.json()["open"], true);
    for kind in ["STA", "END", "CHI", "LES", "OTH"] {
        assert_eq!(post(Who::Source, stateless, kind).await.status, 201, "{kind}");
    }
    post(Who::EndUser, stateless, "CLO").await.is(400, text("Cannot change the state of a stateless incident."));
    post(Who::EndUser, stateless, "XXX").await.is(400, json!({"type": ["\"XXX\" is not a valid choice."]}));
}

#[tokio::test]
async fn sources_must_set_the_time_of_their_events() {
    let app = App::new().await;
    let pk = app.incident().post().await;
    let path = format!("/api/v1/incidents/{pk}/events/");
    let missing = app.of(Who::Source).post(&path, json!({})).await;
    missing.is(400, json!({"type": ["This field is required."], "timestamp": ["This field is required."]}));
    app.of(Who::EndUser).post(&path, json!({})).await.is(400, json!({"type": ["This field is required."]}));
    let now = app.of(Who::EndUser).post(&path, json!({"type": "OTH"})).await.json();
    assert_eq!(now["timestamp"], "2026-01-15T13:00:00+01:00");
}

#[tokio::test]
async fn acknowledgements_are_accepted_in_both_forms_and_versions() {
    let app = App::new().await;
    let pk = app.incident().post().await;
    let flat = json!({"timestamp": AT, "description": "seen", "expiration": "2026-01-16T00:00:00+01:00"});
    let nested = json!({"event": {"timestamp": AT, "description": "seen"}, "expiration": "2026-01-16T00:00:00+01:00"});
    let mut both = flat.clone();
    both["event"] = json!({"timestamp": AT, "description": "seen"});
    for version in ["v1", "v2"] {
        for body in [&flat, &nested, &both] {
            let path = format!("/api/{version}/incidents/{pk}/acks/");
            let reply = app.of(Who::Source).post(&path, body.clone()).await;
            assert_eq!(reply.status, 201, "{}", reply.text);
            let ack = reply.json();
            assert_eq!(ack["expiration"], "2026-01-16T00:00:00+01:00");
            assert_eq!(ack["event"]["type"], json!({"value": "ACK", "display": "Acknowledge"}));
            assert_eq!((&ack["event"]["description"], &ack["event"]["timestamp"]), (&json!("seen"), &json!(AT)));
            app.of(Who::EndUser).get(&format!("{path}{}/", ack["pk"])).await.is(200, ack);
        }
    }
    let list = app.of(Who::EndUser).get(&format!("/api/v1/incidents/{pk}/acks/")).await.json();
    assert_eq!(list.as_array().unwrap().len(), 6);
    assert_eq!(app.of(Who::EndUser).get(&format!("/api/v2/incidents/{pk}/")).await.json()["acked"], true);
    let unknown = json!({"detail": "No Acknowledgement matches the given query."});
    app.of(Who::EndUser).get(&format!("/api/v1/incidents/{pk}/acks/999/")).await.is(404, unknown);
}

#[tokio::test]
async fn invalid_acknowledgements_are_refused() {
    let app = App::new().await;
    let pk = app.incident().post().await;
    let (v1, v2) = (format!("/api/v1/incidents/{pk}/acks/"), format!("/api/v2/incidents/{pk}/acks/"));
    let required = json!(["This field is required."]);
    app.of(Who::Source).post(&v1, json!({"event": {}})).await.is(400, json!({"event": {"timestamp": required}}));
    app.of(Who::EndUser).post(&v1, json!({})).await.is(400, json!({ "event": required }));
    assert_eq!(app.of(Who::EndUser).post(&v1, json!({"event": {}})).await.status, 201);
    app.of(Who::EndUser).post(&v2, json!({})).await.is(400, json!({ "timestamp": required }));
    app.of(Who::EndUser).post(&v2, json!({"event": {}})).await.is(400, json!({ "timestamp": required }));
    for body in [json!({"event": "x"}), json!({"event": null}), json!({"event": []})] {
        assert_eq!(app.of(Who::EndUser).post(&v1, body).await.status, 400);
    }
    let early = json!({"timestamp": AT, "expiration": AT});
    let text = json!({"non_field_errors": ["'expiration' is earlier than creation timestamp."]});
    app.of(Who::EndUser).post(&v2, early).await.is(400, text);
    let past = json!({"timestamp": "2020-01-01T00:00:00Z", "expiration": "2020-01-02T00:00:00Z"});
    assert_eq!(app.of(Who::EndUser).post(&v2, past).await.status, 201);
}

#[tokio::test]
async fn the_expiration_of_an_acknowledgement_can_be_changed() {
    let app = App::new().await;
    let pk = app.incident().post().await;
    let client = app.of(Who::EndUser);
    let path = format!("/api/v2/incidents/{pk}/acks/");
    let body = json!({"timestamp": AT, "expiration": "2026-01-15T13:10:00+01:00"});
    let ack = client.post(&path, body).await.json()["pk"].as_u64().unwrap();
    let one = format!("{path}{ack}/");
    let later = "2026-01-15T13:20:00+01:00";
    assert_eq!(client.patch(&one, json!({ "expiration": later })).await.json()["expiration"], later);
    let past = client.put(&one, json!({"expiration": "2026-01-15T13:00:00+01:00"})).await;
    let text = "'expiration' must be later than current moment (2026-01-15 12:00:00.000000+00:00) or null.";
    past.is(400, json!({ "expiration": [text] }));
    assert_eq!(client.patch(&one, json!({"expiration": "x"})).await.status, 400);
    assert_eq!(client.patch(&format!("{path}999/"), json!({"expiration": "x"})).await.status, 404);
    assert_eq!(client.patch(&one, json!({})).await.json()["expiration"], json!(null));
    assert_eq!(client.patch(&one, json!({ "expiration": later })).await.status, 200);
    app.clock.advance_micros(30 * MINUTE);
    client.patch(&one, json!({})).await.is(400, json!(["Cannot change expired Acknowledgement"]));
    assert_eq!(client.delete(&one).await.status, 405);
}

#[tokio::test]
async fn tags_are_added_read_and_removed() {
    let app = App::new().await;
    let pk = app.incident().tag("t=1").post().await;
    let client = app.of(Who::EndUser);
    let path = format!("/api/v1/incidents/{pk}/tags/");
    client.get(&path).await.is(200, json!([{"tag": "t=1"}]));
    for _ in 0..2 {
        client.post(&path, json!({"tag": " x = å y "})).await.is(201, json!({"tag": "x=å y"}));
    }
    client.get(&format!("{path}x%3D%C3%A5%20y/")).await.is(200, json!({"tag": "x=å y"}));
    assert_eq!(client.delete(&format!("{path}t=1/")).await.status, 204);
    let gone = json!({"detail": "No Tag matches the given query."});
    client.get(&format!("{path}t=1/")).await.is(404, gone.clone());
    client.delete(&format!("{path}t=1/")).await.is(404, gone);
    client.get(&format!("{path}nodelimiter/")).await.is(400, json!(["The tag does not have its delimiter: =."]));
    let bad_key = "['Enter a valid key consisting of lowercase letters, numbers and underscores.']";
    for (body, text) in [
        (json!({}), json!(["This field is required."])),
        (json!({"tag": "x"}), json!("The tag does not have its delimiter: =.")),
        (json!({"tag": "=v"}), json!("The key of the tag cannot be empty.")),
        (json!({"tag": "X=v"}), json!(bad_key)),
        (json!({"tag": null}), json!("This field may not be null.")),
        (json!({"tag": 1}), json!("Not a valid string.")),
    ] {
        client.post(&path, body).await.is(400, json!({ "tag": text }));
    }
    let unknown = json!(["An incident with pk=99999 does not exist"]);
    let other = "/api/v2/incidents/99999/tags/";
    client.get(other).await.is(400, unknown.clone());
    client.post(other, json!({"tag": "a=b"})).await.is(400, unknown.clone());
    client.get(&format!("{other}a=b/")).await.is(400, unknown.clone());
    client.delete(&format!("{other}a=b/")).await.is(400, unknown);
}

fn missing(key: &str, id: u64) -> Value {
    json!({key: null, "status": 400, "errors": {"ids": format!("Incident with id {id} could not be found.")}})
}

#[tokio::test]
async fn bulk_requests_change_many_incidents() {
    let app = App::new().await;
    let (one, two) = (app.incident().post().await, app.incident().stateless().post().await);
    let client = app.of(Who::EndUser);
    let ids = json!([one, 999, two, one]);

    let reply = client.post("/api/v2/incidents/acks/bulk/", json!({"ids": ids, "ack": {"timestamp": AT}})).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let changes = &reply.json()["changes"];
    assert_eq!(changes.as_object().unwrap().len(), 3);
    assert_eq!(changes["999"], missing("ack", 999));
    let first = &changes[one.to_string()];
    assert_eq!(
        (&first["status"], &first["errors"], &first["ack"]["expiration"]),
        (&json!(201), &json!(null), &json!(null))
    );

    let body = json!({"ids": ids, "event": {"type": "CLO"}, "timestamp": "ignored"});
    let changes = &client.post("/api/v2/incidents/events/bulk/", body).await.json()["changes"];
    assert_eq!(changes[one.to_string()]["event"]["type"]["value"], "CLO");
    let refused = json!({"event": null, "status": 400,
        "errors": {"type": "Cannot change the state of a stateless incident."}});
    assert_eq!(changes[two.to_string()], refused);
    assert_eq!(client.get(&format!("/api/v2/incidents/{one}/")).await.json()["open"], false);

    let body = json!({"ids": ids, "ticket_url": "t"});
    let reply = client.post("/api/v2/incidents/ticket_url/bulk/", body).await;
    reply.is(
        201,
        json!({"changes": {
            one.to_string(): {"ticket_url": "t", "status": 201, "errors": null},
            "999": missing("ticket_url", 999),
            two.to_string(): {"ticket_url": "t", "status": 201, "errors": null},
        }}),
    );
    let nothing = client.post("/api/v2/incidents/ticket_url/bulk/", json!({"ids": [999], "ticket_url": ""})).await;
    nothing.is(400, json!({"changes": {"999": missing("ticket_url", 999)}}));
}

#[tokio::test]
async fn a_large_bulk_change_reports_each_incident() {
    let app = App::new().await;
    let pk = app.incident().open().post().await;
    let ids: Vec<u64> = std::iter::once(pk).chain(1_000..100_999).collect();
    let client = app.of(Who::EndUser);
    let body = json!({"ids": ids, "event": {"type": "OTH"}});
    let (reply, ()) = tokio::join!(client.post("/api/v2/incidents/events/bulk/", body.clone()), async {
        let id = argusd::domain::ids::IncidentId(pk);
        while app.service.incidents().events(id).await.unwrap().len() < 2 {
            tokio::task::yield_now().await;
        }
        app.service.people().deactivate(&app.local, app.user_id("alice")).await.unwrap();
    });
    assert_eq!(reply.status, 201);
    let answer = reply.json();
    let changes = answer["changes"].as_object().unwrap();
    assert_eq!(changes.len(), ids.len());
    assert_eq!(changes[&pk.to_string()]["status"], 201);
    assert_eq!(changes["1000"], missing("event", 1_000));
    let denied = "You do not have permission to perform this action.";
    assert_eq!(changes["100998"], json!({"event": null, "status": 403, "errors": {"detail": denied}}));
    assert_eq!(client.post("/api/v2/incidents/events/bulk/", body).await.status, 401);
}

#[tokio::test]
async fn invalid_bulk_requests_are_refused() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    let required = json!(["This field is required."]);
    for (path, body, expected) in [
        ("acks", json!({"ids": [], "ack": {"timestamp": AT}}), json!({"ids": ["This list may not be empty."]})),
        (
            "acks",
            json!({"ids": ["x"], "ack": {}}),
            json!({"ids": {"0": ["A valid integer is required."]}, "ack": {"timestamp": required}}),
        ),
        ("acks", json!({}), json!({"ids": required, "ack": required})),
        ("events", json!({"ids": [1], "event": {}}), json!({"event": {"type": required}})),
        (
            "events",
            json!({"ids": [1], "event": []}),
            json!({"event": {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}}),
        ),
        (
            "ticket_url",
            json!({"ids": "x"}),
            json!({
            "ids": ["Expected a list of items but got type \"str\"."], "ticket_url": required}),
        ),
    ] {
        client.post(&format!("/api/v2/incidents/{path}/bulk/"), body).await.is(400, expected);
    }
}

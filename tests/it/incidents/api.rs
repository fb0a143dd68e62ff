//! Incidents: created, read, listed, changed, deleted (contract sections 5 to 8).

use argusd::service::Settings;
use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::support::{App, MINUTE, Who, merge};

const NOT_FOUND: &str = "No Incident matches the given query.";

fn minimal(fields: Value) -> Value {
    let mut body = json!({"start_time": "2026-01-15T12:00:00+01:00", "tags": []});
    merge(&mut body, fields);
    body
}

#[tokio::test]
async fn a_created_incident_is_returned_completely() {
    let app = App::new().await;
    let body = json!({
        "start_time": "2024-07-10T10:00:00", "end_time": "infinity", "source_incident_id": 17, "details_url": "/x/1",
        "description": " desc one ", "level": "2", "ticket_url": "https://t.example.org/1", "metadata": {"a": [1, 2]},
        "tags": [{"tag": "host=web1"}, {"tag": "host=web1"}, {"tag": " unit = a=b "}],
        "pk": 99, "open": false, "unknown": true,
    });
    let created = app.of(Who::Source).post("/api/v2/incidents/", body).await;
    let tag =
        |text| json!({"added_by": app.user_id("zabbix-src").0, "added_time": "2026-01-15T13:00:00+01:00", "tag": text});
    let source = json!({"pk": 2, "name": "zabbix-src", "type": {"name": "zabbix"},
        "user": app.user_id("zabbix-src").0, "base_url": "https://nav.example.org/app/"});
    let mut expected = json!({
        "pk": 1, "start_time": "2024-07-10T10:00:00+02:00", "end_time": "infinity", "source": source,
        "source_incident_id": "17", "details_url": "https://nav.example.org/x/1", "description": "desc one",
        "level": 2, "ticket_url": "https://t.example.org/1", "metadata": {"a": [1, 2]},
        "tags": [tag("host=web1"), tag("unit=a=b")], "stateful": true, "open": true, "acked": false,
    });
    created.is(201, expected.clone());
    app.of(Who::EndUser).get("/api/v2/incidents/1/").await.is(200, expected.clone());
    expected.as_object_mut().unwrap().shift_remove("metadata");
    app.of(Who::EndUser).get("/api/v1/incidents/1/").await.is(200, expected);
    let events = app.of(Who::EndUser).get("/api/v2/incidents/1/events/").await.json();
    assert_eq!((&events[0]["type"]["value"], &events[0]["actor"]["username"]), (&json!("STA"), &json!("zabbix-src")));
}

#[tokio::test]
async fn missing_fields_have_defaults() {
    let app = App::new().await;
    let pk = app.incident().post().await;
    let incident = app.of(Who::EndUser).get(&format!("/api/v2/incidents/{pk}/")).await.json();
    for (name, value) in [
        ("end_time", json!("infinity")),
        ("source_incident_id", json!("")),
        ("details_url", json!("")),
        ("description", json!("")),
        ("level", json!(5)),
        ("ticket_url", json!("")),
        ("metadata", json!({})),
        ("tags", json!([])),
        ("stateful", json!(true)),
        ("open", json!(true)),
        ("acked", json!(false)),
    ] {
        assert_eq!(incident[name], value, "{name}");
    }
}

#[tokio::test]
async fn the_end_time_decides_whether_an_incident_is_open() {
    let app = App::new().await;
    for (end, stateful, open) in [
        (json!(null), false, false),
        (json!("infinity"), true, true),
        (json!("2026-01-15T13:00:01+01:00"), true, true),
        (json!("2026-01-15T13:00:00+01:00"), true, false),
    ] {
        let pk = app.incident().ends(end.clone()).post().await;
        let incident = app.of(Who::EndUser).get(&format!("/api/v1/incidents/{pk}/")).await.json();
        let expected = (&end, &json!(stateful), &json!(open));
        assert_eq!((&incident["end_time"], &incident["stateful"], &incident["open"]), expected);
    }
}

#[tokio::test]
async fn invalid_incidents_are_refused() {
    let app = App::new().await;
    let datetime = "Datetime has wrong format. Use one of these formats instead: \
                    YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z], or 'infinity'.";
    let before = json!({"non_field_errors": ["'end_time' cannot be before 'start_time'."]});
    for (fields, expected) in [
        (json!({"tags": null}), json!({"tags": ["This field may not be null."]})),
        (json!({"tags": [{"tag": "x"}]}), json!({"tags": {"0": {"tag": "The tag does not have its delimiter: =."}}})),
        (json!({"level": 9}), json!({"level": ["\"9\" is not a valid choice."]})),
        (json!({"level": true}), json!({"level": ["\"True\" is not a valid choice."]})),
        (json!({"ticket_url": "x"}), json!({"ticket_url": ["Enter a valid URL."]})),
        (json!({"ticket_url": ""}), json!({"ticket_url": ["Enter a valid URL."]})),
        (json!({"start_time": 1}), json!({ "start_time": [datetime] })),
        (json!({"start_time": null}), json!({"start_time": ["This field may not be null."]})),
        (json!({"end_time": "Infinity"}), json!({ "end_time": [datetime] })),
        (json!({"end_time": "-infinity"}), before.clone()),
        (json!({"end_time": "2020-01-01"}), before),
        (json!({"metadata": null}), json!({"metadata": ["This field may not be null."]})),
        (json!({"description": ["x"]}), json!({"description": ["Not a valid string."]})),
        (json!({"description": "\0"}), json!({"description": ["Null characters are not allowed."]})),
        (json!({"source": "abc"}), json!({"source": ["Incorrect type. Expected pk value, received str."]})),
        (json!({"source": 2}), json!(["You must be a superuser to be allowed to specify the 'source' field."])),
        (
            json!({"source_incident_id": "x".repeat(1001)}),
            json!({"source_incident_id": ["Ensure this field has no more than 1000 characters."]}),
        ),
    ] {
        app.of(Who::Source).post("/api/v2/incidents/", minimal(fields)).await.is(400, expected);
    }
    let list = app.of(Who::Source).post("/api/v2/incidents/", json!([])).await;
    list.is(400, json!({"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}));
}

#[tokio::test]
async fn only_superusers_create_incidents_for_other_sources() {
    let app = App::new().await;
    let path = "/api/v1/incidents/mine/";
    let no_source = json!(["The requesting user must have a connected source system."]);
    for who in [Who::EndUser, Who::Staff, Who::Superuser] {
        app.of(who).post(path, minimal(json!({}))).await.is(400, no_source.clone());
    }
    let forbidden = json!(["You must be a superuser to be allowed to specify the 'source' field."]);
    app.of(Who::Staff).post(path, minimal(json!({"source": 2}))).await.is(400, forbidden);
    let unknown = json!(["SourceSystem with pk=9999 does not exist."]);
    app.of(Who::Superuser).post(path, minimal(json!({"source": 9999}))).await.is(400, unknown);
    let created = app.of(Who::Superuser).post(path, minimal(json!({"source": 2}))).await;
    assert_eq!((created.status, &created.json()["source"]["name"]), (201, &json!("zabbix-src")));
}

/// As Python's integers have them.
#[tokio::test]
async fn numbers_in_metadata_keep_their_digits() {
    let app = App::new().await;
    let source = app.of(Who::Source);
    let (one, other) = ("99999999999999999999999", "99999999999999999999998");
    let mut keys = Vec::new();
    for id in [one, other, "18446744073709551616", "-9223372036854775809", "17"] {
        let metadata = format!(r#"{{"id": {id}, "list": [{id}, 1e5, 2.50, "{id}"], "a": {{"b": {id}}}}}"#);
        let body = format!(
            r#"{{"start_time": "2024-07-10T10:00:00Z", "source_incident_id": {id}, "description": {id},
                "metadata": {metadata}, "tags": [{{"tag": "host=a"}}], "level": 1}}"#
        );
        let created = source.post_text("/api/v2/incidents/", &body).await;
        assert_eq!(created.status, 201, "{}", created.text);
        let pk = created.json()["pk"].as_u64().unwrap();
        let compact = format!(r#"{{"id":{id},"list":[{id},100000.0,2.5,"{id}"],"a":{{"b":{id}}}}}"#);
        let read = source.get(&format!("/api/v2/incidents/{pk}/")).await;
        assert_eq!(read.json()["source_incident_id"], id);
        assert_eq!(read.json()["description"], id);
        assert!(read.text.contains(&compact), "{}", read.text);
        let found = source.get(&format!("/api/v2/incidents/?source_incident_id={id}")).await.json();
        assert_eq!(found["results"].as_array().unwrap().len(), 1, "{id}");
        let patched = source
            .patch_text(
                &format!("/api/v2/incidents/{pk}/"),
                &format!(r#"{{"metadata": [{id}0], "description": {id}1}}"#),
            )
            .await;
        assert!(patched.text.contains(&format!("[{id}0]")), "{}", patched.text);
        assert_eq!(patched.json()["description"], format!("{id}1"));
        keys.push(pk);
    }
    let again = format!(r#"{{"start_time": "2024-07-10T10:00:00Z", "tags": [], "source_incident_id": {one}}}"#);
    let refused = source.post_text("/api/v2/incidents/", &again).await;
    assert!(refused.status == 400 && refused.text.contains(one), "{}", refused.text);
    // Other fields take numbers as they always did.
    for (level, status) in [("1", 201), ("\"1\"", 201), ("1.0", 400), ("1e0", 400), ("99999999999999999999999", 400)] {
        let body = format!(r#"{{"start_time": "2024-07-10T10:00:00Z", "tags": [], "level": {level}}}"#);
        assert_eq!(source.post_text("/api/v2/incidents/", &body).await.status, status, "{level}");
    }
    let body = r#"{"start_time": "2024-07-10T10:00:00Z", "tags": [], "source_incident_id": 1e5}"#;
    assert_eq!(source.post_text("/api/v2/incidents/", body).await.json()["source_incident_id"], "100000.0");
}

#[tokio::test]
async fn source_incident_ids_are_unique_per_source() {
    let app = App::new().await;
    app.incident().field("source_incident_id", "a").post().await;
    let again = app.of(Who::Source).post("/api/v2/incidents/", minimal(json!({"source_incident_id": "a"}))).await;
    assert_eq!(again.status, 400);
    assert!(again.json()[0].as_str().unwrap().contains("\"a\""));
    let other = minimal(json!({"source_incident_id": "a", "source": 1}));
    assert_eq!(app.of(Who::Superuser).post("/api/v2/incidents/", other).await.status, 201);
    app.incident().field("source_incident_id", "").post().await;
    app.incident().field("source_incident_id", "").post().await;
}

#[tokio::test]
async fn changes_of_editable_fields_are_events() {
    let app = App::new().await;
    let pk = app.incident().tag("t=1").post().await;
    let path = format!("/api/v1/incidents/{pk}/");
    let body = json!({"level": 1, "description": "new", "details_url": "x", "ticket_url": "https://t.example.org/",
        "metadata": {"k": 1}, "tags": [{"tag": "t=1"}, {"tag": "u=2"}]});
    let reply = app.of(Who::EndUser).patch(&path, body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let two = app.of(Who::EndUser).get(&format!("/api/v2/incidents/{pk}/")).await.json();
    assert_eq!((&two["metadata"], reply.json().get("metadata")), (&json!({"k": 1}), None));
    assert_eq!(reply.json()["details_url"], "https://nav.example.org/app/x");
    let events = app.of(Who::EndUser).get(&format!("{path}events/")).await.json();
    let texts: Vec<&str> = events.as_array().unwrap().iter().map(|it| it["description"].as_str().unwrap()).collect();
    assert!(texts.contains(&"Change: \"level\": 5 → 1"), "{texts:?}");
    assert!(texts.contains(&"Change: \"tags\": ['t=1'] → ['t=1', 'u=2']"), "{texts:?}");
    assert_eq!(texts.len(), 7);
    assert_eq!(app.of(Who::EndUser).put(&path, json!({"tags": [{"tag": "t=1"}]})).await.status, 200);
}

#[tokio::test]
async fn fields_that_cannot_be_edited_are_refused_by_name() {
    let app = App::new().await;
    let pk = app.incident().tag("t=1").post().await;
    let path = format!("/api/v2/incidents/{pk}/");
    let client = app.of(Who::EndUser);
    let fixed = "The field is not allowed to be changed.";
    let unknown = "The field does not exist.";
    let body = json!({"level": 77, "start_time": "x", "end_time": null, "source": 1, "source_incident_id": "a", "pk": 1,
        "open": true, "acked": true, "stateful": true, "nonsense": 1});
    client.patch(&path, body).await.is(
        400,
        json!({
            "start_time": fixed, "end_time": fixed, "source": fixed, "source_incident_id": fixed, "pk": fixed,
            "open": unknown, "acked": unknown, "stateful": unknown, "nonsense": unknown,
        }),
    );
    client.put(&path, json!({})).await.is(400, json!({"tags": ["This field is required."]}));
    client.patch(&path, json!({"ticket_url": ""})).await.is(400, json!({"ticket_url": ["Enter a valid URL."]}));
    let foreign = json!({"t=1": "Cannot remove this tag when you're not the one who added it."});
    client.patch(&path, json!({"tags": []})).await.is(400, foreign);
    assert_eq!(app.of(Who::Superuser).patch(&path, json!({"tags": []})).await.json()["tags"], json!([]));
    client.patch("/api/v2/incidents/999/", json!({})).await.is(404, json!({ "detail": NOT_FOUND }));
}

#[tokio::test]
async fn incidents_are_deleted_only_if_that_is_enabled() {
    let app = App::new().await;
    let pk = app.incident().post().await;
    let off = json!({"detail": "Deletion of incidents is turned off, see setting INDELIBLE_INCIDENTS"});
    app.of(Who::Superuser).delete(&format!("/api/v2/incidents/{pk}/")).await.is(405, off);

    let settings = Settings { indelible_incidents: false, time_zone: Tz::UTC, ..Settings::default() };
    let app = App::with(settings).await;
    for who in [Who::Source, Who::Superuser] {
        let path = format!("/api/v2/incidents/{}/", app.incident().post().await);
        assert_eq!(app.of(Who::EndUser).delete(&path).await.status, 403);
        assert_eq!(app.of(who).delete(&path).await.status, 204);
        app.of(who).get(&path).await.is(404, json!({ "detail": NOT_FOUND }));
    }
}

#[tokio::test]
async fn ticket_urls_are_set_and_validated() {
    let app = App::new().await;
    let pk = app.incident().post().await;
    let path = format!("/api/v1/incidents/{pk}/ticket_url/");
    let client = app.of(Who::EndUser);
    let automatic = format!("/api/v2/incidents/{pk}/automatic-ticket/");
    let none = "No path to ticket plugin can be found in the settings. Please update the setting \"TICKET_PLUGIN\".";
    client.put(&automatic, json!({})).await.is(400, json!(none));
    client.put(&path, json!({"ticket_url": "no url"})).await.is(200, json!({"ticket_url": "no url"}));
    client.put(&automatic, json!({})).await.is(200, json!({"ticket_url": "no url"}));
    client.put(&path, json!({"ticket_url": ""})).await.is(200, json!({"ticket_url": ""}));
    client
        .put(&path, json!({"ticket_url": null}))
        .await
        .is(400, json!({"ticket_url": ["This field may not be null."]}));
    client.put(&path, json!({})).await.is(400, json!({"ticket_url": ["This field is required."]}));
    for path in ["/api/v2/incidents/999/ticket_url/", "/api/v2/incidents/999/automatic-ticket/"] {
        client.put(path, json!({})).await.is(404, json!({ "detail": NOT_FOUND }));
    }
}

#[tokio::test]
async fn pages_link_to_the_next_and_previous_one() {
    let app = App::new().await;
    for minute in 0..5 {
        app.incident().starts(format!("2026-01-15T10:0{}:00", minute / 2)).post().await;
    }
    let client = app.of(Who::EndUser);
    let mut path = "/api/v2/incidents/?page_size=2&open=True".to_owned();
    let mut pages = Vec::new();
    loop {
        let page = client.get(&path).await.json();
        pages.push(page["results"].as_array().unwrap().iter().map(|it| it["pk"].as_u64().unwrap()).collect::<Vec<_>>());
        let Some(next) = page["next"].as_str() else {
            let previous = client.get(page["previous"].as_str().unwrap()).await.json();
            assert_eq!(previous["results"][0]["pk"], 3);
            break;
        };
        assert!(next.starts_with("http://argus.test/api/v2/incidents/?") && next.contains("open=True"), "{next}");
        // What the client library does: take the query and call the same path.
        path = format!("/api/v2/incidents/?{}", next.split_once('?').unwrap().1);
    }
    assert_eq!(pages, [vec![5, 4], vec![3, 2], vec![1]]);
    for wrong in ["null", "abc"] {
        let reply = client.get(&format!("/api/v2/incidents/?cursor={wrong}")).await;
        reply.is(404, json!({"detail": "Invalid cursor"}));
    }
    assert_eq!(
        client.get("/api/v2/incidents/?cursor=&page_size=0").await.json()["results"].as_array().unwrap().len(),
        5
    );
}

#[tokio::test]
async fn list_parameters_filter_and_count() {
    let app = App::new().await;
    let tagged = json!({"tags": [{"tag": "host=a"}], "level": 1, "description": "Link DOWN", "source_incident_id": "7",
        "end_time": "2026-01-15T12:30:00+01:00", "ticket_url": "https://t.example.org/"});
    let closed = app.incident().with(tagged).post().await;
    let open = app.incident().tag("host=b").post().await;
    let stateless = app.incident().stateless().post().await;
    let client = app.of(Who::EndUser);
    for (query, expected) in [
        ("", vec![stateless, open, closed]),
        ("open=true", vec![open]),
        ("open=False", vec![closed]),
        ("stateful=0", vec![stateless]),
        ("end_time__isnull=1", vec![stateless]),
        ("acked=1", vec![]),
        ("ticket=True", vec![closed]),
        ("tags=host%3Da,host%3Db", vec![open, closed]),
        ("tags=host%3Da,unit%3Db", vec![]),
        ("source__id__in=2", vec![stateless, open, closed]),
        ("source__id__in=1", vec![]),
        ("source__name__in=zabbix-src,x", vec![stateless, open, closed]),
        ("source__type__in=argus", vec![]),
        ("level__lte=3", vec![closed]),
        ("id__in=1,3", vec![stateless, closed]),
        ("source_incident_id=7", vec![closed]),
        ("start_time__gte=2026-01-15T12:00:01%2B01:00", vec![]),
        ("end_time__gte=2026-01-15T12:31:00%2B01:00", vec![open]),
        ("end_time__lte=2026-01-15T12:31:00%2B01:00", vec![closed]),
        ("duration__gte=45", vec![open]),
        ("token_expiry=true", vec![]),
        ("search=down,LINK", vec![closed]),
        ("filter_pk=1", vec![]),
        ("notificationprofile_pk=1", vec![]),
        ("unknown=1&open=maybe", vec![stateless, open, closed]),
    ] {
        let reply = client.get(&format!("/api/v2/incidents/?{query}")).await;
        assert_eq!(reply.status, 200, "{query} {}", reply.text);
        let found: Vec<u64> =
            reply.json()["results"].as_array().unwrap().iter().map(|it| it["pk"].as_u64().unwrap()).collect();
        assert_eq!(found, expected, "{query}");
        let count = client.get(&format!("/api/v2/incidents/?{query}&count")).await.json();
        assert_eq!(count["count"], expected.len(), "{query}");
        assert_eq!(count["params"]["count"], "");
    }
}

#[tokio::test]
async fn invalid_list_parameters_are_named() {
    let app = App::new().await;
    let long = "Enter a valid key-value construct: \"key=value\", where key and value are strings. The key can consist of \
                lowercase letters, numbers and underscores.";
    let short = "Enter a valid key-value construct: \"key=value\", where key and value are strings.";
    let client = app.of(Who::EndUser);
    client.get("/api/v2/incidents/?tags=x").await.is(400, json!({ "tags": [long] }));
    client.get("/api/v1/incidents/?tags=x").await.is(400, json!({ "tags": [short] }));
    client
        .get("/api/v2/incidents/?tags=x%3D&level__lte=a")
        .await
        .is(400, json!({ "tags": [long], "level__lte": ["Enter a number."] }));
    let mine = client.get("/api/v2/incidents/mine/?level__lte=a&id__in=b&duration__gte=c").await;
    mine.is(400, json!({"duration__gte": ["Enter a number."]}));
}

#[tokio::test]
async fn mine_lists_the_incidents_of_the_callers_source() {
    let app = App::new().await;
    let own = app.incident().post().await;
    let other = minimal(json!({"source": 1}));
    assert_eq!(app.of(Who::Superuser).post("/api/v2/incidents/", other).await.status, 201);
    for version in ["v1", "v2"] {
        let path = format!("/api/{version}/incidents/mine/");
        let mine = app.of(Who::Source).get(&path).await.json();
        assert_eq!((mine["results"].as_array().unwrap().len(), &mine["results"][0]["pk"]), (1, &json!(own)));
        assert_eq!(app.of(Who::EndUser).get(&path).await.json()["results"], json!([]));
    }
}

#[tokio::test]
async fn version_one_has_bare_lists() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    client.get("/api/v1/incidents/open/").await.is(200, json!([]));
    let open = app.incident().post().await;
    app.incident().stateless().post().await;
    let acked = app.incident().post().await;
    let ack = json!({"timestamp": "2026-01-15T12:00:00+01:00", "expiration": "2026-01-15T14:00:00+01:00"});
    assert_eq!(client.post(&format!("/api/v2/incidents/{acked}/acks/"), ack).await.status, 201);
    let pks = async |path: &str| {
        let list = client.get(path).await.json();
        list.as_array().unwrap().iter().map(|it| it["pk"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(pks("/api/v1/incidents/open/").await, [acked, open]);
    assert_eq!(pks("/api/v1/incidents/open+unacked/").await, [open]);
    app.clock.advance_micros(61 * MINUTE);
    assert_eq!(pks("/api/v1/incidents/open%2Bunacked/").await, [acked, open]);
    let metadata = client.get("/api/v1/incidents/metadata/").await.json();
    assert_eq!(metadata["sourceSystems"][1]["name"], "zabbix-src");
}

#[tokio::test]
async fn long_bare_lists_are_complete() {
    let app = App::new().await;
    for _ in 0..1200 {
        app.incident().description("x".repeat(200)).post().await;
    }
    let list = app.of(Who::EndUser).get("/api/v1/incidents/open/").await.json();
    let pks: Vec<u64> = list.as_array().unwrap().iter().map(|it| it["pk"].as_u64().unwrap()).collect();
    assert_eq!(pks, (1..=1200).rev().collect::<Vec<_>>());
}

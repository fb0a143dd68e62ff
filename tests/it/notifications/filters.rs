//! Stored filters, previews and `filter_pk` (contract sections 6, 14 and 17).

use argusd::domain::{
    limits,
    stored_filter::{FilterBlob, StoredFilter},
    timeslot::Timeslot,
};
use serde_json::{Value, json};

use crate::support::{App, Client, Who};

const V1: &str = "/api/v1/notificationprofiles/filters/";
const V2: &str = "/api/v2/notificationprofiles/filters/";

async fn stored(client: &Client, name: &str, blob: Value, public: bool) -> u64 {
    client.filter(name).matching(blob).field("public", public).post().await
}

fn keys(rows: &Value) -> Vec<u64> {
    rows.as_array().unwrap().iter().map(|row| row["pk"].as_u64().unwrap()).collect()
}

fn full() -> Value {
    json!({
        "sourceSystemIds": [1, 99], "source_types": ["zabbix"], "tags": ["host=a", "unit=b"], "open": true,
        "acked": false, "stateful": null, "maxlevel": 3, "event_types": ["STA", "CLO"], "hide_closed_acked": true,
    })
}

#[tokio::test]
async fn filters_are_created_read_changed_and_deleted() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    let created = client.post(V2, json!({"name": " full ", "filter": full(), "public": true})).await;
    let key = created.pk();
    created.is(201, json!({"pk": key, "name": "full", "filter": full(), "public": true}));
    let one = format!("{V2}{key}/");
    client.get(&one).await.is(200, created.json());
    client.get(V2).await.is(200, json!([created.json()]));
    client.patch(&one, json!({"name": "full"})).await.is(200, created.json());
    let unset = json!({"open": null, "acked": null, "stateful": null, "maxlevel": null, "hide_closed_acked": false});
    let mut blob = unset.clone();
    blob["tags"] = json!([]);
    client
        .patch(&one, json!({"filter": {"tags": []}}))
        .await
        .is(200, json!({"pk": key, "name": "full", "filter": blob, "public": true}));
    client
        .patch(&one, json!({"public": false}))
        .await
        .is(200, json!({"pk": key, "name": "full", "filter": blob, "public": false}));
    client
        .put(&one, json!({"name": "empty"}))
        .await
        .is(200, json!({"pk": key, "name": "empty", "filter": unset, "public": false}));
    let deleted = client.delete(&one).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    for version in [V1, V2] {
        let unknown = json!({"detail": "No Filter matches the given query."});
        client.delete(&format!("{version}{key}/")).await.is(404, unknown);
    }
    assert!(stored(&client, "next", json!({}), false).await > key, "a number is never used again");
}

#[tokio::test]
async fn invalid_filters_are_refused() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    let one = format!("{V2}{}/", stored(&client, "mine", json!({}), false).await);
    let other = format!("{V2}{}/", stored(&client, "other", json!({}), false).await);
    let taken = json!({"name": ["The name \"mine\" is already in use for another filter owned by user alice."]});
    client.post(V2, json!({"name": "mine"})).await.is(400, taken.clone());
    client.patch(&other, json!({"name": "mine"})).await.is(400, taken);
    for (body, errors) in [
        (json!({}), json!({"name": ["This field is required."]})),
        (json!({"name": ""}), json!({"name": ["This field may not be blank."]})),
        (json!({"name": "x".repeat(41)}), json!({"name": ["Ensure this field has no more than 40 characters."]})),
        (json!({"name": "x", "public": "perhaps"}), json!({"public": ["Must be a valid boolean."]})),
        (json!({"name": "x", "filter": null}), json!({"filter": ["This field may not be null."]})),
        (
            json!({"name": "x", "filter": []}),
            json!({"filter": {
            "non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}}),
        ),
        (json!([]), json!({"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]})),
    ] {
        client.post(V2, body.clone()).await.is(400, errors.clone());
        client.put(&one, body).await.is(400, errors);
    }
    for (blob, errors) in bad_blobs() {
        client.post(V2, json!({"name": "x", "filter": blob})).await.is(400, json!({"filter": errors}));
        client.patch(&one, json!({"filter": blob})).await.is(400, json!({"filter": errors}));
    }
    assert_eq!(keys(&client.get(V2).await.json()).len(), 2);
}

fn bad_blobs() -> Vec<(Value, Value)> {
    let integer = "A valid integer is required.";
    vec![
        (
            json!({"sourceSystemIds": "x"}),
            json!({"sourceSystemIds": ["Expected a list of items but got type \"str\"."]}),
        ),
        (json!({"sourceSystemIds": null}), json!({"sourceSystemIds": ["This field may not be null."]})),
        (
            json!({"sourceSystemIds": [1, 0, "x", "2", 1.5]}),
            json!({"sourceSystemIds": {
            "1": ["Ensure this value is greater than or equal to 1."], "2": [integer], "4": [integer]}}),
        ),
        (json!({"source_types": ["a", ""]}), json!({"source_types": {"1": ["This field may not be blank."]}})),
        (
            json!({"tags": ["a=1", "b=", "abc", null, [1]]}),
            json!({"tags": {
            "1": ["Ensure this field has at least 3 characters."], "3": ["This field may not be null."],
            "4": ["Not a valid string."]}}),
        ),
        (json!({"tags": ["a=1", "abc"]}), json!({"tags": {"1": ["The tag does not have its delimiter: =."]}})),
        (
            json!({"tags": vec!["a=1"; limits::TAGS_PER_INCIDENT + 1]}),
            json!({
            "tags": ["Ensure this field has no more than 200 elements."]}),
        ),
        (
            json!({"open": "x", "acked": [], "stateful": 2}),
            json!({"open": ["Must be a valid boolean."],
            "acked": ["Must be a valid boolean."], "stateful": ["Must be a valid boolean."]}),
        ),
        (json!({"maxlevel": 0}), json!({"maxlevel": ["Ensure this value is greater than or equal to 1."]})),
        (json!({"maxlevel": 6}), json!({"maxlevel": ["Ensure this value is less than or equal to 5."]})),
        (json!({"maxlevel": "x"}), json!({"maxlevel": [integer]})),
        (json!({"event_types": ["STA", "XX"]}), json!({"event_types": ["\"XX\" is not a valid choice."]})),
        (json!({"hide_closed_acked": null}), json!({"hide_closed_acked": ["This field may not be null."]})),
    ]
}

#[tokio::test]
async fn version_one_has_filter_strings() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    let unset = json!({"open": null, "acked": null, "stateful": null, "maxlevel": null});
    let with = |fields: Value| {
        let mut blob = unset.clone();
        crate::support::merge(&mut blob, fields);
        blob
    };
    let created = client
        .post(
            V1,
            json!({"name": "old", "filter_string": "{\"sourceSystemIds\": [1, 2], \"tags\": []}",
        "filter": {"tags": ["a=1", "b=\"2\""], "open": true, "hide_closed_acked": "no"}, "public": true}),
        )
        .await;
    let key = created.pk();
    created.is(
        201,
        json!({
            "pk": key, "name": "old",
            "filter_string": "{\"sourceSystemIds\": [1, 2], \"tags\": [\"a=1\", \"b=\\\"2\\\"\"]}",
            "filter": with(json!({"sourceSystemIds": [1, 2], "tags": ["a=1", "b=\"2\""], "open": true})),
        }),
    );
    assert_eq!(client.get(&format!("{V2}{key}/")).await.json()["public"], false);
    let one = format!("{V1}{key}/");
    let string = json!({"filter_string": "{\"tags\": [\"c=1\"], \"sourceSystemIds\": []}"});
    let patched = client.patch(&one, string).await.json();
    assert_eq!(patched["filter"], with(json!({"sourceSystemIds": [], "tags": ["c=1"], "open": true})));
    let put = client.put(&one, json!({"name": "old"})).await.json();
    assert_eq!((&put["filter"], &put["filter_string"]), (&unset, &json!("{\"sourceSystemIds\": [], \"tags\": []}")));
    for string in [
        "x",
        "[]",
        "{}",
        "{\"tags\": []}",
        "{\"sourceSystemIds\": [], \"tags\": [], \"open\": true}",
        "{\"sourceSystemIds\": [0], \"tags\": []}",
        "{\"sourceSystemIds\": [], \"tags\": [\"abc\"]}",
        "",
    ] {
        let refused = client.post(V1, json!({"name": "x", "filter_string": string})).await;
        assert_eq!(refused.status, 400, "{string}");
        assert!(refused.json()["filter_string"][0].is_string(), "{}", refused.text);
    }
}

#[tokio::test]
async fn version_one_keeps_criteria_that_it_does_not_know() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    let key = stored(&client, "full", full(), true).await;
    let one = format!("{V1}{key}/");
    let shown = client.get(&one).await.json();
    for name in ["source_types", "event_types", "hide_closed_acked"] {
        assert!(shown["filter"].get(name).is_none(), "{name}");
    }
    assert!(shown.get("public").is_none());
    let written = json!({"name": "full", "filter": shown["filter"], "public": false});
    client.put(&one, written).await.is(200, shown);
    client.get(&format!("{V2}{key}/")).await.is(
        200,
        json!({
        "pk": key, "name": "full", "filter": full(), "public": true}),
    );
}

#[tokio::test]
async fn others_may_read_and_use_public_filters() {
    let app = App::new().await;
    let incident = app.incident().post().await;
    let owner = app.of(Who::EndUser);
    let private = stored(&owner, "private", json!({"open": true}), false).await;
    let public = stored(&owner, "public", json!({"open": true}), true).await;
    let unknown = json!({"detail": "No Filter matches the given query."});
    for who in [Who::Source, Who::Staff, Who::Superuser] {
        let other = app.of(who);
        let own = stored(&other, "private", json!({"stateful": false}), false).await;
        assert_eq!(keys(&other.get(V2).await.json()), [public, own]);
        assert_eq!(keys(&other.get(V1).await.json()), [own]);
        assert_eq!(other.get(&format!("{V2}{public}/")).await.status, 200);
        other.get(&format!("{V1}{public}/")).await.is(404, unknown.clone());
        for version in [V1, V2] {
            other.get(&format!("{version}{private}/")).await.is(404, unknown.clone());
            for key in [private, public] {
                let one = format!("{version}{key}/");
                other.put(&one, json!([])).await.is(404, unknown.clone());
                other.patch(&one, json!({"name": "stolen"})).await.is(404, unknown.clone());
                other.delete(&one).await.is(404, unknown.clone());
            }
        }
        for version in ["v1", "v2"] {
            for (key, found) in [(private, vec![]), (public, vec![incident]), (own, vec![]), (999, vec![])] {
                let page = other.get(&format!("/api/{version}/incidents/?filter_pk={key}")).await.json();
                assert_eq!(keys(&page["results"]), found, "{who:?} {version} {key}");
            }
        }
    }
    let page = owner.get(&format!("/api/v2/incidents/?filter_pk={private}")).await.json();
    assert_eq!(keys(&page["results"]), [incident]);
    assert_eq!(keys(&owner.get(V1).await.json()), [private, public]);
    let mine = app.of(Who::Source).get(&format!("/api/v2/incidents/mine/?filter_pk={public}")).await.json();
    assert_eq!(keys(&mine["results"]), [incident]);
    owner.get(&format!("{V2}x/")).await.is(404, json!({"detail": "Not found."}));
    assert_eq!(app.of(Who::Anonymous).get(V2).await.status, 401);
}

/// Of three incidents, the newest first.
struct Three {
    stateless: u64,
    closed: u64,
    open: u64,
}

async fn three(app: &App) -> Three {
    let tags = |tags: &[&str]| tags.iter().map(|tag| json!({ "tag": tag })).collect::<Vec<_>>();
    let open = app.incident().level(1).with(json!({"tags": tags(&["host=a", "unit=x"])})).post().await;
    let closed = app.incident().level(3).with(json!({"tags": tags(&["host=b"])})).post().await;
    let stateless = app.incident().stateless().level(5).post().await;
    let path = format!("/api/v2/incidents/{closed}");
    let at = "2026-01-15T12:30:00+01:00";
    let client = app.of(Who::EndUser);
    assert_eq!(client.post(&format!("{path}/acks/"), json!({ "timestamp": at })).await.status, 201);
    let close = json!({"type": "CLO", "timestamp": at});
    assert_eq!(client.post(&format!("{path}/events/"), close).await.status, 201);
    Three { stateless, closed, open }
}

#[tokio::test]
async fn previews_and_lists_find_the_same_incidents() {
    let app = App::new().await;
    let Three { stateless, closed, open } = three(&app).await;
    let client = app.of(Who::EndUser);
    for (number, (blob, found)) in [
        (json!({}), vec![]),
        (json!({"tags": [], "sourceSystemIds": [], "open": null, "hide_closed_acked": false}), vec![]),
        (json!({"sourceSystemIds": [2, 99]}), vec![stateless, closed, open]),
        (json!({"sourceSystemIds": [1]}), vec![]),
        (json!({"source_types": ["zabbix"]}), vec![stateless, closed, open]),
        (json!({"source_types": ["argus", "unknown"]}), vec![]),
        (json!({"tags": ["host=a", "host=b"]}), vec![closed, open]),
        (json!({"tags": ["host=a", "host=b", "unit=x"]}), vec![open]),
        (json!({"tags": ["Host=a"]}), vec![]),
        (json!({"open": true}), vec![open]),
        (json!({"open": "false"}), vec![closed]),
        (json!({"acked": false}), vec![stateless, open]),
        (json!({"acked": false, "stateful": true}), vec![open]),
        (json!({"stateful": false}), vec![stateless]),
        (json!({"maxlevel": "3"}), vec![closed, open]),
        (json!({"event_types": ["CLO", "LES"]}), vec![stateless, closed]),
        (json!({"hide_closed_acked": true}), vec![stateless, open]),
    ]
    .into_iter()
    .enumerate()
    {
        for path in [
            "/api/v2/notificationprofiles/preview/",
            "/api/v2/notificationprofiles/filterpreview/",
            "/api/v1/notificationprofiles/filterpreview/",
        ] {
            let reply = client.post(path, blob.clone()).await;
            assert_eq!((reply.status, keys(&reply.json())), (200, found.clone()), "{path} {blob}");
            let has_metadata = |incident: &Value| incident["metadata"].is_object() == path.starts_with("/api/v2/");
            assert!(reply.json().as_array().unwrap().iter().all(has_metadata), "{path}");
        }
        let key = stored(&client, &number.to_string(), blob.clone(), false).await;
        let page = client.get(&format!("/api/v1/incidents/?filter_pk={key}")).await.json();
        assert_eq!(keys(&page["results"]), found, "{blob}");
        let count = client.get(&format!("/api/v2/incidents/?filter_pk={key}&count")).await.json();
        assert_eq!(count["count"], found.len(), "{blob}");
    }
}

#[tokio::test]
async fn previews_in_version_one_know_fewer_keys() {
    let app = App::new().await;
    let Three { closed, open, .. } = three(&app).await;
    let client = app.of(Who::EndUser);
    let path = "/api/v1/notificationprofiles/preview/";
    assert_eq!(keys(&client.post(path, json!({"event_types": ["CLO"]})).await.json()), [] as [u64; 0]);
    let reply = client.post(path, json!({"maxlevel": 3, "event_types": ["CLO"]})).await.json();
    assert_eq!(keys(&reply), [closed, open]);
    assert!(reply[0].get("metadata").is_none());
}

#[tokio::test]
async fn invalid_previews_are_refused() {
    let app = App::new().await;
    for name in ["preview", "filterpreview"] {
        let path = format!("/api/v2/notificationprofiles/{name}/");
        for (blob, errors) in bad_blobs() {
            app.of(Who::EndUser).post(&path, blob).await.is(400, errors);
        }
        let list = json!({"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]});
        app.of(Who::EndUser).post(&path, json!([])).await.is(400, list);
        assert_eq!(app.of(Who::EndUser).get(&path).await.status, 405);
    }
}

#[tokio::test]
async fn a_saved_filter_narrows_a_list() {
    let app = App::new().await;
    let Three { stateless, closed, open } = three(&app).await;
    let client = app.of(Who::EndUser);
    let wide = json!({"maxlevel": 3, "tags": ["host=a", "host=b"], "sourceSystemIds": [2]});
    let key = stored(&client, "wide", wide, false).await;
    let is_open = stored(&client, "open", json!({"open": true}), false).await;
    let levels = stored(&client, "levels", json!({"maxlevel": 5}), false).await;
    for (query, found) in [
        (format!("filter_pk={key}"), vec![closed, open]),
        (format!("filter_pk={key}.0&open=True"), vec![open]),
        (format!("filter_pk={key}&tags=host=b"), vec![closed]),
        (format!("filter_pk={key}&level__lte=1"), vec![open]),
        (format!("filter_pk={key}&source__id__in=1"), vec![]),
        (format!("filter_pk={key}&id__in={closed},{stateless}"), vec![closed]),
        (format!("filter_pk={is_open}&open=false"), vec![]),
        (format!("filter_pk={is_open}&open=true"), vec![open]),
        (format!("filter_pk={levels}&end_time__isnull=true"), vec![stateless]),
        (format!("filter_pk={levels}&notificationprofile_pk=1"), vec![]),
        ("filter_pk=".to_owned(), vec![stateless, closed, open]),
        ("filter_pk=-1".to_owned(), vec![]),
    ] {
        let page = client.get(&format!("/api/v2/incidents/?{query}")).await.json();
        assert_eq!(keys(&page["results"]), found, "{query}");
    }
    let bad = client.get("/api/v2/incidents/?filter_pk=x").await;
    bad.is(400, json!({"filter_pk": ["Enter a whole number."]}));
}

#[tokio::test]
async fn the_number_of_filters_and_timeslots_of_a_user_is_limited() {
    let app = App::new().await;
    let owner = app.user_id("alice");
    let fill = app.service.store().write(Some(owner), move |command| {
        for number in 0..limits::THINGS_PER_KIND {
            let (name, blob) = (number.to_string(), FilterBlob::default());
            let id = command.new_filter_id();
            command.put_filter(StoredFilter { id, owner, name, public: false, blob });
        }
        for number in 1..limits::THINGS_PER_KIND {
            let id = command.new_timeslot_id();
            command.put_timeslot(Timeslot { id, owner, name: number.to_string(), recurrences: Vec::new() });
        }
        Ok::<_, argusd::service::StoreError>(())
    });
    fill.await.unwrap();
    let client = app.of(Who::EndUser);
    let text = |what| json!({"non_field_errors": [format!("A user can have at most 1000 {what}.")]});
    client.post(V2, json!({"name": "one more"})).await.is(400, text("filters"));
    let slot = json!({"name": "one more", "time_recurrences": []});
    client.post("/api/v2/notificationprofiles/timeslots/", slot.clone()).await.is(400, text("timeslots"));
    assert_eq!(app.of(Who::Staff).post("/api/v2/notificationprofiles/timeslots/", slot).await.status, 201);
}

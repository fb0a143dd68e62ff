//! Timeslots (contract section 13).

use argusd::http::Version;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    resource::{
        ALL_CREATE, ALL_READ, Document, OWNER_DELETES, OWNER_DOES, OWNER_ERRS, OWNER_READS, OWNER_SEES, REFUSED,
        Resource, SHOWN, get, post, row,
    },
    support::{App, Who},
};

const PATH: &str = "/api/v2/notificationprofiles/timeslots/";

pub fn resource() -> Resource {
    Resource {
        documents: &[Document::Argus(Version::V1), Document::Argus(Version::V2)],
        operations: vec![
            row("GET", "/notificationprofiles/timeslots/", ALL_READ, Value::Null),
            row("POST", "/notificationprofiles/timeslots/", ALL_CREATE, named("new")),
            row("GET", "/notificationprofiles/timeslots/{pk}/", OWNER_READS, Value::Null),
            row("PUT", "/notificationprofiles/timeslots/{pk}/", OWNER_READS, named("put")),
            row("PATCH", "/notificationprofiles/timeslots/{pk}/", OWNER_READS, json!({})),
            row("DELETE", "/notificationprofiles/timeslots/{pk}/", OWNER_DELETES, Value::Null),
        ],
        pages: vec![
            get("/notifications/timeslots/", SHOWN),
            get("/notifications/timeslots/new/", SHOWN),
            post("/notifications/timeslots/new/", REFUSED, &[]),
            get("/notifications/timeslots/{pk}/", OWNER_SEES),
            post("/notifications/timeslots/{pk}/", OWNER_ERRS, &[]),
            post("/notifications/timeslots/{pk}/delete/", OWNER_DOES, &[]),
        ],
        object: |app| Box::pin(of_the_source(app)),
        ..Resource::default()
    }
}

async fn of_the_source(app: &App) -> String {
    let name = Uuid::new_v4().to_string();
    app.of(Who::Source).post(PATH, named(&name)).await.pk().to_string()
}

fn named(name: &str) -> Value {
    json!({"name": name, "time_recurrences": []})
}

#[tokio::test]
async fn every_user_has_a_timeslot_from_the_start() {
    let app = App::new().await;
    for who in [Who::EndUser, Who::Source, Who::Staff, Who::Superuser] {
        let slots = app.of(who).get(PATH).await.json();
        let days = [1, 2, 3, 4, 5, 6, 7];
        let always = json!([{"days": days, "start": "00:00:00", "end": "23:59:59.999999", "all_day": true}]);
        assert_eq!(slots.as_array().unwrap().len(), 1, "{who:?}");
        assert_eq!((&slots[0]["name"], &slots[0]["time_recurrences"]), (&json!("All the time"), &always));
    }
}

#[tokio::test]
async fn timeslots_are_created_read_changed_and_deleted_in_both_versions() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    for path in [PATH, "/api/v1/notificationprofiles/timeslots/"] {
        let body = json!({"name": " Weekdays ", "time_recurrences": [
            {"days": [5, 1, "2", 1], "start": "8:00", "end": "12:00:00.5"},
            {"days": [], "start": "x", "end": null, "all_day": true},
            {"days": [7], "start": "00:00", "end": "23:59:59.999999", "all_day": false},
        ]});
        let created = client.post(path, body).await;
        let pk = created.pk();
        let all_day =
            |days: Value| json!({"days": days, "start": "00:00:00", "end": "23:59:59.999999", "all_day": true});
        let morning = json!({"days": [1, 2, 5], "start": "08:00:00", "end": "12:00:00.500000"});
        let recurrences = json!([morning, all_day(json!([])), all_day(json!([7]))]);
        let slot = json!({"pk": pk, "name": "Weekdays", "time_recurrences": recurrences});
        created.is(201, slot.clone());
        let one = format!("{path}{pk}/");
        client.get(&one).await.is(200, slot.clone());
        client.patch(&one, json!({})).await.is(200, slot.clone());
        client.patch(&one, json!({"name": "Weekdays"})).await.is(200, slot);
        let renamed = json!({"pk": pk, "name": "AAA", "time_recurrences": recurrences});
        client.patch(&one, json!({"name": "AAA"})).await.is(200, renamed.clone());
        let list = client.get(path).await.json();
        assert_eq!((&list[0], &list[1]["name"], list.as_array().unwrap().len()), (&renamed, &json!("All the time"), 2));
        client.put(&one, named("Never")).await.is(200, json!({"pk": pk, "name": "Never", "time_recurrences": []}));
        let deleted = client.delete(&one).await;
        assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
        let unknown = json!({"detail": "No Timeslot matches the given query."});
        client.get(&one).await.is(404, unknown.clone());
        client.delete(&one).await.is(404, unknown);
    }
}

#[tokio::test]
async fn invalid_timeslots_are_refused() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    let one = format!("{PATH}{}/", client.post(PATH, named("mine")).await.pk());
    let recurrence = |fields: Value| json!({"name": "x", "time_recurrences": [{"days": [1], "start": "01:00", "end": "02:00"}, fields]});
    let second = |errors: Value| json!({"time_recurrences": {"1": errors}});
    let required = json!(["This field is required."]);
    let bad_time = "Time has wrong format. Use one of these formats instead: hh:mm[:ss[.uuuuuu]].";
    let order = json!({"non_field_errors": ["'start' must be before 'end'."]});
    let taken = "The name \"mine\" is already in use for a another timeslot owned by user alice.";
    for (body, errors) in [
        (json!({}), json!({"name": required, "time_recurrences": required})),
        (
            json!({"name": null, "time_recurrences": null}),
            json!({
            "name": ["This field may not be null."], "time_recurrences": ["This field may not be null."]}),
        ),
        (named(" "), json!({"name": ["This field may not be blank."]})),
        (named(&"å".repeat(41)), json!({"name": ["Ensure this field has no more than 40 characters."]})),
        (named("mine"), json!({ "name": [taken] })),
        (
            json!({"name": "x", "time_recurrences": "x"}),
            json!({"time_recurrences": {"non_field_errors": ["Expected a list of items but got type \"str\"."]}}),
        ),
        (recurrence(json!({})), second(json!({"days": required, "start": required, "end": required}))),
        (
            recurrence(json!("x")),
            second(json!({
            "non_field_errors": ["Invalid data. Expected a dictionary, but got str."]})),
        ),
        (
            recurrence(json!({"days": [1, 8, 9], "all_day": true})),
            second(json!({
            "days": ["\"8\" is not a valid choice."]})),
        ),
        (
            recurrence(json!({"days": "1", "all_day": true})),
            second(json!({
            "days": ["Expected a list of items but got type \"str\"."]})),
        ),
        (
            recurrence(json!({"days": [1], "start": "24:00", "end": 5})),
            second(json!({
            "start": [bad_time], "end": [bad_time]})),
        ),
        (recurrence(json!({"days": [1], "start": "22:00", "end": "06:00"})), second(order.clone())),
        (recurrence(json!({"days": [1], "start": "06:00", "end": "06:00:00"})), second(order)),
        (
            recurrence(json!({"days": [1], "all_day": "maybe", "start": "01:00", "end": "02:00"})),
            second(json!({
            "all_day": ["Must be a valid boolean."]})),
        ),
        (json!([]), json!({"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]})),
    ] {
        client.post(PATH, body.clone()).await.is(400, errors.clone());
        if body != named("mine") {
            client.put(&one, body).await.is(400, errors);
        }
    }
    client.patch(&one, named("All the time")).await.is(
        400,
        json!({"name": ["The name \"All the time\" is already in use for a another timeslot owned by user alice."]}),
    );
    assert_eq!(client.get(&one).await.json()["name"], "mine");
}

#[tokio::test]
async fn timeslots_are_private() {
    let app = App::new().await;
    let key = app.of(Who::EndUser).post(PATH, named("mine")).await.pk();
    let one = format!("{PATH}{key}/");
    let unknown = json!({"detail": "No Timeslot matches the given query."});
    for who in [Who::Source, Who::Staff, Who::Superuser] {
        let other = app.of(who);
        other.get(&one).await.is(404, unknown.clone());
        // Whether it is there comes before what is wrong with the body.
        other.put(&one, json!([])).await.is(404, unknown.clone());
        other.patch(&one, named("stolen")).await.is(404, unknown.clone());
        other.delete(&one).await.is(404, unknown.clone());
        assert_eq!(other.get(PATH).await.json().as_array().unwrap().len(), 1);
        assert_eq!(other.post(PATH, named("mine")).await.status, 201, "names are unique per user only");
    }
    app.of(Who::EndUser).get(&format!("{PATH}x/")).await.is(404, json!({"detail": "Not found."}));
    assert_eq!(app.of(Who::Anonymous).get(&one).await.status, 401);
    assert_eq!(app.of(Who::EndUser).get(&one).await.status, 200);
}

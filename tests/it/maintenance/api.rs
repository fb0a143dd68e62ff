//! Planned maintenance (contract section 18).

use argusd::{domain::time::Timestamp, http::Version};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    resource::{ALL_READ, Document, Resource, SHOWN, STAFF_DO, STAFF_ERR, STAFF_ONLY, STAFF_SEE, get, post, row},
    support::{App, Client, MINUTE, NOW, Who, merge},
};

const PATH: &str = "/api/v2/plannedmaintenance/";
const HOUR: i64 = 60 * MINUTE;

pub fn resource() -> Resource {
    Resource {
        documents: &[Document::Argus(Version::V2)],
        operations: vec![
            row("GET", "/plannedmaintenance/", ALL_READ, Value::Null),
            row("POST", "/plannedmaintenance/", [401, 403, 403, 400, 400], json!({})),
            row("GET", "/plannedmaintenance/{pk}/", ALL_READ, Value::Null),
            row("PUT", "/plannedmaintenance/{pk}/", [401, 403, 403, 400, 400], json!({})),
            row("PATCH", "/plannedmaintenance/{pk}/", STAFF_ONLY, json!({"description": "x"})),
            row("DELETE", "/plannedmaintenance/{pk}/", [401, 403, 403, 204, 204], Value::Null),
        ],
        pages: vec![
            get("/plannedmaintenance/", SHOWN),
            get("/plannedmaintenance/running/", SHOWN),
            get("/plannedmaintenance/upcoming/", SHOWN),
            get("/plannedmaintenance/past/", SHOWN),
            get("/plannedmaintenance/new/", STAFF_SEE),
            post("/plannedmaintenance/new/", STAFF_ERR, &[]),
            post("/plannedmaintenance/preview/", STAFF_SEE, &[]),
            get("/plannedmaintenance/{pk}/", SHOWN),
            get("/plannedmaintenance/{pk}/edit/", STAFF_SEE),
            post("/plannedmaintenance/{pk}/edit/", STAFF_ERR, &[]),
            post("/plannedmaintenance/{pk}/cancel/", STAFF_DO, &[]),
            post("/plannedmaintenance/{pk}/delete/", STAFF_DO, &[]),
        ],
        object: |app| Box::pin(planned(app)),
        ..Resource::default()
    }
}

async fn planned(app: &App) -> String {
    let name = Uuid::new_v4().to_string();
    let filter = app.of(Who::Source).filter(&name).matching(json!({"open": true})).post().await;
    let body = json!({"filters": [filter], "start_time": "2026-01-16T12:00:00Z"});
    app.of(Who::Superuser).post(PATH, body).await.pk().to_string()
}

/// Somebody's private filter.
async fn filter(client: &Client) -> u64 {
    client.filter("f").matching(json!({"open": true})).post().await
}

fn error(text: &str) -> Value {
    json!({ "non_field_errors": [text] })
}

fn set_clock(app: &App, at: i64) {
    app.clock.set(Timestamp::saturating_from_micros(at));
}

#[tokio::test]
async fn maintenance_is_planned_read_changed_and_deleted() {
    let app = App::new().await;
    let (staff, filter) = (app.of(Who::Staff), filter(&app.of(Who::EndUser)).await);
    let body = json!({"filters": [filter, filter], "start_time": "2026-01-16T01:00:00+01:00",
        "end_time": "2026-01-16 02:00", "description": " power "});
    let created = staff.post(PATH, body).await;
    let one = format!("{PATH}{}/", created.pk());
    let shown = |fields: Value| {
        let mut body = json!({
            "pk": created.pk(),
            "created_by": {"pk": app.user_id("stan").0, "username": "stan"},
            "created": "2026-01-15T13:00:00+01:00",
            "start_time": "2026-01-16T01:00:00+01:00",
            "end_time": "2026-01-16T02:00:00+01:00",
            "description": "power",
            "filters": [{"pk": filter, "name": "f", "public": false, "filter": {
                "open": true, "acked": null, "stateful": null, "maxlevel": null, "hide_closed_acked": false}}],
        });
        merge(&mut body, fields);
        body
    };
    created.is(201, shown(json!({})));
    for who in [Who::EndUser, Who::Source, Who::Staff, Who::Superuser] {
        app.of(who).get(&one).await.is(200, shown(json!({})));
        app.of(who).get(PATH).await.is(200, json!([shown(json!({}))]));
    }
    let never = "9999-12-31T23:59:59.999999+01:00";
    for end in [Value::Null, json!("infinity"), json!(never)] {
        let endless = staff.patch(&one, json!({ "end_time": end })).await;
        endless.is(200, shown(json!({ "end_time": never })));
        staff.patch(&one, json!({"end_time": "2026-01-16T02:00:00+01:00"})).await.is(200, shown(json!({})));
    }
    staff.put(&one, json!({"filters": [filter]})).await.is(200, shown(json!({})));
    staff.patch(&one, json!({"description": ""})).await.is(200, shown(json!({"description": ""})));
    assert_eq!(staff.delete(&one).await.status, 204);
    let unknown = json!({"detail": "No PlannedMaintenanceTask matches the given query."});
    staff.get(&one).await.is(404, unknown.clone());
    staff.patch(&one, json!([])).await.is(404, unknown.clone());
    staff.delete(&one).await.is(404, unknown);
    let now = app.of(Who::Superuser).post(PATH, json!({"filters": [filter]})).await.json();
    assert_eq!((&now["start_time"], &now["end_time"]), (&json!("2026-01-15T13:00:00+01:00"), &json!(never)));
}

#[tokio::test]
async fn invalid_maintenance_is_refused() {
    let app = App::new().await;
    let (staff, filter) = (app.of(Who::Staff), filter(&app.of(Who::EndUser)).await);
    let with = |fields: Value| {
        let mut body = json!({ "filters": [filter] });
        merge(&mut body, fields);
        body
    };
    for (body, errors) in [
        (json!({}), json!({"filters": ["This field is required."]})),
        (json!({"filters": []}), json!({"filters": ["This list may not be empty."]})),
        (json!({"filters": [999]}), json!({"filters": ["Invalid pk \"999\" - object does not exist."]})),
        (json!({"filters": ["x"]}), json!({"filters": ["Incorrect type. Expected pk value, received str."]})),
        (
            with(json!({"description": "x".repeat(256)})),
            json!({"description": ["Ensure this field has no more than 255 characters."]}),
        ),
        (with(json!({"start_time": null})), json!({"start_time": ["This field may not be null."]})),
        (
            with(json!({"start_time": "2026-01-16T02:00:00Z", "end_time": "2026-01-16T02:00:00Z"})),
            error("End_time needs to be after start_time"),
        ),
        (with(json!({"end_time": "2026-01-15T11:00:00Z"})), error("End_time needs to be after start_time")),
    ] {
        staff.post(PATH, body).await.is(400, errors);
    }
    let bad = staff.post(PATH, with(json!({"end_time": "tomorrow"}))).await;
    assert!(bad.status == 400 && bad.text.contains("Datetime has wrong format"), "{}", bad.text);
    let forbidden = json!({"detail": "You do not have permission to perform this action."});
    for who in [Who::EndUser, Who::Source] {
        app.of(who).post(PATH, json!({})).await.is(403, forbidden.clone());
        app.of(who).delete(&format!("{PATH}999/")).await.is(403, forbidden.clone());
    }
    assert_eq!(app.of(Who::Anonymous).get(PATH).await.status, 401);
}

#[tokio::test]
async fn active_maintenance_can_only_be_ended_and_past_maintenance_stays() {
    let app = App::new().await;
    let (staff, filter) = (app.of(Who::Staff), filter(&app.of(Who::EndUser)).await);
    let body = json!({"filters": [filter], "start_time": "2026-01-15T13:00:00Z", "end_time": "2026-01-15T14:00:00Z"});
    let one = format!("{PATH}{}/", staff.post(PATH, body).await.pk());
    assert_eq!(staff.patch(&one, json!({"start_time": "2026-01-15T13:00:00Z"})).await.status, 200);
    // At 13:00 it starts.
    set_clock(&app, NOW + HOUR);
    let started = error("The start time cannot be modified after the task has already started.");
    staff.patch(&one, json!({"start_time": "2026-01-15T13:30:00Z"})).await.is(400, started);
    assert_eq!(staff.patch(&one, json!({"start_time": "2026-01-15T13:00:00Z", "description": "x"})).await.status, 200);
    let ongoing = json!(["It is not possible to delete past or ongoing planned maintenance tasks."]);
    staff.delete(&one).await.is(400, ongoing.clone());
    assert_eq!(staff.patch(&one, json!({"end_time": "2026-01-15T13:30:00Z"})).await.status, 200);
    // It ended at 13:30; half past one at night it can still be changed, but not a moment later.
    set_clock(&app, NOW + HOUR + 30 * MINUTE + 12 * HOUR);
    assert_eq!(staff.patch(&one, json!({"description": "late"})).await.status, 200);
    set_clock(&app, NOW + HOUR + 30 * MINUTE + 12 * HOUR + 1);
    let over = error("This planned maintenance task is no longer modifiable as it ended more than 12 hours ago.");
    staff.patch(&one, json!({"description": "too late"})).await.is(400, over);
    staff.delete(&one).await.is(400, ongoing);
    assert_eq!(staff.get(&one).await.json()["description"], "late");
}

#[tokio::test]
async fn filters_of_planned_maintenance_cannot_be_deleted() {
    let app = App::new().await;
    let (staff, alice) = (app.of(Who::Staff), app.of(Who::EndUser));
    let filter = filter(&alice).await;
    let task = staff.post(PATH, json!({"filters": [filter], "start_time": "2026-01-16T12:00:00Z"})).await.pk();
    let path = format!("/api/v2/notificationprofiles/filters/{filter}/");
    let text = format!("Cannot delete this filter since it is in use in the planned maintenance task(s): {task}.");
    alice.delete(&path).await.is(400, json!(text));
    assert_eq!(staff.delete(&format!("{PATH}{task}/")).await.status, 204);
    assert_eq!(alice.delete(&path).await.status, 204);
}

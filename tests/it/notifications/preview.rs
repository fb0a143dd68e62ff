//! Previews of profiles: what a draft would have sent.

use argusd::domain::{
    maintenance::Maintenance,
    severity::Level,
    stored_filter::{FilterBlob, StoredFilter},
    timeslot::{Recurrence, TimeOfDay, Timeslot},
};
use serde_json::{Value, json};

use crate::{
    notifications::deliveries::watch,
    support::{App, MINUTE, Who},
};

const PATH: &str = "/argusd/v1/profiles/preview/";
const DAY: i64 = 24 * 60 * MINUTE;

async fn preview(app: &App, body: Value) -> Value {
    let reply = app.of(Who::EndUser).post(PATH, body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

/// One incident a day at 13:00 local time, levels 1 to 5 in turn; today is the last.
async fn days_of_incidents(app: &App, days: u64) {
    for day in 0..days {
        if day > 0 {
            app.clock.advance_micros(DAY);
        }
        let at = app.service.now().to_datetime().to_rfc3339();
        let description = format!("day {day}");
        app.incident().starts(at).level(day % 5 + 1).description(description).post().await;
    }
}

#[tokio::test]
async fn a_preview_lists_what_a_draft_would_have_sent() {
    let app = App::new().await;
    days_of_incidents(&app, 10).await;
    let (timeslot, destination) = (app.timeslot_of("alice").0, app.destination_of("alice").0);
    let body = json!({"timeslot": timeslot, "filters": [{"maxlevel": 2}], "destinations": [destination], "days": 8});
    let answer = preview(&app, body).await;
    let day = |day: u64| format!("2026-01-{day}");
    assert_eq!((&answer["count"], &answer["events"], &answer["truncated"]), (&json!(3), &json!(3), &json!(false)));
    let mut by_hour = vec![0; 24];
    by_hour[13] = 3;
    assert_eq!(answer["by_hour"], json!(by_hour));
    let notified = [17, 20, 21, 16];
    assert_eq!(answer["by_day"][day(20)], 1);
    assert_eq!(answer["by_day"].as_object().unwrap().len(), 9, "{}", answer["by_day"]);
    let days: u64 = notified.iter().map(|it| answer["by_day"][day(*it)].as_u64().unwrap()).sum();
    assert_eq!(days, 3);
    assert_eq!(answer["by_destination"], json!({ destination.to_string(): 3 }));
    assert_eq!(answer["silent"], json!({"filter": 6}));
    let newest = &answer["examples"][0];
    assert_eq!((&newest["description"], &newest["event"]["type"]), (&json!("day 6"), &json!("STA")));
    assert_eq!(newest["timestamp"], "2026-01-21T13:00:00+01:00");
    assert_eq!(answer["examples"].as_array().unwrap().len(), 3);
    assert_eq!(
        (&answer["since"], &answer["until"]),
        (&json!("2026-01-16T13:00:00+01:00"), &json!("2026-01-24T13:00:00+01:00"),)
    );
}

#[tokio::test]
async fn a_preview_agrees_with_what_was_sent() {
    let app = App::new().await;
    let watch = watch(&app, "alice", FilterBlob { max_level: Level::new(3), ..FilterBlob::default() }).await;
    days_of_incidents(&app, 12).await;
    let incident = app.incident().level(1).post().await;
    app.of(Who::EndUser).post(&format!("/api/v2/incidents/{incident}/acks/"), json!({})).await;
    app.of(Who::EndUser).patch(&format!("/api/v2/incidents/{incident}/"), json!({"level": 5})).await;
    let sent = app.messages();
    let body = json!({
        "timeslot": watch.timeslot.0, "filters": [watch.filter.0], "destinations": [watch.destination.0], "name": "x"});
    let answer = preview(&app, body).await;
    assert_eq!(answer["count"], json!(sent.len()));
    assert!(sent.len() > 5);
}

#[tokio::test]
async fn a_preview_counts_what_prevented_messages() {
    let app = App::new().await;
    let owner = app.user_id("alice");
    let start = app.service.now();
    days_of_incidents(&app, 4).await;
    let (weekend, filter) = app
        .write(move |command| {
            let weekend = command.new_timeslot_id();
            let recurrences = vec![Recurrence { days: vec![6, 7], start: TimeOfDay::MIDNIGHT, end: TimeOfDay::LAST }];
            command.put_timeslot(Timeslot { id: weekend, owner, name: "weekend".to_owned(), recurrences });
            let filter = command.new_filter_id();
            let blob = FilterBlob { stateful: Some(true), ..FilterBlob::default() };
            command.put_filter(StoredFilter { id: filter, owner, name: "all".to_owned(), public: false, blob });
            let id = command.new_maintenance_id();
            command.put_maintenance(Maintenance {
                id,
                created_by: owner,
                created: start,
                start: start.saturating_add_micros(2 * DAY - MINUTE),
                end: Some(start.saturating_add_micros(2 * DAY + MINUTE)),
                description: String::new(),
                filters: vec![filter],
            });
            (weekend.0, filter.0)
        })
        .await;
    let destination = app.destination_of("alice").0;
    let silent = async |body: Value| {
        let answer = preview(&app, body).await;
        (answer["count"].clone(), answer["silent"].clone())
    };
    // Thursday, Friday, Saturday in maintenance, Sunday.
    let draft = json!({"timeslot": weekend, "filters": [filter], "destinations": [destination]});
    assert_eq!(silent(draft).await, (json!(1), json!({"maintenance": 1, "outside_timeslot": 2})));
    let always = app.timeslot_of("alice").0;
    let draft = json!({"timeslot": always, "filters": [filter], "destinations": []});
    assert_eq!(silent(draft).await, (json!(0), json!({"maintenance": 1, "no_destination": 3})));
    let draft = json!({"timeslot": always, "filters": [filter, {"event_types": ["END"], "maxlevel": 5}],
        "destinations": [destination], "active": false});
    assert_eq!(silent(draft).await, (json!(0), json!({"profile_inactive": 4})));
    let draft = json!({"timeslot": always, "filters": [{"event_types": ["END"]}], "destinations": [destination]});
    assert_eq!(silent(draft).await, (json!(0), json!({"event_type": 4})));
    let draft = json!({"timeslot": always, "filters": [{}], "destinations": [destination]});
    assert_eq!(silent(draft).await, (json!(0), json!({"filter_matches_nothing": 4})));
}

#[tokio::test]
async fn invalid_previews_are_refused() {
    let app = App::new().await;
    let (timeslot, destination) = (app.timeslot_of("alice").0, app.destination_of("alice").0);
    let others = app.destination_of("bob").0;
    let stolen = watch(&app, "bob", FilterBlob { open: Some(true), ..FilterBlob::default() }).await;
    let required = json!(["This field is required."]);
    let unknown = |pk: u64| json!([format!("Invalid pk \"{pk}\" - object does not exist.")]);
    let good = json!({"timeslot": timeslot, "filters": [{"open": true}], "destinations": [destination]});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for (body, errors) in [
        (json!({}), json!({"timeslot": required, "filters": required})),
        (with("timeslot", Value::Null), json!({"timeslot": ["This field may not be null."]})),
        (with("timeslot", json!(stolen.timeslot.0)), json!({"timeslot": unknown(stolen.timeslot.0)})),
        (with("filters", json!([])), json!({"filters": ["This list may not be empty."]})),
        (with("filters", json!([stolen.filter.0])), json!({"filters": unknown(stolen.filter.0)})),
        (
            with("filters", json!([1, {"maxlevel": 9}, -1])),
            json!({"filters": {
                "1": {"maxlevel": ["Ensure this value is less than or equal to 5."]},
                "2": ["A valid integer is required."]}}),
        ),
        (with("destinations", json!([others])), json!({"destinations": unknown(others)})),
        (with("days", json!(0)), json!({"days": ["Ensure this value is greater than or equal to 1."]})),
        (with("days", json!(91)), json!({"days": ["Ensure this value is less than or equal to 90."]})),
        (with("days", json!("x")), json!({"days": ["A valid integer is required."]})),
        (with("active", json!("maybe")), json!({"active": ["Must be a valid boolean."]})),
        (json!([]), json!({"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]})),
    ] {
        app.of(Who::EndUser).post(PATH, body).await.is(400, errors);
    }
    assert_eq!(app.of(Who::EndUser).post(PATH, good).await.status, 200);
}

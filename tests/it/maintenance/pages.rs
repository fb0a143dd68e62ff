//! The pages of planned maintenance, as a browser without scripts sees them.

use argusd::domain::{ids::MaintenanceId, maintenance::Maintenance, time::Timestamp};
use serde_json::json;

use crate::support::{App, MINUTE, NOW, Reply, Who, visit::Visit};

const PAGE: &str = "/plannedmaintenance/";
const NEW: &str = "/plannedmaintenance/new/";
const HOUR: i64 = 60 * MINUTE;

/// The clock shows 13:00 in Oslo. The filter's key is that of everything that is open.
async fn visit_of_stan() -> (App, Visit, String) {
    let app = App::new().await;
    let mut stan = Visit::of(&app, "stan").await;
    stan.submit("/notifications/filters/new/", &[("name", "Open"), ("open", "yes")]).await;
    let filter = app.service.directory().filters_of(app.user_id("stan"))[0].id.to_string();
    (app, stan, filter)
}

fn only(app: &App) -> Maintenance {
    let directory = app.service.directory();
    let all: Vec<_> = directory.maintenances.values().collect();
    assert_eq!(all.len(), 1);
    Maintenance::clone(all[0])
}

fn at(micros: i64) -> Timestamp {
    Timestamp::saturating_from_micros(NOW + micros)
}

#[track_caller]
fn says(reply: &Reply, status: u16, part: &str) {
    assert_eq!(reply.status, status, "{}", reply.text);
    assert!(reply.text.contains(part), "no {part:?} in {}", reply.text);
}

#[tokio::test]
async fn maintenance_is_planned_in_the_users_zone() {
    let (app, mut stan, filter) = visit_of_stan().await;
    says(&stan.get(PAGE).await, 200, "No maintenance is planned.");
    let fields = [
        ("description", "New firmware"),
        ("start", "2026-01-15T15:00"),
        ("end", "2026-01-15T17:00"),
        ("filters", &*filter),
    ];
    let reply = stan.submit(NEW, &fields).await;
    says(&reply, 200, "New firmware");
    says(&reply, 200, "no notification is sent for incidents that are still open");
    let task = only(&app);
    assert_eq!((task.start, task.end), (at(2 * HOUR), Some(at(4 * HOUR))));
    let place = format!("{PAGE}{}/", task.id);
    says(&stan.get(PAGE).await, 200, "begins");
    says(&stan.get("/plannedmaintenance/running/").await, 200, "No maintenance is running.");

    app.clock.advance_micros(3 * HOUR);
    says(&stan.get(PAGE).await, 200, "ends");
    let form = stan.get(&format!("{place}edit/")).await;
    says(&form, 200, "It has begun and cannot be changed.");
    assert!(!form.text.contains("name=\"start\""));
    let edit = format!("{place}edit/");
    let frozen =
        stan.post(&edit, &[("start", "2026-01-15T14:00"), ("end", "2026-01-15T17:00"), ("filters", &filter)]).await;
    says(&frozen, 422, "Start: cannot change, it has begun.");
    says(&stan.post(&format!("{place}delete/"), &[]).await, 422, "End it instead.");
    let open_ended = [("description", "Longer"), ("end", ""), ("filters", &*filter)];
    says(&stan.submit(&edit, &open_ended).await, 200, "open-ended");
    assert_eq!((only(&app).start, only(&app).end), (at(2 * HOUR), None));

    says(
        &stan.submit(&format!("{place}cancel/"), &[]).await,
        200,
        "No notification was sent for incidents that were still open",
    );
    assert_eq!(only(&app).end, Some(at(3 * HOUR)));
    says(&stan.post(&format!("{place}cancel/"), &[]).await, 422, "It has already ended.");
    says(&stan.get("/plannedmaintenance/past/").await, 200, "Longer");
    app.clock.advance_micros(13 * HOUR);
    says(&stan.post(&edit, &open_ended).await, 422, "more than 12 hours ago");
    assert!(!stan.get(&place).await.text.contains(&edit), "nothing to change");
}

#[tokio::test]
async fn upcoming_maintenance_is_changed_copied_and_cancelled() {
    let (app, mut stan, filter) = visit_of_stan().await;
    stan.submit(NEW, &[("description", "Power"), ("start", "2026-01-16T08:00"), ("filters", &filter)]).await;
    let id = only(&app).id;
    let edit = format!("{PAGE}{id}/edit/");
    says(&stan.get(&edit).await, 200, "value=\"2026-01-16T08:00\"");
    stan.submit(&edit, &[("description", "Power"), ("start", "2026-01-16T09:00"), ("filters", &filter)]).await;
    assert_eq!(only(&app).start, at(20 * HOUR));
    let copy = stan.get(&format!("{NEW}?copy={id}")).await;
    says(&copy, 200, "value=\"Power\"");
    says(&copy, 200, &format!("value=\"{filter}\" checked"));
    says(&copy, 200, "name=\"start\" value=\"\"");
    stan.submit(&edit, &[("description", "Power"), ("start", ""), ("end", "2026-01-16T09:00"), ("filters", &filter)])
        .await;
    assert_eq!(only(&app).start, at(0), "empty is now");

    for action in ["cancel", "delete"] {
        let reply =
            stan.submit(NEW, &[("description", action), ("start", "2026-01-17T08:00"), ("filters", &filter)]).await;
        says(&reply, 200, action);
        let id = app.service.directory().maintenances.values().last().unwrap().id;
        stan.submit(&format!("{PAGE}{id}/{action}/"), &[]).await;
        assert!(!app.service.directory().maintenances.contains_key(&id));
    }
}

#[tokio::test]
async fn a_refused_form_keeps_what_was_typed() {
    let (app, mut stan, filter) = visit_of_stan().await;
    let f = ("filters", &*filter);
    let long = "x".repeat(256);
    for (fields, problem) in [
        (&[("description", "D")][..], "Filters: choose at least one."),
        (&[("description", "D"), ("start", "soon"), f], "Start: “soon” is not a date and time."),
        (&[("description", "D"), ("end", "2026-13-01T00:00"), f], "End: “2026-13-01T00:00”"),
        (&[("description", "D"), ("end", "2026-01-15T12:59"), f], "End must be after start."),
        (&[("description", "D"), ("filters", "999")], "Filters: one that you chose no longer exists"),
        (&[("description", &*long), f], "longer than 255"),
    ] {
        let reply = stan.post(NEW, fields).await;
        says(&reply, 422, problem);
        says(&reply, 422, "role=\"alert\"");
    }
    let reply = stan.post(NEW, &[("description", "Typed"), ("end", "2026-01-15T12:59"), f]).await;
    says(&reply, 422, "value=\"Typed\"");
    says(&reply, 422, "value=\"2026-01-15T12:59\"");
    assert!(app.service.directory().maintenances.is_empty());
}

#[tokio::test]
async fn the_form_shows_which_incidents_it_covers() {
    let (app, mut stan, open) = visit_of_stan().await;
    stan.submit("/notifications/filters/new/", &[("name", "Hosts"), ("tags", "host=a"), ("tags", "host=b")]).await;
    let hosts = app.service.directory().filters_of(app.user_id("stan"))[1].id.to_string();
    for (host, end) in [("a", "infinity"), ("b", "infinity"), ("c", "infinity"), ("a", "2026-01-15T12:30:00+01:00")] {
        let tags = json!([{"tag": format!("host={host}")}]);
        app.incident().description(format!("on {host} until {end}")).ends(end).with(json!({"tags": tags})).post().await;
    }
    for (path, extra) in [(NEW, Some(("preview", "1"))), ("/plannedmaintenance/preview/", None)] {
        let fields: Vec<_> = [("filters", &*open), ("filters", &*hosts)].into_iter().chain(extra).collect();
        let reply = stan.post(path, &fields).await;
        says(&reply, 200, "<strong>2</strong> of 3 open incidents: 66 %");
        says(&reply, 200, "on a until infinity");
        assert!(!reply.text.contains("on c until"));
    }
    says(&stan.post("/plannedmaintenance/preview/", &[]).await, 200, "Choose at least one filter.");
    assert!(app.service.directory().maintenances.is_empty());
}

#[tokio::test]
async fn everybody_reads_and_staff_writes() {
    let (app, mut stan, filter) = visit_of_stan().await;
    stan.submit(NEW, &[("description", "<script>x()</script>"), ("start", "2026-01-16T08:00"), ("filters", &filter)])
        .await;
    let id = only(&app).id;
    let mut alice = Visit::of(&app, "alice").await;
    let place = format!("{PAGE}{id}/");
    for path in [PAGE, &place] {
        let page = alice.get(path).await;
        says(&page, 200, "&#60;script&#62;x()");
        for word in ["/edit/", "/cancel/", "/new/", "/delete/", "<script>x"] {
            assert!(!page.text.contains(word), "{path}: {word}");
        }
    }
    let edit = format!("{place}edit/");
    for path in [NEW, &edit] {
        assert_eq!(alice.get(path).await.status, 403, "{path}");
    }
    let (cancel, delete) = (format!("{place}cancel/"), format!("{place}delete/"));
    for path in [NEW, &edit, &cancel, &delete, "/plannedmaintenance/preview/"] {
        assert_eq!(alice.post(path, &[("filters", &filter)]).await.status, 403, "{path}");
        assert_eq!(stan.post_without_proof(path).await.status, 403, "{path}");
    }
    assert_eq!(app.of(Who::Anonymous).get(PAGE).await.status, 303);
    assert_eq!(stan.get("/plannedmaintenance/999/").await.status, 404);
    assert_eq!(only(&app).id, MaintenanceId(id.0));
}

//! What changes in open lists by the clock alone.

use std::collections::{BTreeMap, BTreeSet};

use argusd::domain::time::Timestamp;
use serde_json::json;

use super::{BY_THE_CLOCK, NOW_TEXT, Pushed, QUIET, SECOND, Stream, keys, lists, look, seq};
use crate::support::{App, NOW, Who, visit::Visit};

async fn acknowledge(app: &App, pk: u64, seconds: i64) {
    let expiration = Timestamp::saturating_from_micros(NOW + seconds * SECOND).to_datetime().to_rfc3339();
    let ack = json!({"event": {"timestamp": NOW_TEXT, "description": ""}, "expiration": expiration});
    assert_eq!(app.of(Who::EndUser).post(&format!("/api/v2/incidents/{pk}/acks/"), ack).await.status, 201);
}

/// By the names of their lists and pages.
fn by_list(pushed: Vec<Pushed>) -> BTreeMap<String, Pushed> {
    let name = |it: &Pushed| match it.name.as_str() {
        "rows" => it.json()["list"].as_str().unwrap().to_owned(),
        _ => it.data.clone(),
    };
    pushed.into_iter().map(|it| (name(&it), it)).collect()
}

#[tokio::test]
async fn an_acknowledgement_that_expires_and_an_end_that_comes_are_pushed() {
    const VIEWS: [&str; 5] = ["open=true&acked=false", "acked=true", "open=true", "open=false", "level=1"];
    let app = App::new().await;
    let mut alice = Visit::of(&app, "alice").await;
    let acked = app.incident().open().post().await;
    let ends = app.incident().ends("2026-01-15T12:02:00Z").post().await;
    acknowledge(&app, acked, 60).await;
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    let mut known = String::new();
    for view in VIEWS {
        known = look(view, &alice.get(&format!("/incidents/?{view}")).await).seq;
        query.append_pair("list", &format!("{view}~{known}~{view}"));
    }
    for pk in [acked, ends] {
        query.append_pair("watch", &format!("w{pk}~{known}~{pk}"));
    }
    let query = query.append_pair("seq", &known).finish();
    let mut stream = Stream::open(&app, &alice, &query, None).await;
    assert!(stream.next(QUIET).await.is_none());

    // Nobody does anything from here on.
    app.clock.advance_micros(61 * SECOND);
    let pushed = stream.until_quiet(BY_THE_CLOCK).await;
    let last = pushed.iter().rev().find_map(|pushed| pushed.id.clone());
    let notified = by_list(pushed);
    assert_eq!(
        notified.keys().map(String::as_str).collect::<Vec<_>>(),
        ["acked=true", "open=true", "open=true&acked=false", format!("w{acked}").as_str()]
    );
    let patch = |notified: &BTreeMap<String, Pushed>, view: &str| notified[view].json();
    let back = patch(&notified, "open=true&acked=false");
    assert_eq!((keys(&back), &back["new"], &back["delta"]), (vec![acked], &json!([acked]), &json!(1)));
    assert_eq!(
        (&patch(&notified, "acked=true")["gone"], &patch(&notified, "acked=true")["delta"]),
        (&json!([acked]), &json!(-1))
    );
    let open = patch(&notified, "open=true");
    assert_eq!((keys(&open), &open["new"], &open["delta"]), (vec![acked], &json!([]), &json!(0)));
    assert!(!open["rows"][0][1].as_str().unwrap().contains("acked"), "the badge is gone: {open}");

    // Whoever comes back hears nothing twice, nor does a page that was made since.
    drop(stream);
    let mut stream = Stream::open(&app, &alice, &query, last.as_deref()).await;
    while let Some(pushed) = stream.next(BY_THE_CLOCK).await {
        assert_eq!(pushed.name, "watched", "pages of incidents look again");
    }
    let fresh = look("acked=true", &alice.get("/incidents/?acked=true").await);
    let mut young =
        Stream::open(&app, &alice, &format!("list=y~{}~acked%3Dtrue&seq={}", fresh.seq, fresh.seq), None).await;
    assert!(young.next(QUIET).await.is_none());
    drop(young);

    app.clock.advance_micros(60 * SECOND);
    let pushed = stream.until_quiet(BY_THE_CLOCK).await;
    let notified = by_list(pushed);
    assert_eq!(patch(&notified, "open=false")["new"], json!([ends]));
    assert_eq!(patch(&notified, "open=true")["gone"], json!([ends]));
    assert_eq!(notified[&format!("w{ends}")].name, "watched");
}

#[tokio::test]
async fn too_much_at_one_moment_and_a_clock_that_is_set_back_are_loaded_again() {
    let app = App::new().await;
    let alice = Visit::of(&app, "alice").await;
    let pks = futures_util::future::join_all((0..300).map(|_| app.incident().open().post())).await;
    let ack = json!({"timestamp": NOW_TEXT, "expiration": "2026-01-15T12:01:00Z"});
    let acks = json!({"ids": pks, "ack": ack});
    assert_eq!(app.of(Who::EndUser).post("/api/v2/incidents/acks/bulk/", acks).await.status, 201);
    let mut stream = Stream::open(&app, &alice, &lists(&[("a", "open=true&acked=false")], &seq(&app)), None).await;
    app.clock.advance_micros(60 * SECOND);
    assert_eq!(stream.expect().await.name, "refresh");
    // Acknowledged again, by the clock.
    app.clock.jump_micros(-50 * SECOND);
    assert_eq!(stream.expect().await.name, "refresh");
    app.clock.advance_micros(50 * SECOND);
    assert_eq!(stream.expect().await.name, "refresh");
}

#[tokio::test]
async fn lists_of_a_time_frame_and_of_durations_are_loaded_again_when_incidents_grow_older() {
    let app = App::new().await;
    let alice = Visit::of(&app, "alice").await;
    // Started an hour ago.
    app.incident().open().post().await;
    app.clock.jump_micros(-5 * SECOND);
    let at = NOW - 5 * SECOND;
    let known = seq(&app);
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, view) in [("frame", "frame=1h"), ("longer", "longer=60"), ("plain", "open=true"), ("other", "longer=59")]
    {
        query.append_pair("list", &format!("{name}~{known}.{at}~{view}"));
    }
    let query = query.append_pair("seq", &known).finish();
    let mut stream = Stream::open(&app, &alice, &query, None).await;
    assert!(stream.next(QUIET).await.is_none());
    app.clock.advance_micros(6 * SECOND);
    let mut reloaded = BTreeSet::new();
    for _ in 0..2 {
        let pushed = stream.expect().await;
        assert_eq!(pushed.name, "watched");
        reloaded.insert(pushed.data);
    }
    assert_eq!(reloaded, BTreeSet::from(["frame".to_owned(), "longer".to_owned()]));
    assert!(stream.next(QUIET).await.is_none(), "once");
}

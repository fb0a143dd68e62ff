//! What is pushed to open lists: which rows, to whom, how soon, and what happens after a gap.

mod by_the_clock;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use argusd::{
    domain::{
        agenda::TaskKind,
        incident::EndTime,
        limits::{LIVE_ALIVE, LIVE_PUSH_BYTES, LIVE_STREAMS_PER_USER},
        message::{Message, MessageState},
        time::Timestamp,
    },
    service::{NewIncident, PastIncident, Settings, put_past_incident},
    store::Follower,
};
use axum::{
    body::{Body, BodyDataStream},
    http::{Request, header},
    response::Response,
};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{App, Reply, Who, eventually::PATIENCE, visit::Visit};

/// What does not come within this time will not come. If a slow machine needs more, a test proves less, but does not fail.
const QUIET: Duration = Duration::from_millis(600);
/// The time of day is looked at once a second, and what it did is pushed a moment later.
const BY_THE_CLOCK: Duration = Duration::from_millis(2_500);
const NOW_TEXT: &str = "2026-01-15T12:00:00Z";
const SECOND: i64 = 1_000_000;

#[derive(Debug)]
struct Pushed {
    name: String,
    data: String,
    id: Option<String>,
}

impl Pushed {
    fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}

async fn ask(app: &App, visit: &Visit, query: &str, last_event: Option<&str>) -> Response {
    let request = Request::get(format!("/live/?{query}"))
        .header(header::HOST, "argus.test")
        .header(header::COOKIE, format!("sessionid={}", visit.cookie("sessionid").unwrap()));
    let request = last_event.into_iter().fold(request, |request, id| request.header("Last-Event-ID", id));
    app.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

struct Stream {
    body: BodyDataStream,
    text: String,
}

impl Stream {
    async fn open(app: &App, visit: &Visit, query: &str, last_event: Option<&str>) -> Self {
        let response = ask(app, visit, query, last_event).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        let mut stream = Self { body: response.into_body().into_data_stream(), text: String::new() };
        assert_eq!(stream.expect().await.name, "hello");
        stream
    }

    /// What has to come.
    async fn expect(&mut self) -> Pushed {
        self.next(PATIENCE).await.expect("nothing is pushed")
    }

    /// What comes until it is quiet for so long, which is something at least.
    async fn until_quiet(&mut self, quiet: Duration) -> Vec<Pushed> {
        let mut pushed = vec![self.expect().await];
        while let Some(next) = self.next(quiet).await {
            pushed.push(next);
        }
        pushed
    }

    /// `None`: nothing comes within that time, or never again.
    async fn next(&mut self, within: Duration) -> Option<Pushed> {
        let until = Instant::now() + within;
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    let lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    lines.map(str::to_owned).next()
                };
                if let Some(name) = field("event") {
                    return Some(Pushed { name, data: field("data").unwrap(), id: field("id") });
                }
                continue;
            }
            let left = until.checked_duration_since(Instant::now())?;
            let chunk = tokio::time::timeout(left, self.body.next()).await.ok()??.unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn rows(&mut self) -> Value {
        let pushed = self.expect().await;
        assert_eq!(pushed.name, "rows");
        pushed.json()
    }

    async fn is_over(&mut self) -> bool {
        loop {
            match tokio::time::timeout(PATIENCE, self.body.next()).await.expect("the stream does not end") {
                Some(chunk) => self.text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap()),
                None => return true,
            }
        }
    }
}

/// Views by their names, all known up to `seq`.
fn lists(views: &[(&str, &str)], seq: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, view) in views {
        query.append_pair("list", &format!("{name}~{seq}~{view}"));
    }
    query.append_pair("seq", seq).finish()
}

fn keys(patch: &Value) -> Vec<u64> {
    patch["rows"].as_array().unwrap().iter().map(|row| row[0].as_u64().unwrap()).collect()
}

fn seq(app: &App) -> String {
    app.service.live().seq().to_string()
}

async fn close(app: &App, pk: u64) {
    event(app, pk, "CLO").await;
}

async fn event(app: &App, pk: u64, kind: &str) -> u16 {
    let body = json!({"timestamp": "2026-01-15T12:00:00Z", "type": kind, "description": ""});
    app.of(Who::EndUser).post(&format!("/api/v2/incidents/{pk}/events/"), body).await.status
}

/// By the names of their lists.
async fn patches_until_quiet(stream: &mut Stream) -> BTreeMap<String, Value> {
    let patches = stream.until_quiet(QUIET).await.into_iter().map(|pushed| pushed.json());
    patches.map(|patch| (patch["list"].as_str().unwrap().to_owned(), patch)).collect()
}

#[tokio::test]
async fn a_row_is_pushed_to_the_lists_where_it_belongs() {
    let app = App::new().await;
    let alice = Visit::of(&app, "alice").await;
    let views = [("open", "open=true"), ("worst", "open=true&level=1"), ("words", "q=fan"), ("closed", "open=false")];
    let mut stream = Stream::open(&app, &alice, &lists(&views, &seq(&app)), None).await;
    let pk = app.incident().open().level(3).description("Fan <b>broken</b>").post().await;
    let mut patches = patches_until_quiet(&mut stream).await;
    for name in ["open", "words"] {
        let patch = &patches[name];
        assert_eq!((keys(patch), &patch["new"], &patch["gone"]), (vec![pk], &json!([pk]), &json!([])), "{name}");
        let html = patch["rows"][0][1].as_str().unwrap();
        assert!(html.starts_with(&format!("<tr id=\"i{pk}\"")) && html.contains("Fan &#60;b&#62;broken"), "{html}");
        assert!(html.contains("type=\"checkbox\""));
        assert_eq!(patch["total"], 1);
    }
    assert_eq!(patches["open"]["delta"], 1);
    assert_eq!((&patches["words"]["delta"], &patches["words"]["matching"]), (&Value::Null, &json!(1)));
    // The others hear that there is one more, and see nothing of it.
    for name in ["worst", "closed"] {
        assert_eq!((keys(&patches[name]), &patches[name]["delta"]), (vec![], &json!(0)), "{name}");
    }

    close(&app, pk).await;
    patches = patches_until_quiet(&mut stream).await;
    assert_eq!(patches["open"]["gone"], json!([pk]));
    let row = patches["open"]["rows"][0][1].as_str().unwrap();
    assert!(row.contains("<span class=\"badge closed\">closed</span>"), "a row that stays says what it became: {row}");
    let (known, _) = patches["open"]["at"].as_str().unwrap().split_once('.').unwrap();
    assert_eq!(known, seq(&app), "and up to which change the page knows all");
    assert_eq!(patches["open"]["delta"], -1);
    assert_eq!(patches["closed"]["new"], json!([pk]));
    assert_eq!((keys(&patches["words"]), &patches["words"]["new"]), (vec![pk], &json!([])));
    assert!(!patches.contains_key("worst"), "nothing there changed");
}

#[tokio::test]
async fn rows_of_old_incidents_are_removed_when_the_retention_deletes_them() {
    const DAY: i64 = 86_400 * SECOND;
    let app = App::with(Settings { retention_days: Some(30), ..Settings::default() }).await;
    let source = Arc::clone(app.service.directory().sources.values().next().unwrap());
    let start = Timestamp::saturating_from_micros(crate::support::NOW - 100 * DAY);
    let new = NewIncident { start, end: EndTime::At(start), description: "Old".to_owned(), ..NewIncident::default() };
    app.write(move |command| put_past_incident(command, PastIncident { source, new, events: Vec::new() })).await;
    app.service.system().follow_retention().await.unwrap();
    app.clock.advance_micros(3 * DAY);
    let now = app.service.now();
    app.write(move |command| command.set_expiry_clock(now)).await;
    let alice = Visit::of(&app, "alice").await;
    let mut stream = Stream::open(&app, &alice, &lists(&[("closed", "open=false")], &seq(&app)), None).await;
    app.service.system().run_due(TaskKind::Retention, None).await.unwrap();
    let patches = patches_until_quiet(&mut stream).await;
    assert_eq!((&patches["closed"]["gone"], &patches["closed"]["delta"]), (&json!([1]), &json!(-1)));
    let list = app.of(Who::EndUser).get("/api/v2/incidents/?open=false").await.json();
    assert_eq!(list["results"], json!([]));
}

#[tokio::test]
async fn a_wall_display_gets_rows_without_checkboxes() {
    let app = App::new().await;
    let alice = Visit::of(&app, "alice").await;
    let mut stream = Stream::open(&app, &alice, "wall=w~0~open%3Dtrue", None).await;
    app.incident().open().post().await;
    let patch = stream.rows().await;
    assert!(!patch["rows"][0][1].as_str().unwrap().contains("checkbox"));
}

struct Tab {
    query: &'static str,
    seq: String,
    matching: i64,
    rows: BTreeSet<u64>,
}

fn look(query: &'static str, page: &Reply) -> Tab {
    let part = |before: &str| page.text.split(before).nth(1).unwrap().split(['<', '"']).next().unwrap().to_owned();
    let rows = page.text.split("<tr id=\"i").skip(1).map(|row| row.split('"').next().unwrap().parse().unwrap());
    Tab { query, seq: part("data-seq=\""), matching: part("data-matching>").parse().unwrap(), rows: rows.collect() }
}

impl Tab {
    fn take(&mut self, patch: &Value) {
        self.rows.extend(keys(patch));
        for gone in patch["gone"].as_array().unwrap() {
            self.rows.remove(&gone.as_u64().unwrap());
        }
        match patch["matching"].as_i64() {
            Some(matching) => self.matching = matching,
            None => self.matching += patch["delta"].as_i64().unwrap(),
        }
    }
}

/// Numbers that look random.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[tokio::test]
async fn pushed_changes_lead_to_the_same_list_as_a_reload() {
    const VIEWS: [&str; 9] = [
        "open=any",
        "open=true",
        "open=false",
        "acked=true",
        "level=1&level=2",
        "tags=a%3D1",
        "q=link",
        "open=true&ticket=false",
        "open=true&acked=false",
    ];
    let seeds = (1..=5).map(|seed| async move {
        let app = App::new().await;
        let mut dice = Dice(seed);
        let mut alice = Visit::of(&app, "alice").await;
        alice.post("/user/preferences/", &[("page_size", "200")]).await;
        let mut pks = Vec::new();
        change(&app, &mut dice, &mut pks, 20).await;
        let mut tabs = Vec::new();
        for query in VIEWS {
            // Pages that are loaded one after the other know different things.
            change(&app, &mut dice, &mut pks, 3).await;
            tabs.push(look(query, &alice.get(&format!("/incidents/?{query}")).await));
        }
        for _ in 0..6 {
            let mut stream = Stream::open(&app, &alice, &query_of(&tabs), None).await;
            change(&app, &mut dice, &mut pks, 12).await;
            let wait = Duration::from_millis(dice.throw(2) * 500);
            while let Some(pushed) = stream.next(wait).await {
                // A reader that loses the stream has received all of a batch, or receives all of it again.
                if hear(&mut tabs, &pushed, &mut alice).await {
                    break;
                }
            }
            change(&app, &mut dice, &mut pks, 5).await;
        }
        let mut is_behind = true;
        while is_behind {
            is_behind = false;
            let mut stream = Stream::open(&app, &alice, &query_of(&tabs), None).await;
            while let Some(pushed) = stream.next(BY_THE_CLOCK).await {
                is_behind |= hear(&mut tabs, &pushed, &mut alice).await;
                if is_behind {
                    break;
                }
            }
        }
        for tab in tabs {
            let now = look(tab.query, &alice.get(&format!("/incidents/?{}", tab.query)).await);
            assert_eq!((tab.matching, tab.rows), (now.matching, now.rows), "{} with seed {seed}", tab.query);
        }
    });
    futures_util::future::join_all(seeds).await;
}

fn query_of(tabs: &[Tab]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (number, tab) in tabs.iter().enumerate() {
        query.append_pair("list", &format!("{number}~{}~{}", tab.seq, tab.query));
    }
    let least = tabs.iter().map(|tab| known(&tab.seq).0).min().unwrap();
    query.append_pair("seq", &least.to_string()).finish()
}

fn known(text: &str) -> (u64, i64) {
    let (seq, at) = text.split_once('.').unwrap();
    (seq.parse().unwrap(), at.parse().unwrap())
}

/// As the script does; true: a page was loaded again, and joins anew.
async fn hear(tabs: &mut [Tab], pushed: &Pushed, alice: &mut Visit) -> bool {
    let (first, count) = match pushed.name.as_str() {
        "rows" => {
            let patch = pushed.json();
            tabs[patch["list"].as_str().unwrap().parse::<usize>().unwrap()].take(&patch);
            (0, 0)
        }
        "watched" => (pushed.data.parse::<usize>().unwrap(), 1),
        "refresh" => (0, tabs.len()),
        other => panic!("{other}"),
    };
    if let Some((seq, at)) = pushed.id.as_deref().map(known) {
        for tab in tabs.iter_mut().filter(|tab| known(&tab.seq).0 <= seq) {
            tab.seq = format!("{seq}.{}", known(&tab.seq).1.max(at));
        }
    }
    for tab in tabs.iter_mut().skip(first).take(count) {
        *tab = look(tab.query, &alice.get(&format!("/incidents/?{}", tab.query)).await);
    }
    count > 0
}

fn later(app: &App, dice: &mut Dice) -> String {
    let now = argusd::clock::Clock::now(&*app.clock);
    now.saturating_add_micros(dice.throw(60) as i64 * 1_000_000).to_datetime().to_rfc3339()
}

async fn change(app: &App, dice: &mut Dice, pks: &mut Vec<u64>, times: usize) {
    for _ in 0..times {
        let any = if pks.is_empty() { 0 } else { pks[dice.throw(pks.len() as u64) as usize] };
        let api = app.of(Who::EndUser);
        match dice.throw(if pks.is_empty() { 1 } else { 10 }) {
            0 | 1 => {
                let description = ["Link down", "Fan broken"][dice.throw(2) as usize];
                let tag = format!("a={}", dice.throw(3));
                let level = dice.throw(5) + 1;
                let new =
                    json!({"end_time": "infinity", "level": level, "description": description, "tags": [{"tag": tag}]});
                pks.push(app.incident().with(new).post().await);
            }
            2 => drop(event(app, any, "CLO").await),
            3 => drop(event(app, any, "REO").await),
            4 => {
                let ack = json!({"event": {"timestamp": "2026-01-15T12:00:00Z", "description": ""}});
                api.post(&format!("/api/v2/incidents/{any}/acks/"), ack).await;
            }
            // What ends or expires by the clock alone later, and the clock.
            7 => {
                let expiration = later(app, dice);
                let ack = json!({"event": {"timestamp": NOW_TEXT, "description": ""}, "expiration": expiration});
                api.post(&format!("/api/v2/incidents/{any}/acks/"), ack).await;
            }
            8 => pks.push(app.incident().ends(later(app, dice)).level(1).post().await),
            9 => app.clock.advance_micros(dice.throw(40) as i64 * 1_000_000),
            5 => {
                let url = ["", "https://tickets.example/1"][dice.throw(2) as usize];
                api.put(&format!("/api/v2/incidents/{any}/ticket_url/"), json!({"ticket_url": url})).await;
            }
            _ => {
                let tags = json!([{"tag": format!("a={}", dice.throw(3))}]);
                api.patch(&format!("/api/v2/incidents/{any}/"), json!({"tags": tags})).await;
            }
        }
    }
}

#[tokio::test]
async fn missed_changes_are_pushed_after_reconnecting() {
    let app = App::new().await;
    let alice = Visit::of(&app, "alice").await;
    let query = lists(&[("a", "open=true")], &seq(&app));
    let mut stream = Stream::open(&app, &alice, &query, None).await;
    app.incident().open().post().await;
    let pushed = stream.expect().await;
    drop(stream);
    let missed = [app.incident().open().post().await, app.incident().open().post().await];
    let mut stream = Stream::open(&app, &alice, &query, pushed.id.as_deref()).await;
    let patch = stream.rows().await;
    assert_eq!((keys(&patch), &patch["delta"]), (missed.to_vec(), &json!(2)));
    assert!(stream.next(QUIET).await.is_none(), "and only once");
    // A page that knows them does not get them again, although another tab got fewer.
    let query = format!("list=old~1~open%3Dtrue&list=new~{}~open%3Dtrue&seq=1", seq(&app));
    let mut stream = Stream::open(&app, &alice, &query, None).await;
    assert_eq!(stream.rows().await["list"], "old");
    assert!(stream.next(QUIET).await.is_none());
}

#[tokio::test]
async fn a_list_is_reloaded_after_too_many_changes() {
    let app = App::new().await;
    let alice = Visit::of(&app, "alice").await;
    let before = seq(&app);
    let query = lists(&[("a", "open=true")], &before);
    let pks = futures_util::future::join_all((0..300).map(|_| app.incident().open().post())).await;
    let mut stream = Stream::open(&app, &alice, &query, None).await;
    assert_eq!(stream.expect().await.name, "refresh", "too many rows at once");
    close(&app, pks[0]).await;
    assert_eq!(stream.rows().await["gone"], json!([pks[0]]), "and then on");
    drop(stream);
    for number in 0..2_050 {
        event(&app, pks[1], if number % 2 == 0 { "CLO" } else { "REO" }).await;
    }
    let mut stream = Stream::open(&app, &alice, &query, None).await;
    assert_eq!(stream.expect().await.name, "refresh", "what came meanwhile is forgotten");
    close(&app, pks[2]).await;
    assert_eq!(stream.rows().await["gone"], json!([pks[2]]));
}

#[tokio::test]
async fn streams_end_with_the_session() {
    let app = App::new().await;
    let query = lists(&[("a", "open=true")], &seq(&app));
    let mut alice = Visit::of(&app, "alice").await;
    let other = Visit::again(&app, "alice").await;
    let bob = Visit::of(&app, "bob").await;
    let (mut first, mut second) =
        (Stream::open(&app, &alice, &query, None).await, Stream::open(&app, &other, &query, None).await);
    let mut bobs = Stream::open(&app, &bob, &query, None).await;
    alice.post("/user/sessions/end/", &[]).await;
    let pushed = second.expect().await;
    assert_eq!((pushed.name.as_str(), pushed.data.as_str()), ("end", "session"));
    assert!(second.is_over().await);
    assert!(first.next(QUIET).await.is_none(), "one's own goes on");
    alice.post("/accounts/logout/", &[]).await;
    assert_eq!(first.expect().await.name, "end");
    assert!(first.is_over().await);

    let pk = app.incident().open().post().await;
    assert_eq!(keys(&bobs.rows().await), [pk]);
    app.service.people().deactivate(&app.local, app.user_id("bob")).await.unwrap();
    app.incident().open().post().await;
    assert_eq!(bobs.expect().await.name, "end", "not one row more");
    assert!(bobs.is_over().await);
}

#[tokio::test]
async fn streams_end_with_the_server() {
    let app = App::new().await;
    let alice = Visit::of(&app, "alice").await;
    let mut stream = Stream::open(&app, &alice, "", None).await;
    app.service.live().close();
    assert!(stream.is_over().await);
}

#[tokio::test]
async fn the_page_of_an_incident_is_updated_for_events_and_messages() {
    let app = App::new().await;
    let alice = Visit::of(&app, "alice").await;
    let (pk, other) = (app.incident().open().post().await, app.incident().open().post().await);
    let before = seq(&app);
    let query = format!("watch=w~{before}~{pk}&seq={before}");
    let mut stream = Stream::open(&app, &alice, &query, None).await;
    close(&app, other).await;
    assert!(stream.next(QUIET).await.is_none(), "that was about another one");
    event(&app, pk, "OTH").await;
    let pushed = stream.expect().await;
    assert_eq!((pushed.name.as_str(), pushed.data.as_str()), ("watched", "w"));
    let message = |incident| {
        let failed = app.failed_message(incident, 1);
        Arc::new(Message { state: MessageState::Delivered { at: failed.created }, ..failed })
    };
    app.service.live().messages(&[message(other)]);
    assert!(stream.next(QUIET).await.is_none());
    app.service.live().messages(&[message(pk)]);
    assert_eq!(stream.expect().await.name, "watched");
    drop(stream);
    // Sent between the page and its stream.
    let known = seq(&app);
    app.service.live().messages(&[message(pk)]);
    let mut stream = Stream::open(&app, &alice, &format!("watch=w~{known}~{pk}&seq={known}"), None).await;
    assert_eq!(stream.expect().await.name, "watched");
}

#[tokio::test]
async fn the_number_of_streams_of_a_user_is_limited() {
    let app = App::new().await;
    let alice = Visit::of(&app, "alice").await;
    let bob = Visit::of(&app, "bob").await;
    let mut streams = Vec::new();
    for _ in 0..LIVE_STREAMS_PER_USER {
        streams.push(Stream::open(&app, &alice, "", None).await);
    }
    let refused = ask(&app, &alice, "", None).await;
    assert_eq!(refused.status(), 429);
    Stream::open(&app, &bob, "", None).await;
    streams.pop();
    Stream::open(&app, &alice, "", None).await;
}

#[tokio::test]
async fn views_that_show_the_same_get_the_same_and_others_their_own() {
    let app = App::new().await;
    let alice = Visit::of(&app, "alice").await;
    let mut bob = Visit::of(&app, "bob").await;
    bob.post("/user/preferences/", &[("time_zone", "Asia/Tokyo")]).await;
    let known = seq(&app);
    let mut alices = Stream::open(&app, &alice, &lists(&[("a", "open=true")], &known), None).await;
    let mut again = Stream::open(&app, &alice, &lists(&[("\"b", "open=true")], &known), None).await;
    let mut bobs = Stream::open(&app, &bob, &lists(&[("c", "open=true")], &known), None).await;
    app.incident().open().post().await;
    let (mut first, mut second, third) = (alices.rows().await, again.rows().await, bobs.rows().await);
    assert_eq!((first["list"].take(), second["list"].take()), (json!("a"), json!("\"b")));
    assert_eq!(first, second);
    assert_ne!(first["rows"], third["rows"], "times are shown in their own zone");
}

#[tokio::test]
async fn a_list_is_reloaded_if_its_changes_are_too_large() {
    let app = App::new().await;
    let alice = Visit::of(&app, "alice").await;
    let mut stream = Stream::open(&app, &alice, &lists(&[("a", "open=true")], &seq(&app)), None).await;
    let description = "x".repeat(LIVE_PUSH_BYTES / 10);
    let long = || app.incident().open().description(description.as_str()).post();
    futures_util::future::join_all((0..10).map(|_| long())).await;
    let mut names = Vec::new();
    for pushed in stream.until_quiet(QUIET).await {
        assert!(pushed.data.len() < 2 * LIVE_PUSH_BYTES);
        names.push(pushed.name);
    }
    assert!(names.contains(&"refresh".to_owned()), "{names:?}");
}

#[tokio::test]
async fn a_stream_without_changes_of_its_own_gets_signs_of_life() {
    let app = App::new().await;
    let alice = Visit::of(&app, "alice").await;
    let pk = app.incident().open().level(3).post().await;
    let mut stream = Stream::open(&app, &alice, &lists(&[("a", "level=1")], &seq(&app)), None).await;
    let until = Instant::now() + LIVE_ALIVE + PATIENCE;
    let pushed = loop {
        assert!(Instant::now() < until, "no sign of life");
        event(&app, pk, "OTH").await;
        if let Some(pushed) = stream.next(QUIET).await {
            break pushed;
        }
    };
    assert_eq!(pushed.name, "alive");
}

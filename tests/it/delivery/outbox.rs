//! What was promised is delivered: through kills, through a mail server that is down, past recipients that hang.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use argusd::{
    clock::Clock,
    domain::attempt::AttemptOutcome,
    jobs::FaultWatch,
    notify::{Channels, Dispatcher, Health, Outgoing, Transcript, Transport},
};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::support::{
    App, MINUTE, Who,
    daemon::{Client, Daemon, Site, incident},
    eventually::eventually,
    outbox::mail_at,
    sinks::{HttpSink, Mood, Reply, SmtpSink, Step},
};

const PEOPLE: [&str; 3] = ["ann", "ben", "cho"];
const BURST: usize = 40;

/// A site whose mail goes to a sink, with people who want to know everything.
struct MailSite {
    site: Site,
    sink: SmtpSink,
    source: String,
    admin: String,
}

impl MailSite {
    fn new(people: &[&str]) -> Self {
        let (site, sink) = (Site::new(), SmtpSink::start());
        let source = site.source("tester");
        let admin = site.ok(&["token", "create", "admin"]);
        let setup = Self { site, sink, source, admin };
        let tokens: Vec<String> = people
            .iter()
            .map(|name| {
                setup.site.ok(&["user", "create", name, "--email", &format!("{name}@example.org")]);
                setup.site.ok(&["token", "create", name])
            })
            .collect();
        let daemon = setup.start();
        for token in &tokens {
            subscribe(&mut daemon.client().with_token(token));
        }
        daemon.stop();
        setup
    }

    fn start(&self) -> Daemon {
        let mut command = self.site.command(&["serve", "--listen", "127.0.0.1:0"]);
        command
            .env("EMAIL_HOST", "127.0.0.1")
            .env("EMAIL_PORT", self.sink.port.to_string())
            .env("DEFAULT_FROM_EMAIL", "argus@example.org")
            .env("ARGUSD_MAIL_TIMEOUT_SECONDS", "2")
            .env("ARGUSD_STORM_LIMIT", "0");
        Daemon::start(command)
    }

    fn post(&self, daemon: &Daemon, id: &str) -> u64 {
        daemon.client().with_token(&self.source).incident().with(incident(id)).post()
    }

    /// By recipient: state and what the server said.
    fn messages(&self, daemon: &Daemon, incident: u64) -> BTreeMap<String, (String, String, u64)> {
        let mut client = daemon.client().with_token(&self.admin);
        let list = client.get(&format!("/argusd/v1/incidents/{incident}/notifications/")).json();
        let message = |it: &Value| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let user = text(&it["user"]);
            (user, (text(&it["state"]), text(&it["answer"]), it["attempts"].as_u64().unwrap()))
        };
        list.as_array().unwrap().iter().map(message).collect()
    }
}

/// All levels, at all times, by mail.
fn subscribe(client: &mut Client) {
    let filter = client.filter("all").everything().post();
    let timeslot = client.timeslot("always").post();
    client.profile().timeslot(timeslot).filter(filter).post();
}

/// `ARGUSD_TEST_KILL_ROUNDS=20` for more.
#[expect(clippy::disallowed_methods, reason = "it says how long the test takes, nothing else")]
fn rounds() -> usize {
    std::env::var("ARGUSD_TEST_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3)
}

#[test]
fn queued_messages_survive_a_kill() {
    let setup = MailSite::new(&PEOPLE);
    setup.sink.set(Mood::Delay(Step::Content, Duration::from_millis(3)));
    let mut incidents = Vec::new();
    for round in 0..rounds() {
        let before = setup.sink.mails().len();
        let daemon = setup.start();
        for serial in 0..BURST {
            incidents.push(setup.post(&daemon, &format!("{round}-{serial}")));
        }
        let enough = before + (round * 37) % (BURST * PEOPLE.len() / 2);
        eventually("some mails", || setup.sink.mails().len() > enough);
        daemon.kill();
    }
    let daemon = setup.start();
    let mut admin = daemon.client().with_token(&setup.admin);
    eventually("nothing is due", || admin.get("/argusd/v1/deliveries/?state=due").json()["results"] == json!([]));
    for incident in &incidents {
        let messages = setup.messages(&daemon, *incident);
        assert_eq!(messages.keys().map(String::as_str).collect::<Vec<_>>(), PEOPLE);
        assert!(messages.values().all(|(state, ..)| state == "delivered"), "{messages:?}");
    }
    daemon.stop();
    let mails = setup.sink.mails();
    let mut by_id: BTreeMap<String, Vec<(Vec<String>, String)>> = BTreeMap::new();
    for mail in &mails {
        by_id.entry(mail.header("Message-ID")).or_default().push((mail.to.clone(), mail.header("Subject")));
    }
    assert_eq!(by_id.len(), incidents.len() * PEOPLE.len());
    for (id, copies) in &by_id {
        assert!(copies.iter().all(|copy| *copy == copies[0]), "{id} is not one message: {copies:?}");
    }
    let in_flight_at_most = rounds() * PEOPLE.len() * argusd::domain::limits::DESTINATION_WINDOW;
    assert!(mails.len() - by_id.len() <= in_flight_at_most, "{} repeats", mails.len() - by_id.len());
    assert_eq!(setup.site.ok(&["check"]), "all is well");
}

#[test]
fn misbehaving_recipients_delay_nobody_and_are_visible() {
    let people = ["busy", "drop", "full", "gone", "good", "hang", "late"];
    let setup = MailSite::new(&people);
    setup.sink.set_for("busy@example.org", Mood::Answer(Step::Recipient, "451 try again later"));
    setup.sink.set_for("gone@example.org", Mood::Answer(Step::Recipient, "550 no such user"));
    setup.sink.set_for("full@example.org", Mood::Answer(Step::Content, "552 larger than I said I would take"));
    setup.sink.set_for("drop@example.org", Mood::DropInData);
    setup.sink.set_for("hang@example.org", Mood::Hang(Step::Content));
    setup.sink.set_for("late@example.org", Mood::Delay(Step::Recipient, Duration::from_millis(800)));
    let daemon = setup.start();
    let incidents: Vec<u64> = (0..20).map(|serial| setup.post(&daemon, &format!("x-{serial}"))).collect();
    let arrived = |name: &str| {
        let address = format!("{name}@example.org");
        setup.sink.mails().iter().filter(|mail| mail.to == [address.as_str()]).count()
    };
    assert!(arrived("late") < incidents.len(), "requests do not wait for deliveries");
    eventually("all of one recipient's mails", || arrived("good") >= incidents.len());
    assert!(arrived("late") < incidents.len(), "one recipient does not wait for another one");

    let first = || setup.messages(&daemon, incidents[0]);
    eventually("each has an outcome", || first().values().all(|(_, answer, _)| !answer.is_empty()));
    let messages = first();
    let state = |name: &str| messages[name].0.as_str();
    let answer = |name: &str| messages[name].1.as_str();
    assert_eq!(["good", "late", "gone", "full"].map(state), ["delivered", "delivered", "dead", "dead"]);
    assert_eq!(["busy", "drop", "hang"].map(state), ["due"; 3]);
    assert!(answer("gone").contains("550 no such user"), "{messages:?}");
    assert!(answer("full").contains("552 larger"), "{messages:?}");
    assert!(answer("busy").contains("451 try again"), "{messages:?}");
    assert!(["drop", "hang"].iter().all(|name| messages[*name].2 >= 1), "{messages:?}");

    // Given up, and sent again by hand once the mailbox is there.
    setup.sink.set_for("gone@example.org", Mood::Accept);
    let mut admin = daemon.client().with_token(&setup.admin);
    let dead = admin.get("/argusd/v1/deliveries/?state=dead&page_size=1000").json();
    let of_gone: Vec<u64> = dead["results"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["user"] == "gone")
        .map(|it| it["pk"].as_u64().unwrap())
        .collect();
    let again = admin.send("POST", &format!("/argusd/v1/deliveries/{}/retry/", of_gone[0]), "").unwrap();
    assert_eq!(again.status, 200, "{}", again.body);
    eventually("it arrives", || setup.sink.mails().iter().any(|mail| mail.to == ["gone@example.org"]));
    daemon.stop();
}

/// Hands over to the channels and counts.
struct Counting {
    channels: Channels,
    attempts: AtomicUsize,
}

impl Transport for Counting {
    fn carry<'a>(&'a self, message: &'a Outgoing, transcript: &'a mut Transcript) -> BoxFuture<'a, AttemptOutcome> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        self.channels.carry(message, transcript)
    }
}

/// An address of this host on which nobody listens.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_is_down_for_an_hour_loses_nothing() {
    let app = App::new().await;
    let port = free_port();
    let carrier = Arc::new(Counting { channels: app.channels(mail_at(port)), attempts: AtomicUsize::new(0) });
    let health = Arc::new(Health::default());
    let mut dispatcher = app.dispatcher(Arc::clone(&carrier) as _, &health, 24 * 60 * MINUTE);
    let watch = FaultWatch::new(app.service.clone(), Arc::clone(&health));
    for who in [Who::EndUser, Who::Staff] {
        wants_everything(&app, who).await;
    }

    let start = app.clock.now();
    let own = |open: bool| format!("/api/v2/incidents/?tags=problem_type=mail_server&open={open}");
    let raised =
        async |open: bool| app.of(Who::Staff).get(&own(open)).await.json()["results"].as_array().unwrap().len();
    let (mut pks, mut opened_after) = (Vec::new(), None);
    for minute in 0..60 {
        if minute < 30 {
            let pk = app.incident().description(format!("incident {minute}")).post().await;
            pks.push(pk);
        }
        let other = json!({"type": "OTH", "timestamp": "2026-01-15T12:30:00Z", "description": format!("at {minute}")});
        let path = format!("/api/v2/incidents/{}/events/", pks[minute % pks.len()]);
        assert_eq!(app.of(Who::Source).post(&path, other).await.status, 201);
        let until = start.saturating_add_micros((minute as i64 + 1) * MINUTE);
        while let Some(next) = dispatcher.work_off().await.filter(|next| *next < until) {
            assert!(next > app.clock.now(), "a busy loop");
            app.clock.set(next);
        }
        app.clock.set(until);
        look(&watch).await;
        if opened_after.is_none() && raised(true).await == 1 {
            opened_after = Some(minute + 1);
        }
    }
    assert!((15..=17).contains(&opened_after.unwrap()), "opened after {opened_after:?} minutes");
    let attempts = carrier.attempts.load(Ordering::SeqCst);
    assert!((20..200).contains(&attempts), "{attempts} attempts in an hour, for two destinations");

    let sink = SmtpSink::start_on(port);
    while let Some(next) = dispatcher.work_off().await {
        app.clock.set(next);
    }
    look(&watch).await;
    assert_eq!((raised(true).await, raised(false).await), (0, 1), "the incident of the server itself ends");

    let snapshot = app.service.store().snapshot().unwrap();
    let mut due = 0;
    snapshot.for_each_due_message(&mut |_| due += 1).unwrap();
    assert_eq!(due, 0);
    let mails = sink.mails();
    let ids: BTreeSet<String> = mails.iter().map(|mail| mail.header("Message-ID")).collect();
    assert_eq!((mails.len(), ids.len()), (2 * 90, 2 * 90), "thirty incidents, sixty more events, two people");
    let mut last: BTreeMap<(String, String), u64> = BTreeMap::new();
    for mail in &mails {
        let number = |id: &str| id[2..].split('.').next().unwrap().parse::<u64>().unwrap();
        let (id, thread) = (number(&mail.header("Message-ID")), mail.header("References"));
        let before = last.insert((mail.to[0].clone(), thread), id);
        assert!(before.is_none_or(|before| before < id), "out of order: {id} after {before:?}");
    }
}

/// By which the clock is set, in minutes.
const CLOCK_STEPS: [i64; 8] = [-30 * 1_440, -1_440, -60, -1, 1, 60, 1_440, 30 * 1_440];

/// By the clock that cannot be set, until all these mails have left.
async fn waited_for(app: &App, dispatcher: &mut Dispatcher, sink: &SmtpSink, mails: usize) -> i64 {
    let begin = app.clock.moment();
    while sink.mails().len() < mails {
        let next = dispatcher.work_off().await;
        if sink.mails().len() >= mails {
            break;
        }
        app.clock.set(next.expect("something is due"));
    }
    app.clock.moment().micros_since(begin)
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_the_clock_delays_no_message() {
    let app = App::new().await;
    let sink = SmtpSink::start();
    let carrier: Arc<dyn Transport> = Arc::new(app.channels(mail_at(sink.port)));
    let start = || app.dispatcher(Arc::clone(&carrier), &Arc::default(), 24 * 60 * MINUTE);
    wants_everything(&app, Who::EndUser).await;
    let mut dispatcher = start();
    let incident = async |name: String| app.incident().description(name).post().await;
    for (number, minutes) in CLOCK_STEPS.into_iter().enumerate() {
        for between_runs in [false, true] {
            let before = sink.mails().len();
            sink.set(Mood::Answer(Step::Recipient, "451 try again later"));
            incident(format!("first {number} {between_runs}")).await;
            dispatcher.work_off().await;
            app.clock.jump_micros(minutes * MINUTE);
            if between_runs {
                dispatcher = start();
            }
            sink.set(Mood::Accept);
            incident(format!("second {number} {between_runs}")).await;
            let waited = waited_for(&app, &mut dispatcher, &sink, before + 2).await;
            // The first retry comes after ten seconds, more or less a fifth; after a start the lane is free.
            assert!(waited <= 12 * 1_000_000, "by {minutes} minutes, between runs: {between_runs}: {waited} µs");
        }
    }
}

/// A mail server that was down for a moment is not one that has been down for an hour.
#[tokio::test(flavor = "multi_thread")]
async fn setting_the_clock_neither_opens_nor_hides_an_incident_about_the_mail_server() {
    let app = App::new().await;
    let health = Arc::new(Health::default());
    let watch = FaultWatch::new(app.service.clone(), Arc::clone(&health));
    let open = async || {
        let list = app.of(Who::Staff).get("/api/v2/incidents/?tags=problem_type=mail_server&open=true").await.json();
        list["results"].as_array().unwrap().len()
    };
    health.note("email", false, app.clock.both());
    for minutes in CLOCK_STEPS {
        app.clock.jump_micros(minutes * MINUTE);
        look(&watch).await;
        assert_eq!(open().await, 0, "by {minutes} minutes");
    }
    app.clock.jump_micros(-60 * MINUTE);
    app.clock.advance_micros(15 * MINUTE);
    look(&watch).await;
    assert_eq!(open().await, 1);
}

/// Whoever drops repeats by their id must not lose the message that was given an id again.
#[test]
fn messages_with_the_same_number_have_different_ids() {
    let setup = MailSite::new(&["ann"]);
    let copy = setup.site.path("copy.redb");
    std::fs::copy(setup.site.data(), &copy).unwrap();
    let notify = |id: &str, start: &str| {
        let daemon = setup.start();
        daemon.client().with_token(&setup.source).incident().with(incident(id)).starts(start).post();
        eventually("nothing is due", || {
            let mut admin = daemon.client().with_token(&setup.admin);
            admin.get("/argusd/v1/deliveries/?state=due").json()["results"] == json!([])
        });
        daemon.stop();
        let mail = setup.sink.mails().pop().unwrap();
        (mail.header("Message-ID"), mail.header("References"))
    };
    let first = notify("disk full", "2026-01-02T03:04:05Z");
    std::fs::copy(&copy, setup.site.data()).unwrap();
    let second = notify("reactor on fire", "2026-01-02T03:09:11Z");
    let number = |id: &str| id.split('.').next().unwrap().to_owned();
    assert_eq!(number(&first.0), number(&second.0), "else this tests nothing");
    assert_ne!(first.0, second.0);
    assert_ne!(first.1, second.1, "the mails of another incident are another thread");
}

/// What an address that only the server can reach answers is not for everybody.
#[test]
fn answers_of_private_addresses_are_shown_to_administrators_only() {
    let setup = MailSite::new(&["ann"]);
    let inside = HttpSink::start();
    inside.set(Reply::Status(200, "SECRETANS"));
    let ann = setup.site.ok(&["token", "create", "ann"]);
    let daemon = setup.start();
    let test = |token: &str| {
        let mut client = daemon.client().with_token(token);
        let destination = client.destination("ntfy", "destination_url", &inside.url("/topic")).post();
        let path = format!("/argusd/v1/destinations/{destination}/test/");
        (destination, client.post(&path, &json!({})).json())
    };
    let (destination, test_of_ann) = test(&ann);
    assert_eq!((&test_of_ann["outcome"], &test_of_ann["answer"]), (&json!("sent"), &json!("200 OK")));
    assert!(!test_of_ann.to_string().contains("SECRETANS"), "{test_of_ann}");
    assert_eq!(test(&setup.admin).1["answer"], "200 OK SECRETANS");

    // The same for what is kept of a delivery.
    let mut client = daemon.client().with_token(&ann);
    let profile = client.get("/api/v2/notificationprofiles/").json()[0].clone();
    let pks = |field: &str| {
        let pks: Vec<Value> = profile[field].as_array().unwrap().iter().map(|it| it["pk"].clone()).collect();
        pks
    };
    let change =
        json!({"timeslot": profile["timeslot"]["pk"], "filters": pks("filters"), "destinations": [destination]});
    let changed =
        client.send("PATCH", &format!("/api/v2/notificationprofiles/{}/", profile["pk"]), &change.to_string());
    assert_eq!(changed.unwrap().status, 200);
    let incident = setup.post(&daemon, "told over ntfy");
    let answer = |token: &str| {
        let path = format!("/argusd/v1/incidents/{incident}/notifications/");
        daemon.client().with_token(token).get(&path).json()[0]["answer"].clone()
    };
    eventually("it is delivered", || answer(&ann) == "200 OK");
    assert_eq!(answer(&setup.admin), "200 OK SECRETANS");
    daemon.stop();
}

async fn look(watch: &FaultWatch) {
    for (_, settled) in watch.round().await {
        settled.unwrap();
    }
}

async fn wants_everything(app: &App, who: Who) {
    let client = app.of(who);
    let filter = client.filter("all").everything().post().await;
    client.profile().filter(filter).post().await;
}

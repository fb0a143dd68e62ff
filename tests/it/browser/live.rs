//! What open pages do when their stream falls silent, when rows leave, and when incidents change by the clock alone.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::json;

use super::{
    harness::{with_browser, with_two},
    list::{Elsewhere, LIST, inside, is, live, rows},
    session::{Browser, Look},
};
use crate::support::{
    PASSWORD,
    eventually::{PATIENCE, eventually_within},
};

/// Between browser and server. What it drops, it drops silently: the connections stay open and nothing comes any more.
struct Proxy {
    address: String,
    inner: Arc<Inner>,
}

struct Inner {
    upstream: Mutex<String>,
    /// Even: bytes are forwarded. A connection dies silently when this changes.
    cuts: AtomicUsize,
    /// Each with whether an event stream was asked for over it.
    clients: Mutex<Vec<(TcpStream, Arc<AtomicBool>)>>,
}

impl Proxy {
    fn new(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let inner = Arc::new(Inner {
            upstream: Mutex::new(upstream.to_owned()),
            cuts: AtomicUsize::new(0),
            clients: Mutex::default(),
        });
        let shared = Arc::clone(&inner);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let inner = Arc::clone(&shared);
                thread::spawn(move || inner.serve(&client));
            }
        });
        Self { address, inner }
    }

    fn cut(&self) {
        self.inner.cuts.fetch_add(1, Ordering::SeqCst);
    }

    /// New connections work again. Those that were cut end, but for event streams, which stay silent.
    fn restore(&self) {
        self.inner.cuts.fetch_add(1, Ordering::SeqCst);
        for (client, is_stream) in self.inner.clients.lock().unwrap().drain(..) {
            if !is_stream.load(Ordering::SeqCst) {
                drop(client.shutdown(Shutdown::Both));
            }
        }
    }

    async fn goto(&self, browser: &Browser, path: &str) {
        browser.driver.goto(format!("http://{}{path}", self.address)).await.unwrap();
    }
}

impl Inner {
    fn serve(&self, client: &TcpStream) {
        let born = self.cuts.load(Ordering::SeqCst);
        let is_cut = || born % 2 == 1 || self.cuts.load(Ordering::SeqCst) != born;
        let is_stream = Arc::new(AtomicBool::new(false));
        self.clients.lock().unwrap().push((client.try_clone().unwrap(), Arc::clone(&is_stream)));
        let upstream = self.upstream.lock().unwrap().clone();
        // Nothing listens: the client hears so.
        let Ok(server) = TcpStream::connect(upstream) else { return };
        thread::scope(|scope| {
            scope.spawn(|| forward(client, &server, is_cut, &is_stream));
            forward(&server, client, is_cut, &AtomicBool::new(false));
        });
    }
}

fn forward(mut from: &TcpStream, mut to: &TcpStream, is_cut: impl Fn() -> bool, is_stream: &AtomicBool) {
    let mut buffer = [0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if buffer.starts_with(b"GET /live/") {
            is_stream.store(true, Ordering::SeqCst);
        }
        if !is_cut() && to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    if !is_cut() {
        drop((to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both)));
    }
}

const BAR: &str = "document.querySelector('#stale').textContent";

/// The page has joined with a longest silence just above the time between two signs of life.
async fn impatient(browser: &Browser) {
    let script = "document.documentElement.dataset.liveSilence = '17000';
        document.dispatchEvent(new Event('htmx:after:swap'))";
    browser.run(script).await;
    live(browser).await;
}

async fn bar_says_so(browser: &Browser) {
    browser
        .eventually("the bar says so", async || is(browser, &format!("{BAR}.startsWith('No updates since ')")).await)
        .await;
    browser.eventually_shows("#stale").await;
    assert!(!is(browser, "document.querySelector('[data-live-state].on')").await, "and nothing is green");
}

async fn bar_is_gone(browser: &Browser) {
    // The script tries again at growing intervals.
    eventually_within(3 * PATIENCE, "the bar is gone", async || is(browser, &format!("{BAR} === ''")).await).await;
}

async fn title(browser: &Browser, text: &str) {
    browser.eventually(text, async || browser.driver.title().await.unwrap() == format!("{text} · argusd")).await;
}

fn close(elsewhere: &mut Elsewhere, pks: &[u64]) {
    let event = json!({"timestamp": chrono::Utc::now().to_rfc3339(), "type": "CLO", "description": ""});
    let body = json!({"ids": pks, "event": event});
    let reply = elsewhere.user.post("/api/v2/incidents/events/bulk/", &body);
    assert_eq!(reply.status, 201, "{}", reply.body);
}

fn in_seconds(seconds: i64) -> String {
    (chrono::Utc::now() + chrono::Duration::seconds(seconds)).to_rfc3339()
}

/// An incident that started so many seconds ago.
fn incident(elsewhere: &mut Elsewhere, age: i64, end: &str) -> u64 {
    elsewhere.source.incident().starts(in_seconds(-age)).ends(end).description("By the clock").post()
}

fn acknowledge(elsewhere: &mut Elsewhere, pk: u64, seconds: i64) {
    let now = chrono::Utc::now().to_rfc3339();
    let ack = json!({"event": {"timestamp": now, "description": ""}, "expiration": in_seconds(seconds)});
    assert_eq!(elsewhere.user.post(&format!("/api/v2/incidents/{pk}/acks/"), &ack).status, 201);
}

#[test]
fn a_silently_dropped_stream_is_noticed_and_reopened() {
    with_browser("live-dropped", Look::DEFAULT, async |browser| {
        let proxy = Proxy::new(&browser.server.daemon.address);
        let mut elsewhere = Elsewhere::new(&browser.server);
        let seen = elsewhere.incident("Seen");
        browser.log_in("admin", PASSWORD).await;
        proxy.goto(browser, LIST).await;
        live(browser).await;
        impatient(browser).await;
        browser.run("window.stayed = true").await;
        // Longer than the longest silence: signs of life come through.
        tokio::time::sleep(Duration::from_secs(25)).await;
        assert!(is(browser, "document.querySelector('[data-live-state].on')").await);
        proxy.cut();
        let pk = elsewhere.incident("Unseen");
        bar_says_so(browser).await;
        browser.picture("live-dropped").await;
        browser.axe().await;
        proxy.restore();
        bar_is_gone(browser).await;
        live(browser).await;
        browser.eventually("the row is there", async || rows(browser).await == [pk, seen]).await;
        assert!(is(browser, "window.stayed").await);
    });
}

#[test]
fn wall_displays_and_incident_pages_reconnect_at_once_after_a_suspend() {
    with_browser("live-woken", Look::DEFAULT, async |browser| {
        let proxy = Proxy::new(&browser.server.daemon.address);
        let mut elsewhere = Elsewhere::new(&browser.server);
        let pk = elsewhere.incident("Watched");
        browser.log_in("admin", PASSWORD).await;
        proxy.goto(browser, "/incidents/kiosk/?open=true").await;
        live(browser).await;
        proxy.cut();
        let new = elsewhere.incident("Unseen");
        browser.run("dispatchEvent(new Event('online'))").await;
        bar_says_so(browser).await;
        let colours = "const of = (name) => getComputedStyle(document.querySelector('#stale'))[name];
            const red = document.createElement('i'); red.style.color = 'var(--bad)'; document.body.append(red);
            const is = of('backgroundColor') === getComputedStyle(red).color; red.remove(); return is";
        assert_eq!(browser.run(colours).await, true, "red on a wall");
        browser.picture("live-wall-stale").await;
        browser.axe().await;
        proxy.restore();
        bar_is_gone(browser).await;
        browser.eventually("the row is there", async || rows(browser).await == [new, pk]).await;

        proxy.goto(browser, &format!("/incidents/{pk}/")).await;
        browser.settled().await;
        proxy.cut();
        browser.run("dispatchEvent(new Event('online'))").await;
        browser
            .eventually("the bar says so", async || {
                is(browser, &format!("{BAR}.startsWith('No updates since ')")).await
            })
            .await;
        elsewhere.acknowledge(pk);
        proxy.restore();
        bar_is_gone(browser).await;
        browser.eventually_shows(".states .acked").await;
    });
}

#[test]
fn a_frozen_server_is_shown_as_not_live() {
    with_browser("live-stopped", Look::DEFAULT, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        elsewhere.incidents(2);
        inside(browser, LIST).await;
        browser.server.daemon.signal("STOP");
        browser.run("dispatchEvent(new Event('online'))").await;
        bar_says_so(browser).await;
        browser.run("document.querySelector('#filters [name=level][value=\"1\"]').click()").await;
        let line = "getComputedStyle(document.documentElement, '::before').height === '3px'";
        browser.eventually("something says that it is under way", async || is(browser, line).await).await;
        browser.server.daemon.signal("CONT");
        browser.eventually("filtered", async || browser.path().await.contains("level=1")).await;
        bar_is_gone(browser).await;
        live(browser).await;
        assert!(rows(browser).await.is_empty());
        browser.eventually("the line is gone", async || !is(browser, line).await).await;
    });
}

#[test]
fn a_page_continues_without_a_reload_after_a_restart() {
    with_browser("live-restarted", Look::DEFAULT, async |browser| {
        for part in ["ERR_", "htmx"] {
            browser.expect_in_console(part);
        }
        let proxy = Proxy::new(&browser.server.daemon.address);
        let mut elsewhere = Elsewhere::new(&browser.server);
        let pks = elsewhere.incidents(2);
        let token = elsewhere.source.token.clone().unwrap();
        browser.log_in("admin", PASSWORD).await;
        proxy.goto(browser, LIST).await;
        live(browser).await;
        browser.run("window.stayed = true").await;
        browser.server.daemon.signal("TERM");
        bar_says_so(browser).await;
        browser
            .eventually("stopped", async || {
                crate::support::daemon::Client::try_connect(&browser.server.daemon.address).is_err()
            })
            .await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let daemon = browser.server.site.start();
        daemon.address.clone_into(&mut proxy.inner.upstream.lock().unwrap());
        bar_is_gone(browser).await;
        live(browser).await;
        elsewhere.source = daemon.client().with_token(&token);
        let new = elsewhere.incident("After the restart");
        browser.eventually("the row is there", async || rows(browser).await == [new, pks[1], pks[0]]).await;
        assert!(is(browser, "window.stayed").await);
    });
}

#[test]
fn a_page_that_loses_rows_fills_up_and_keeps_what_is_selected() {
    with_browser("live-fill", Look::DEFAULT, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        let pks = elsewhere.incidents(80);
        browser.log_in("admin", PASSWORD).await;
        browser.goto(LIST).await;
        let change = "const pick = document.querySelector('[name=page_size]'); pick.value = '25';
            pick.dispatchEvent(new Event('change', {bubbles: true}))";
        browser.run(change).await;
        browser.eventually("25 rows", async || rows(browser).await.len() == 25).await;
        live(browser).await;
        // Selected, and the focus is in a row that stays.
        browser.click(&format!("#i{} input[name=pk]", pks[79])).await;
        let link = format!("#i{} .c-description a", pks[78]);
        browser.run(&format!("document.querySelector('{link}').focus()")).await;
        let gone: Vec<u64> = pks[55..78].to_vec();
        close(&mut elsewhere, &gone);
        browser.eventually("counted", async || browser.texts("[data-matching]").await == ["57"]).await;
        browser.eventually("filled up", async || rows(browser).await.len() == 25).await;
        assert!(is(browser, &format!("document.activeElement.matches('{link}')")).await);
        assert_eq!(browser.texts("[data-selected]").await, ["1 selected"]);
        assert!(is(browser, &format!("document.querySelector('#i{} input[name=pk]').checked", pks[79])).await);
        // A wall, too.
        browser.goto("/incidents/kiosk/?open=true").await;
        live(browser).await;
        close(&mut elsewhere, &[&pks[..55], &pks[78..]].concat());
        browser.eventually_shows(".empty").await;
    });
}

#[test]
fn all_counts_on_a_page_agree() {
    with_browser("live-number", Look::DEFAULT, async |browser| {
        let mut elsewhere = Elsewhere::new(&browser.server);
        inside(browser, LIST).await;
        browser.eventually_shows(".first-steps").await;
        title(browser, "0 open incidents").await;
        let mut pks = vec![elsewhere.incident("The first")];
        browser
            .eventually("the first steps are done", async || {
                is(browser, "!document.querySelector('.first-steps, .empty')").await
            })
            .await;
        browser
            .eventually("there is a bar for what is selected", async || {
                is(browser, "document.querySelector('#bulk-bar')").await
            })
            .await;
        live(browser).await;
        let numbers = "return ['[data-matching]', '[data-all-count]', '[data-facet=open]'].map((it) => document.querySelector(it).textContent).join()";
        for count in 1..=4 {
            title(browser, &format!("{count} open incident{}", if count == 1 { "" } else { "s" })).await;
            assert_eq!(browser.run(numbers).await, format!("{count},{count},{count}"));
            pks.push(elsewhere.incident("One more"));
        }
        title(browser, "5 open incidents").await;
        close(&mut elsewhere, &pks[1..]);
        title(browser, "1 open incident").await;
        assert_eq!(browser.run(numbers).await, "1,1,1");
        close(&mut elsewhere, &pks[..1]);
        browser.eventually_shows(".empty").await;
        title(browser, "0 open incidents").await;
    });
}

#[test]
fn lists_and_wall_displays_follow_expiring_acknowledgements_and_ends() {
    with_two("live-clock-lists", Look::DEFAULT, async |first, second| {
        let mut elsewhere = Elsewhere::new(&first.server);
        let pk = elsewhere.incident("Back again");
        inside(first, "/incidents/kiosk/?open=true&acked=false").await;
        inside(second, LIST).await;
        acknowledge(&mut elsewhere, pk, 6);
        first.eventually("off the wall", async || rows(first).await.is_empty()).await;
        second.eventually_shows(&format!("#i{pk} .badge.acked")).await;
        first.eventually("back on the wall", async || rows(first).await == [pk]).await;
        let badge = format!("!document.querySelector('#i{pk} .badge.acked')");
        second.eventually("not acknowledged any more", async || is(second, &badge).await).await;

        // What the view never showed, and what it shows.
        second.goto("/incidents/?open=false").await;
        live(second).await;
        let ends = incident(&mut elsewhere, 0, &in_seconds(6));
        first.eventually("on the wall", async || rows(first).await == [ends, pk]).await;
        second.eventually("it has ended", async || rows(second).await == [ends]).await;
        first.eventually("off the wall", async || rows(first).await == [pk]).await;
        assert_eq!(second.texts("[data-matching]").await, ["1"]);
        assert_eq!(first.texts("[data-matching]").await, ["1"]);
    });
}

#[test]
fn incident_pages_follow_expiring_acknowledgements_and_ends() {
    with_two("live-clock-pages", Look::DEFAULT, async |first, second| {
        let mut elsewhere = Elsewhere::new(&first.server);
        for browser in [first, second] {
            browser.log_in("admin", PASSWORD).await;
        }
        let acked = elsewhere.incident("For a while");
        let ends = incident(&mut elsewhere, 0, &in_seconds(14));
        first.goto(&format!("/incidents/{acked}/")).await;
        first.settled().await;
        second.goto(&format!("/incidents/{ends}/")).await;
        second.eventually_shows(".states .open").await;
        acknowledge(&mut elsewhere, acked, 6);
        first.eventually_shows(".states .acked").await;
        first.eventually("expired", async || is(first, "!document.querySelector('.states .acked')").await).await;
        second.eventually_shows(".states .closed").await;
    });
}

#[test]
fn time_frames_and_durations_follow_the_clock() {
    with_two("live-clock-frames", Look::DEFAULT, async |first, second| {
        let mut elsewhere = Elsewhere::new(&first.server);
        let young = incident(&mut elsewhere, 48, "infinity");
        inside(first, "/incidents/?open=true&longer=1").await;
        assert!(rows(first).await.is_empty());
        let old = incident(&mut elsewhere, 3_585, "infinity");
        inside(second, "/incidents/?open=true&frame=1h").await;
        assert!(rows(second).await.contains(&old));
        first.eventually("long enough", async || rows(first).await.contains(&young)).await;
        second.eventually("too long ago", async || !rows(second).await.contains(&old)).await;
    });
}

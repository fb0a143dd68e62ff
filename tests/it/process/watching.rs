//! What monitoring systems ask the real program: metrics, liveness, readiness; and the pings that it sends itself.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::json;

use crate::support::{
    daemon::{Answer, Client, Daemon, Site, incident},
    eventually::eventually,
    sinks::{HttpSink, Reply},
};

/// Sends a GET with these headers, on a connection of its own.
fn get(daemon: &Daemon, path: &str, headers: &[(&str, &str)]) -> Answer {
    request(&mut daemon.client(), "GET", path, headers)
}

fn request(client: &mut Client, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    client.write(format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes()).unwrap();
    client.read().unwrap()
}

fn header(answer: &Answer, name: &str) -> Option<String> {
    let line = answer.head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The value of a metric, with its labels as they are written.
fn value(metrics: &str, name: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in {metrics}")).parse().unwrap()
}

#[test]
fn metrics_are_for_this_host_and_for_tokens_with_the_right() {
    let site = Site::new();
    site.ok(&["user", "create", "prometheus"]);
    let token = site.ok(&["token", "create", "prometheus"]);
    let daemon = site.start();
    let local = get(&daemon, "/metrics", &[]);
    assert_eq!(local.status, 200, "{}", local.body);
    assert_eq!(header(&local, "content-type").unwrap(), "text/plain; version=0.0.4; charset=utf-8");
    assert!(local.body.contains("# TYPE argusd_incidents_created_total counter\n"), "{}", local.body);

    let forwarded = ("X-Forwarded-For", "192.0.2.7");
    let bearer = format!("Bearer {token}");
    let refused = get(&daemon, "/metrics", &[forwarded]);
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains("Authorization: Bearer TOKEN"), "{}", refused.body);
    assert_eq!(header(&refused, "www-authenticate").unwrap(), "Bearer");
    let unknown = get(&daemon, "/metrics", &[forwarded, ("Authorization", "Bearer 0123")]);
    assert_eq!((unknown.status, unknown.body.as_str()), (401, "The token is refused: unknown token\n"));
    let forbidden = get(&daemon, "/metrics", &[forwarded, ("Authorization", &bearer)]);
    assert_eq!(forbidden.status, 403);
    assert!(forbidden.body.contains("argusd user change prometheus --grant metrics"), "{}", forbidden.body);

    site.ok(&["user", "change", "prometheus", "--grant", "metrics"]);
    for scheme in ["Bearer", "Token"] {
        let allowed = get(&daemon, "/metrics", &[forwarded, ("Authorization", &format!("{scheme} {token}"))]);
        assert_eq!(allowed.status, 200, "{}", allowed.body);
    }
    daemon.stop();
}

#[test]
fn metrics_count_requests_incidents_and_commits() {
    let site = Site::new();
    let token = site.source("tester");
    let daemon = site.start();
    let mut client = daemon.client().with_token(&token);
    for number in 0..3 {
        let created = client.post("/api/v2/incidents/", &incident(&number.to_string()));
        assert_eq!(created.status, 201, "{}", created.body);
    }
    for number in 0..20 {
        assert_eq!(client.get(&format!("/nowhere/{number}/")).status, 404);
        assert_eq!(client.get(&format!("/api/v2/incidents/{}/", number + 1_000)).status, 404);
    }
    let metrics = get(&daemon, "/metrics", &[]).body;
    let requests = |route: &str, method: &str, status: u16| {
        format!("argusd_http_requests_total{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}}")
    };
    for (name, expected) in [
        ("argusd_incidents_created_total", 3.0),
        ("argusd_events_created_total", 3.0),
        ("argusd_open_incidents{level=\"2\",acked=\"false\"}", 3.0),
        ("argusd_open_incidents{level=\"2\",acked=\"true\"}", 0.0),
        ("argusd_outbox_messages{state=\"queued\"}", 0.0),
        ("argusd_write_failing", 0.0),
        ("argusd_decision_duration_seconds_count", 3.0),
        (requests("/api/v2/incidents/", "POST", 201).as_str(), 3.0),
        (requests("unmatched", "GET", 404).as_str(), 20.0),
        (requests("/api/v2/incidents/{pk}/", "GET", 404).as_str(), 20.0),
        ("argusd_http_request_duration_seconds_count{route=\"unmatched\"}", 20.0),
    ] {
        assert!((value(&metrics, name) - expected).abs() < 0.1, "{name} in {metrics}");
    }
    for positive in [
        "argusd_commit_duration_seconds_count",
        "argusd_commit_commands_sum",
        "argusd_store_size_bytes",
        "argusd_disk_free_bytes",
        "argusd_source_last_seen_timestamp_seconds{source=\"tester\",type=\"test\"}",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_start_time_seconds",
    ] {
        assert!(value(&metrics, positive) > 0.0, "{positive} in {metrics}");
    }
    assert!(!metrics.contains("nowhere"), "paths of clients are no labels: {metrics}");
    daemon.stop();
}

#[test]
fn wrong_passwords_are_counted() {
    let site = Site::new();
    let daemon = site.start();
    let body = json!({"username": "admin", "password": "wrong horse"});
    assert_eq!(daemon.client().post("/api/v2/token-auth/", &body).status, 400);
    let metrics = get(&daemon, "/metrics", &[]).body;
    assert!((value(&metrics, "argusd_logins_refused_total{reason=\"wrong\"}") - 1.0).abs() < 0.1, "{metrics}");
    daemon.stop();
}

#[test]
fn liveness_and_readiness_are_open_to_all() {
    let site = Site::new();
    let daemon = site.start();
    for path in ["/-/healthy", "/-/ready", "/-/ready/"] {
        let answer = get(&daemon, path, &[("X-Forwarded-For", "192.0.2.7")]);
        assert_eq!((answer.status, answer.body.as_str()), (200, "OK"), "{path}");
        assert_eq!(header(&answer, "set-cookie"), None);
        assert_eq!(header(&answer, "content-type").unwrap(), "text/plain; charset=utf-8");
    }
    for path in ["/-/healthy", "/-/ready"] {
        let mut stream = TcpStream::connect(&daemon.address).unwrap();
        stream.write_all(format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n"), "{path}: {answer}");
    }
    assert!(!site.path("argusd.redb.ready").exists(), "nothing is left behind");
    daemon.stop();
}

#[test]
fn readiness_follows_the_data_file() {
    let site = Site::new();
    let token = site.source("tester");
    let daemon = site.start();
    let ready = || get(&daemon, "/-/ready", &[]);
    assert_eq!(ready().status, 200);
    fs::rename(site.data(), site.path("moved")).unwrap();
    eventually("the server is not ready", || ready().status == 503);
    let answer = ready();
    assert!(answer.body.contains("it was removed or renamed"), "{}", answer.body);
    assert_eq!(answer.body.lines().count(), 1, "{}", answer.body);
    assert_eq!(get(&daemon, "/-/healthy", &[]).status, 200);
    // A write that failed must not keep it unready.
    assert_eq!(daemon.client().with_token(&token).post("/api/v2/incidents/", &incident("1")).status, 503);
    assert!((value(&get(&daemon, "/metrics", &[]).body, "argusd_write_failing") - 1.0).abs() < 0.1);
    fs::rename(site.path("moved"), site.data()).unwrap();
    eventually("the server is ready again", || ready().status == 200);
    assert_eq!(daemon.client().with_token(&token).post("/api/v2/incidents/", &incident("2")).status, 201);
    assert!(value(&get(&daemon, "/metrics", &[]).body, "argusd_write_failing").abs() < 0.1);
    daemon.stop();
}

#[test]
fn pings_are_sent_to_the_watchdog() {
    let (site, sink) = (Site::new(), HttpSink::start());
    let log = site.path("log");
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("ARGUSD_WATCHDOG_URL", sink.url("/ping/secret")).env("ARGUSD_WATCHDOG_EVERY", "1s");
    let daemon = Daemon::start_with_log(command, fs::File::create(&log).unwrap());
    eventually("a ping has arrived", || !sink.calls().is_empty());
    let call = sink.calls().remove(0);
    assert_eq!((call.method.as_str(), call.path.as_str()), ("GET", "/ping/secret"));

    // The next ones fail, which is said once.
    let said = |text: &str| fs::read_to_string(&log).unwrap().matches(text).count();
    sink.set(Reply::Status(500, "broken"));
    eventually("the failure is logged", || said("the watchdog ping failed: 500") == 1);
    sink.set(Reply::Status(200, "ok"));
    eventually("the end of the failure is logged", || said("watchdog pings are sent again") == 1);
    assert!(!fs::read_to_string(&log).unwrap().contains("secret"), "the address may be a secret");

    // A server that cannot store changes sends no pings.
    fs::rename(site.data(), site.path("moved")).unwrap();
    eventually("pings stop", || said("no watchdog pings are sent: nothing can be stored") == 1);
    daemon.stop();
}

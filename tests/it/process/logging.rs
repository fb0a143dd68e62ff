//! What the real program logs: requests, refused logins, an unreachable mail server; and the ids of requests.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    net::TcpListener,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::{
    daemon::{Answer, Daemon, Site, incident},
    eventually::eventually,
    sinks::SmtpSink,
};

/// Starts a server with these variables, which logs to the file that is returned.
fn start(site: &Site, variables: &[(&str, &str)]) -> (Daemon, PathBuf) {
    let path = site.path("log");
    let log = File::create(&path).unwrap();
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.envs(variables.iter().copied());
    (Daemon::start_with_log(command, log), path)
}

fn lines(log: &Path, part: &str) -> Vec<String> {
    fs::read_to_string(log).unwrap().lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
}

fn raw(daemon: &Daemon, request: &str) -> Answer {
    let mut client = daemon.client();
    client.write(request.as_bytes()).unwrap();
    client.read().unwrap()
}

fn request_id(answer: &Answer) -> String {
    let line = answer.head.lines().find(|line| line.to_ascii_lowercase().starts_with("x-request-id:"));
    line.unwrap_or_else(|| panic!("no id in {}", answer.head)).split_once(':').unwrap().1.trim().to_owned()
}

const EVIL: &str = "x\"\n2026-01-01T00:00:00Z WARN login refused: forged client=203.0.113.9";

/// Fails to log in by each of the ways that take a password.
fn guess_everywhere(daemon: &Daemon, name: &str) {
    let body = json!({"username": name, "password": "battery staple"});
    for path in ["/api/v2/token-auth/", "/api/v1/token-auth/", "/oidc/api-token-auth/"] {
        assert_eq!(daemon.client().post(path, &body).status, 400, "{path}");
    }
    assert_eq!(daemon.client().post("/api/v2/auth/token/login/", &body).status, 403);
    let basic = STANDARD.encode(format!("{name}:battery staple"));
    let head = format!(
        "GET /notifications/api/v1/contacts HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nAuthorization: Basic {basic}\r\n\r\n"
    );
    assert_eq!(raw(daemon, &head).status, 401);
    let csrf = "0".repeat(32);
    let form = form_urlencoded(&[("username", name), ("password", "battery staple"), ("csrf", &csrf)]);
    let post = format!(
        "POST /accounts/login/ HTTP/1.1\r\nHost: x\r\nCookie: csrftoken={csrf}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    assert_eq!(raw(daemon, &post).status, 401);
}

fn form_urlencoded(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

#[test]
fn refused_logins_are_logged_with_address_and_name() {
    let site = Site::new();
    let (daemon, log) = start(&site, &[]);
    guess_everywhere(&daemon, "ann");
    let refused = lines(&log, "login refused");
    assert_eq!(refused.len(), 6, "{refused:?}");
    for line in &refused {
        let expected = "Z  WARN login refused: wrong username or password client=127.0.0.1 user=\"ann\" request_id=";
        assert!(line.contains(expected), "{line}");
    }
    let body = json!({"username": EVIL, "password": "battery staple"});
    daemon.client().post("/api/v2/token-auth/", &body);
    let refused = lines(&log, "login refused");
    assert_eq!(refused.len(), 7, "a name begins no line: {refused:?}");
    assert!(refused[6].contains("password client=127.0.0.1 user=\"x\\\"\\n2026"), "{}", refused[6]);
    assert!(!fs::read_to_string(&log).unwrap().contains("battery staple"), "passwords are not logged");
    daemon.stop();
}

#[test]
fn lines_can_be_json() {
    let site = Site::new();
    let (daemon, log) = start(&site, &[("ARGUSD_LOG_FORMAT", "json"), ("ARGUSD_LOG_ACCESS", "on")]);
    let body = json!({"username": EVIL, "password": "battery staple"});
    let answer = daemon.client().post("/api/v2/token-auth/", &body);
    let objects: Vec<Value> =
        fs::read_to_string(&log).unwrap().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |message: &str| objects.iter().find(|line| line["message"] == message).cloned().unwrap();
    let refused = of("login refused: wrong username or password");
    assert_eq!((&refused["client"], &refused["user"]), (&json!("127.0.0.1"), &json!(EVIL)));
    assert_eq!(refused["level"], "WARN");
    let request = of("request");
    assert_eq!((&request["method"], &request["path"]), (&json!("POST"), &json!("/api/v2/token-auth/")));
    assert_eq!(request["status"], json!(400));
    for line in [refused, request] {
        assert_eq!(line["request_id"], json!(request_id(&answer)));
    }
    daemon.stop();
}

#[test]
fn requests_are_logged_on_demand_and_without_their_queries() {
    let site = Site::new();
    let (daemon, log) = start(&site, &[]);
    daemon.client().get("/nowhere/?q=secret");
    assert_eq!(lines(&log, "nowhere"), [""; 0], "not by default");
    daemon.stop();
    // Also at a level at which nothing else is logged.
    let variables = [("ARGUSD_LOG_ACCESS", "on"), ("ARGUSD_LOG", "error"), ("ARGUSD_TRUSTED_PROXIES", "127.0.0.1")];
    let (daemon, log) = start(&site, &variables);
    let answer = raw(
        &daemon,
        "GET /nowhere/%0aforged?q=secret HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.7\r\nX-Request-ID: from-proxy.1\r\n\r\n",
    );
    assert_eq!(answer.status, 404);
    let [line]: [String; 1] = lines(&log, "nowhere").try_into().unwrap();
    assert!(line.contains("request client=192.0.2.7 method=GET path=\"/nowhere/%0aforged/\" status=404 ms="), "{line}");
    assert!(line.ends_with("request_id=from-proxy.1") && !line.contains("secret"), "{line}");
    daemon.stop();
}

#[test]
fn every_answer_has_an_id() {
    let site = Site::new();
    let (daemon, _) = start(&site, &[("ARGUS_FRONTEND_URL", "https://front.example.org")]);
    let preflight = "OPTIONS /api/v2/incidents/ HTTP/1.1\r\nHost: x\r\nOrigin: https://front.example.org\r\n\
                     Access-Control-Request-Method: GET\r\n\r\n";
    let requests = [
        "GET /api/v2/incidents/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /accounts/login/ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /static/none.css HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /-/healthy HTTP/1.1\r\nHost: x\r\nX-Request-ID: chosen-by-client\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        preflight,
    ];
    let ids: BTreeSet<String> = requests.iter().map(|request| request_id(&raw(&daemon, request))).collect();
    assert_eq!(ids.len(), requests.len(), "{ids:?}");
    assert!(!ids.contains("chosen-by-client"), "only a trusted proxy may choose it");
    daemon.stop();
}

#[test]
fn a_trusted_proxy_may_choose_a_sane_id() {
    let site = Site::new();
    let (daemon, _) = start(&site, &[("ARGUSD_TRUSTED_PROXIES", "127.0.0.1")]);
    let id = |sent: &str| {
        request_id(&raw(&daemon, &format!("GET /-/healthy HTTP/1.1\r\nHost: x\r\nX-Request-ID: {sent}\r\n\r\n")))
    };
    assert_eq!(id("0b5d9e2c-3c7f.A_1"), "0b5d9e2c-3c7f.A_1");
    for strange in ["a b", "a\"b", "", &"x".repeat(65), "user=root"] {
        assert_ne!(id(strange), strange);
    }
    daemon.stop();
}

#[test]
fn lines_for_the_journal_have_priorities_and_no_time() {
    let site = Site::new();
    let path = site.path("log");
    let log = File::create(&path).unwrap();
    let metadata = log.metadata().unwrap();
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("JOURNAL_STREAM", format!("{}:{}", metadata.dev(), metadata.ino()));
    let daemon = Daemon::start_with_log(command, log);
    daemon.client().post("/api/v2/token-auth/", &json!({"username": "ann", "password": "battery staple"}));
    let [line]: [String; 1] = lines(&path, "login refused").try_into().unwrap();
    assert!(line.starts_with("<4>login refused: wrong username or password client=127.0.0.1"), "{line}");
    daemon.stop();
    assert!(lines(&path, "stopping")[0].starts_with("<6>SIGTERM: stopping"));
}

#[test]
fn an_unreachable_mail_server_is_logged_once_and_so_is_its_return() {
    let site = Site::new();
    site.ok(&["user", "create", "anna", "--email", "anna@example.org"]);
    let (anna, source) = (site.ok(&["token", "create", "anna"]), site.source("tester"));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (daemon, log) = start(&site, &[("EMAIL_HOST", "127.0.0.1"), ("EMAIL_PORT", &port.to_string())]);
    let mut client = daemon.client().with_token(&anna);
    let profiles = "/api/v2/notificationprofiles";
    let timeslot = client.get(&format!("{profiles}/timeslots/")).json()[0]["pk"].clone();
    let destination = client.get(&format!("{profiles}/destinations/")).json()[0]["pk"].clone();
    let filter = client.post(&format!("{profiles}/filters/"), &json!({"name": "all", "filter": {"open": true}})).pk();
    let profile = json!({"name": "all", "timeslot": timeslot, "filters": [filter], "destinations": [destination],
        "active": true});
    client.post(&format!("{profiles}/"), &profile).pk();
    daemon.client().with_token(&source).post("/api/v2/incidents/", &incident("1")).pk();
    eventually("the outage is logged", || !lines(&log, "the mail server does not accept mail").is_empty());
    assert!(
        lines(&log, "does not accept mail")[0].contains("WARN the mail server"),
        "{:?}",
        lines(&log, "mail server")
    );
    let sink = SmtpSink::start_on(port);
    eventually("the mail arrives", || !sink.mails().is_empty());
    eventually("the return is logged", || lines(&log, "the mail server accepts mail again, after").len() == 1);
    assert_eq!(lines(&log, "does not accept mail").len(), 1);
    daemon.stop();
}

//! Starting and stopping the real program.

use std::process::Stdio;

use serde_json::json;

use crate::support::daemon::{Daemon, Site, incident, is_private, stderr};

#[test]
fn the_server_prints_its_address_and_stops_cleanly_on_either_signal() {
    for signal in ["TERM", "INT"] {
        let site = Site::new();
        let daemon = site.start();
        assert!(daemon.address.starts_with("127.0.0.1:") && !daemon.address.ends_with(":0"), "{}", daemon.address);
        assert_eq!(daemon.client().get("/api/v2/incidents/").status, 401);
        daemon.signal(signal);
        let (rest, status) = daemon.wait();
        assert_eq!(rest, "", "the ready line is the only one on standard output");
        assert!(status.success(), "{status}");
        assert!(!site.path("argusd.redb.sock").exists(), "the socket is gone");
    }
}

#[test]
fn a_closed_terminal_does_not_end_the_server() {
    let site = Site::new();
    let daemon = site.start();
    daemon.signal("HUP");
    let mut client = daemon.client();
    // Signals are handled in the order of their arrival, so it is served until the next one.
    for _ in 0..20 {
        assert_eq!(client.get("/api/v2/incidents/").status, 401);
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    daemon.signal("TERM");
    assert!(daemon.wait().1.success());
}

#[test]
fn front_ends_are_named_by_the_variable_of_argus() {
    let site = Site::new();
    let mut command = site.command(&["--listen", "127.0.0.1:0"]);
    command.env("ARGUS_FRONTEND_URL", "https://front.example.org, http://localhost:18080/");
    let daemon = Daemon::start(command);
    for (origin, is_allowed) in [("http://localhost:18080", true), ("https://other.example.org", false)] {
        let mut client = daemon.client();
        let request = format!("GET /login-methods/ HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\n\r\n");
        client.write(request.as_bytes()).unwrap();
        let answer = client.read().unwrap();
        let allowed = format!("access-control-allow-origin: {origin}");
        assert_eq!(answer.head.to_ascii_lowercase().contains(&allowed), is_allowed, "{}", answer.head);
    }
    daemon.stop();

    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
    let refused = command.env("ARGUS_FRONTEND_URL", "front.example.org").output().unwrap();
    assert!(!refused.status.success());
    let text = stderr(&refused);
    assert!(text.contains("frontend_urls (ARGUS_FRONTEND_URL): \"front.example.org\" is no http or https"), "{text}");
}

#[test]
fn without_a_command_the_program_serves() {
    let site = Site::new();
    Daemon::start(site.command(&["--listen", "127.0.0.1:0"])).stop();
}

#[test]
fn the_data_file_and_the_socket_are_the_owners_alone() {
    let site = Site::new();
    let daemon = site.start();
    assert!(is_private(&site.data()));
    assert!(is_private(&site.path("argusd.redb.sock")));
    daemon.stop();
}

#[test]
fn the_first_password_goes_into_a_private_file() {
    let site = Site::new();
    let mut command = site.command(&["--listen", "127.0.0.1:0"]);
    command.env_remove("ARGUSD_ADMIN_PASSWORD");
    let daemon = Daemon::start(command);
    let file = site.path("argusd.redb.admin-password");
    assert!(is_private(&file));
    let password = std::fs::read_to_string(&file).unwrap();
    let body = json!({"username": "admin", "password": password.trim_end()});
    let answer = daemon.client().post("/api/v2/token-auth/", &body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    daemon.stop();
}

#[test]
fn the_first_password_can_be_given() {
    let site = Site::new();
    let daemon = site.start();
    assert!(!site.path("argusd.redb.admin-password").exists());
    let body = json!({"username": "admin", "password": "correct horse"});
    assert_eq!(daemon.client().post("/api/v2/token-auth/", &body).status, 200);
    daemon.stop();
}

#[test]
fn the_first_start_says_how_to_post_an_incident() {
    let site = Site::new();
    let log = site.path("log");
    let daemon =
        Daemon::start_with_log(site.command(&["--listen", "127.0.0.1:0"]), std::fs::File::create(&log).unwrap());
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains(&format!("http://{}/api/v2/incidents/", daemon.address)), "{said}");
    // What the shell would make of it.
    let body = said.split("-d '").nth(1).unwrap().split("' \\\n").next().unwrap();
    let body = body.replace("'$(date -u +%FT%TZ)'", "2026-01-31T12:00:00Z");
    let token = site.ok(&["token", "create", "argus"]);
    let answer = daemon.client().with_token(&token).send("POST", "/api/v2/incidents/", &body).unwrap();
    assert_eq!(answer.status, 201, "{body}: {}", answer.body);
    daemon.stop();
    assert!(!std::fs::read_to_string(&log).unwrap().contains("correct horse"));
}

#[test]
fn posted_incidents_survive_a_restart() {
    let site = Site::new();
    let token = site.source("tester");
    let daemon = site.start();
    let created = daemon.client().with_token(&token).post("/api/v2/incidents/", &incident("1"));
    assert_eq!(created.status, 201, "{}", created.body);
    let pk = created.json()["pk"].as_u64().unwrap();
    daemon.stop();

    let daemon = site.start();
    let mut client = daemon.client().with_token(&token);
    let found = client.get(&format!("/api/v2/incidents/{pk}/"));
    assert_eq!((found.status, found.json()), (200, created.json()));
    let listed = client.get("/api/v2/incidents/?open=true&tags=id=1");
    assert_eq!(listed.json()["results"], json!([created.json()]));
    daemon.stop();
}

#[test]
fn bad_settings_are_named() {
    let site = Site::new();
    let config = site.path("argusd.toml");
    let complaint = |text: &str| {
        std::fs::write(&config, text).unwrap();
        site.fails(&["serve", "--config", config.to_str().unwrap()])
    };
    let said = complaint("listne = 'x'");
    assert!(said.contains("listne") && said.contains("argusd.toml"), "{said}");
    let said = complaint("listen = 'x'");
    assert!(said.contains("listen (file): \"x\" is not HOST:PORT"), "{said}");
    let said = complaint("[tokens]\nlife_days = -3");
    assert!(said.contains("life_days"), "{said}");
    let said = site.fails(&["--config", "/nowhere/argusd.toml"]);
    assert!(said.contains("cannot read /nowhere/argusd.toml"), "{said}");
    let said = site.fails(&["--data", "/nowhere/argusd.redb", "--listen", "127.0.0.1:0"]);
    assert!(said.contains("/nowhere/argusd.redb"), "{said}");
    let said = site.fails(&["--frobnicate"]);
    assert!(said.contains("--frobnicate"), "{said}");
}

#[test]
fn a_busy_address_and_a_busy_file_are_named() {
    let site = Site::new();
    let daemon = site.start();
    let other = Site::new();
    let said = other.fails(&["--listen", &daemon.address]);
    assert!(said.contains(&format!("cannot listen on {}", daemon.address)), "{said}");
    let said = site.fails(&["--listen", "127.0.0.1:0"]);
    assert!(said.contains("is in use by another argusd"), "{said}");
    daemon.stop();
}

#[test]
fn settings_are_shown_with_their_origin() {
    let site = Site::new();
    let shown = site.ok(&["config", "--listen", "[::1]:7"]);
    let line = |name: &str| {
        let line = shown.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line("listen"), ["listen", "[::1]:7", "flag"]);
    assert_eq!(line("time_zone"), ["time_zone", "UTC", "TIME_ZONE"]);
    assert_eq!(line("max_connections").last().unwrap(), "default");
    assert!(!shown.contains("correct horse"), "{shown}");
}

#[test]
fn every_command_has_help() {
    let site = Site::new();
    let commands: &[&[&str]] = &[
        &[],
        &["serve"],
        &["user"],
        &["user", "create"],
        &["user", "list"],
        &["user", "change"],
        &["user", "password"],
        &["user", "deactivate"],
        &["token"],
        &["token", "create"],
        &["token", "list"],
        &["token", "revoke"],
        &["source"],
        &["source", "create"],
        &["source", "list"],
        &["incident"],
        &["incident", "create"],
        &["incident", "close"],
        &["generate"],
        &["stress"],
        &["check"],
        &["doctor"],
        &["mail"],
        &["mail", "test"],
        &["reindex"],
        &["backup"],
        &["openapi"],
        &["config"],
    ];
    for command in commands {
        let help = site.ok(&[command, &["--help"][..]].concat());
        assert!(help.contains("Usage:") && help.contains("--data"), "{command:?}: {help}");
    }
}

#[test]
fn openapi_documents_are_printed_as_json() {
    let site = Site::new();
    for version in ["v1", "v2"] {
        let document: serde_json::Value = serde_json::from_str(&site.ok(&["openapi", version])).unwrap();
        assert!(document["paths"].as_object().is_some_and(|paths| !paths.is_empty()));
    }
}

#[test]
fn a_closed_output_pipe_causes_no_panic() {
    let site = Site::new();
    let mut child = site.command(&["openapi", "v2"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
}

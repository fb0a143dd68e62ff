//! Administrative commands, while a server runs and while none does.

use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    daemon::{Site, incident},
    eventually::eventually,
};

/// Runs the same commands in both situations.
fn both(test: impl Fn(&Site)) {
    let site = Site::new();
    test(&site);
    let site = Site::new();
    let daemon = site.start();
    test(&site);
    daemon.stop();
}

/// Standard output of a command that reads this line from standard input, and has to succeed.
fn fed(site: &Site, args: &[&str], line: &str) -> String {
    let mut child = site.command(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{line}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn rows(site: &Site, what: &str) -> Vec<Value> {
    serde_json::from_str(&site.ok(&[what, "list", "--json"])).unwrap()
}

#[test]
fn users_are_created_changed_and_deactivated() {
    const B: &str = "notifications/api";
    both(|site| {
        site.ok(&["user", "create", "anna", "--email", "anna@example.org", "--first-name", "Anna", "--staff"]);
        let anna = || rows(site, "user").into_iter().find(|user| user["username"] == "anna").unwrap();
        assert_eq!(anna()["email"], "anna@example.org");
        assert_eq!(
            (&anna()["staff"], &anna()["superuser"], &anna()["password"]),
            (&json!(true), &json!(false), &json!(false))
        );
        site.ok(&["user", "change", "anna", "--last-name", "Berg", "--staff", "false", "--grant", "*", "--grant", B]);
        site.ok(&["user", "change", "anna", "--superuser", "--revoke-grant", "*"]);
        assert_eq!((&anna()["last_name"], &anna()["staff"]), (&json!("Berg"), &json!(false)));
        assert_eq!((&anna()["superuser"], &anna()["grants"]), (&json!(true), &json!([B])));
        site.ok(&["user", "deactivate", "anna"]);
        assert_eq!(anna()["active"], false);
        assert!(site.fails(&["user", "create", "anna"]).contains("taken"));
        assert!(site.fails(&["user", "create", "a b"]).contains("letters, digits"));
        let refused = site.fails(&["user", "create", "bob", "--email", "x@y.z\r\nBcc: q"]);
        assert!(refused.contains("is not a valid e-mail address"), "{refused}");
        assert!(site.fails(&["user", "change", "anna", "--email", "anna"]).contains("is not a valid e-mail address"));
        assert!(site.fails(&["user", "change", "nobody", "--staff"]).contains("there is no user \"nobody\""));
        assert!(site.ok(&["user", "list"]).lines().count() >= 4);
    });
}

#[test]
fn passwords_come_from_a_file_or_from_standard_input() {
    let site = Site::new();
    let file = site.path("password");
    std::fs::write(&file, "first password\n").unwrap();
    site.ok(&["user", "create", "anna", "--password-file", file.to_str().unwrap()]);
    let daemon = site.start();
    let login = |password: &str| {
        let body = json!({"username": "anna", "password": password});
        daemon.client().post("/api/v2/token-auth/", &body).status
    };
    assert_eq!(login("first password"), 200);
    fed(&site, &["user", "password", "anna"], "second password");
    std::fs::write(&file, "short\n").unwrap();
    let refused = site.fails(&["user", "password", "anna", "--password-file", file.to_str().unwrap()]);
    assert!(refused.contains("use at least 8 characters"), "{refused}");
    assert_eq!((login("first password"), login("second password")), (400, 200));
    daemon.stop();
}

#[test]
fn tokens_are_created_imported_listed_and_revoked() {
    both(|site| {
        let token = site.ok(&["token", "create", "admin"]);
        assert!(token.len() == 40 && token.bytes().all(|b| b.is_ascii_hexdigit()), "{token}");
        let own = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(site.ok(&["token", "create", "admin", "--value", own, "--expires", "never"]), own);
        assert!(site.fails(&["token", "create", "admin", "--value", "abc"]).contains("40 hex digits"));
        let other = "1123456789abcdef0123456789abcdef01234567";
        assert_eq!(fed(site, &["token", "create", "admin", "--value-file", "-"], other), other);
        site.ok(&["token", "revoke", &rows(site, "token")[2]["pk"].to_string()]);
        let tokens = rows(site, "token");
        assert_eq!(tokens.len(), 2);
        assert!(!site.ok(&["token", "list"]).contains(&token));
        assert_eq!((tokens[0]["expires"].is_string(), &tokens[1]["expires"]), (true, &Value::Null));
        site.ok(&["token", "revoke", &tokens[0]["pk"].to_string()]);
        assert_eq!(rows(site, "token").len(), 1);
        site.ok(&["token", "revoke", "--user", "admin"]);
        assert!(rows(site, "token").is_empty());
        assert!(!site.fails(&["token", "revoke", "4711"]).is_empty());
    });
}

#[test]
fn a_token_is_good_at_once_and_useless_once_revoked() {
    let site = Site::new();
    let daemon = site.start();
    let token = site.source("nav");
    let mut client = daemon.client().with_token(&token);
    assert_eq!(client.get("/api/v2/incidents/").status, 200);
    site.ok(&["token", "revoke", "--user", "nav"]);
    assert_eq!(client.get("/api/v2/incidents/").status, 401);
    daemon.stop();
}

#[test]
fn sources_come_with_type_and_user() {
    both(|site| {
        assert_eq!(
            site.ok(&["source", "create", "nav", "--type", "nav", "--base-url", "https://nav.example.org/"]),
            ""
        );
        let token = site.ok(&["source", "create", "campus", "--type", "nav", "--username", "navuser", "--token"]);
        assert_eq!(token.len(), 40);
        let sources = rows(site, "source");
        let names: Vec<_> = sources.iter().map(|source| (&source["name"], &source["username"])).collect();
        assert_eq!(
            names,
            [(&json!("argus"), &json!("argus")), (&json!("nav"), &json!("nav")), (&json!("campus"), &json!("navuser"))]
        );
        assert!(site.fails(&["source", "create", "nav", "--type", "nav"]).contains("already"));
    });
}

#[test]
fn channels_are_created_changed_and_deleted() {
    both(|site| {
        let settings = site.path("mail.json");
        std::fs::write(&settings, r#"{"host": "mail.example.org", "user": "argus", "password": "geheim"}"#).unwrap();
        let settings = settings.to_str().unwrap();
        let uuid = "0817d973-398e-41d7-9cd2-61cdb7ef41a1";
        let made =
            site.ok(&["channel", "create", "--name", "Mail", "--type", "email", "--id", uuid, "--config", settings]);
        assert_eq!(made, uuid);
        let own = site.ok(&["channel", "create", "--name", "Own", "--type", "webhook"]);
        assert_eq!(own.len(), 36);
        let mail = || rows(site, "channel").into_iter().find(|row| row["id"] == uuid).unwrap();
        assert_eq!((&mail()["settings"], &mail()["offered"]), (&json!(["host", "user", "password"]), &json!(false)));
        assert!(!site.ok(&["channel", "list"]).contains("geheim"));
        site.ok(&["channel", "change", "mail", "--name", "E-mail", "--offered"]);
        assert_eq!((&mail()["name"], &mail()["offered"]), (&json!("E-mail"), &json!(true)));
        site.ok(&["channel", "change", uuid, "--offered", "false"]);
        assert_eq!(mail()["offered"], false);
        let taken = site.fails(&["channel", "create", "--name", "e-mail", "--type", "email"]);
        assert!(taken.contains("there is a channel with this name already"), "{taken}");
        assert!(site.fails(&["channel", "create", "--name", "x", "--type", "a b"]).contains("type"));
        assert!(site.fails(&["channel", "create", "--name", "x", "--type", "sms", "--id", "5"]).contains("no UUID"));
        site.ok(&["channel", "delete", &own]);
        assert!(site.fails(&["channel", "delete", "Own"]).contains("there is no channel \"Own\""));
        assert_eq!(rows(site, "channel").len(), 1);
        assert_eq!(site.ok(&["check"]), "all is well");
    });
}

#[test]
fn heartbeats_of_sources_are_switched_on_and_off() {
    both(|site| {
        site.source("nav");
        let heartbeat =
            || rows(site, "source").into_iter().find(|it| it["name"] == "nav").unwrap()["heartbeat"].clone();
        assert_eq!(heartbeat(), Value::Null);
        site.ok(&["source", "change", "nav", "--heartbeat", "60"]);
        assert_eq!(heartbeat(), 60);
        assert!(site.ok(&["source", "list"]).contains("60 s"));
        assert_eq!(site.ok(&["source", "check"]), "", "it was never seen");
        site.ok(&["source", "change", "nav", "--type", "test", "--heartbeat", "off"]);
        assert_eq!(heartbeat(), Value::Null);
        assert!(site.fails(&["source", "change", "nav", "--heartbeat", "59"]).contains("60 to 86400 seconds"));
        assert!(site.fails(&["source", "change", "nav", "--heartbeat", "often"]).contains("the word off"));
        assert!(site.fails(&["source", "change", "nobody", "--heartbeat", "60"]).contains("there is no source"));
    });
}

#[test]
fn expiring_tokens_are_incidents_until_they_are_deleted() {
    let site = Site::new();
    site.source("nav");
    assert_eq!(site.ok(&["token", "check"]), "", "two weeks are left");
    assert_eq!(site.ok(&["token", "check", "--days", "15"]), "incident 1 opened");
    assert_eq!(site.ok(&["token", "check", "--days", "15"]), "");
    assert_eq!(site.ok(&["token", "check", "-d", "3"]), "incident 1 ended");
    assert_eq!(site.ok(&["check"]), "all is well");

    // A server does it by itself, at once.
    let daemon = site.start();
    let token = site.ok(&["token", "create", "admin"]);
    let mut client = daemon.client().with_token(&token);
    let mut open =
        || client.get("/api/v2/incidents/?open=true&tags=problem_type=token_expiry").json()["results"].clone();
    site.ok(&["token", "revoke", "--user", "nav"]);
    site.ok(&["token", "create", "nav", "--expires", "2"]);
    eventually("the token is told of", || open().as_array().unwrap().len() == 1);
    let shown = open()[0].clone();
    assert!(shown["description"].as_str().unwrap().starts_with("Token for source system nav (test) will expire on "));
    assert_eq!((&shown["source"]["name"], &shown["level"]), (&json!("argus"), &json!(2)));
    site.ok(&["token", "create", "nav"]);
    eventually("the new one ends it", || open().as_array().unwrap().is_empty());
    daemon.stop();
}

#[test]
fn filters_are_listed_and_profiles_toggled() {
    let site = Site::new();
    let daemon = site.start();
    let token = site.ok(&["token", "create", "admin"]);
    let mut client = daemon.client().with_token(&token);
    for (name, level) in [("bad", 2), ("worse", 1)] {
        let body = json!({"name": name, "filter": {"maxlevel": level, "tags": ["host=a"]}});
        assert_eq!(client.post("/api/v2/notificationprofiles/filters/", &body).status, 201);
    }
    let check = || {
        assert_eq!(rows(&site, "filter").len(), 2);
        let worse = serde_json::from_str::<Value>(&site.ok(&["filter", "list", "-n", "worse", "--json"])).unwrap();
        let filter = json!({"tags": ["host=a"], "maxlevel": 1});
        let expected = json!([{"pk": 2, "username": "admin", "name": "worse", "public": false, "filter": filter}]);
        assert_eq!(worse, expected);
        assert!(site.ok(&["filter", "list", "--pk", "1"]).ends_with("{\"tags\":[\"host=a\"],\"maxlevel\":2}"));
        assert!(site.fails(&["profile", "toggle", "4711"]).contains("there is no profile 4711"));
        assert!(!site.fails(&["profile", "toggle"]).is_empty());
    };
    check();
    daemon.stop();
    check();
}

#[test]
fn a_test_incident_says_what_it_is() {
    let site = Site::new();
    let daemon = site.start();
    let token = site.ok(&["token", "create", "admin"]);
    let pk = site.ok(&["incident", "create", "-t", "host=a"]);
    let shown = daemon.client().with_token(&token).get(&format!("/api/v2/incidents/{pk}/")).json();
    assert_eq!(shown["description"], format!("Incident #{pk} created via \"create_fake_incident\""));
    let tags: Vec<&str> = shown["tags"].as_array().unwrap().iter().map(|tag| tag["tag"].as_str().unwrap()).collect();
    assert_eq!(tags, ["location=argus", &format!("object={pk}"), "problem_type=test", "host=a"]);
    assert_eq!(shown["source"]["name"], "argus");
    assert!((1..=5).contains(&shown["level"].as_u64().unwrap()));
    daemon.stop();
}

#[test]
fn incidents_are_created_and_closed_by_either_number() {
    let site = Site::new();
    let token = site.source("nav");
    let daemon = site.start();
    let mut client = daemon.client().with_token(&token);

    let pks = site.ok(&[
        "incident",
        "create",
        "-b",
        "3",
        "-d",
        "Hello",
        "-l",
        "1",
        "-t",
        "host=a",
        "--metadata",
        "{\"a\": 1}",
    ]);
    assert_eq!(pks.lines().count(), 3);
    let pk = pks.lines().next().unwrap();
    let shown = client.get(&format!("/api/v2/incidents/{pk}/")).json();
    assert_eq!((&shown["description"], &shown["level"]), (&json!("Hello"), &json!(1)));
    assert_eq!((&shown["metadata"], &shown["open"]), (&json!({"a": 1}), &json!(true)));
    site.ok(&["incident", "close", "--id", pk, "--duration", "1 02:03:04", "--closing-message", "Done"]);
    let events = client.get(&format!("/api/v2/incidents/{pk}/events/")).json();
    let ends: Vec<&Value> = events.as_array().unwrap().iter().filter(|e| e["type"]["value"] == "END").collect();
    assert_eq!((ends.len(), &ends[0]["description"]), (1, &json!("Done")));

    assert_eq!(client.post("/api/v2/incidents/", &incident("77")).status, 201);
    site.ok(&["incident", "close", "--source", "nav", "--source-incident-id", "77"]);
    let found = client.get("/api/v2/incidents/?source_incident_id=77").json();
    assert_eq!(found["results"][0]["open"], false);
    assert!(
        site.fails(&["incident", "close", "--source", "nav", "--source-incident-id", "77"]).contains("closed already")
    );
    assert!(site.fails(&["incident", "close", "--id", "99999"]).contains("not found"));
    daemon.stop();
}

#[test]
fn generated_incidents_are_sound_and_found() {
    both(|site| {
        let said = site.ok(&["generate", "3000"]);
        assert!(said.contains("3000 incidents"), "{said}");
        assert_eq!(site.ok(&["check"]), "all is well");
        site.ok(&["reindex"]);
        assert_eq!(site.ok(&["check"]), "all is well");
    });
}

#[test]
fn a_stale_socket_is_replaced() {
    let site = Site::new();
    site.start().kill();
    assert!(site.path("argusd.redb.sock").exists());
    assert!(site.ok(&["user", "list"]).contains("admin"), "without a server");
    let daemon = site.start();
    assert!(site.ok(&["user", "list"]).contains("admin"), "with a server");
    daemon.stop();
}

#[test]
fn commands_work_with_a_long_path() {
    let site = Site::new();
    let directory = site.path(&"x".repeat(120));
    std::fs::create_dir(&directory).unwrap();
    let data = directory.join("argusd.redb");
    let data = data.to_str().unwrap();
    let daemon = crate::support::daemon::Daemon::start(site.command(&["--data", data, "--listen", "127.0.0.1:0"]));
    assert!(site.ok(&["user", "list", "--data", data]).contains("admin"));
    daemon.stop();
}

#[test]
fn stress_posts_verifies_and_acknowledges() {
    let site = Site::new();
    let token = site.source("nav");
    let daemon = site.start();
    let url = format!("http://{}", daemon.address);
    let said = fed(&site, &["stress", &url, "--token-file", "-", "--seconds", "1", "--workers", "4", "--bulk"], &token);
    assert!(said.contains("errors         0") && said.contains(" 0 wrong or missing"), "{said}");
    assert!(site.fails(&["stress", "https://localhost", &token]).contains("plain http only"));
    daemon.stop();
}

/// Listens on a socket as some user, and prints what it is sent.
struct Listener(Child, BufReader<std::process::ChildStdout>);

impl Listener {
    fn start(path: &Path, uid: u32) -> Self {
        const SCRIPT: &str = "use IO::Socket::UNIX; $| = 1; \
            my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => $ARGV[0], Listen => 5) or die $!; \
            chmod 0777, $ARGV[0]; print qq(ready\\n); while (my $c = $s->accept) { print scalar(<$c>) // qq(nothing\\n); }";
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={uid}")).args(["--clear-groups", "perl", "-e", SCRIPT]).arg(path);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self(child, said)
    }

    fn heard(mut self) -> String {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        let mut heard = String::new();
        self.1.read_to_string(&mut heard).unwrap();
        heard
    }
}

fn own(path: &Path, uid: u32, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    chown(path, Some(uid), None).unwrap();
}

/// Another user of the host can be the first to make the socket, or the directory that it belongs into.
#[test]
fn passwords_are_not_given_to_other_users_of_the_host() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (owner, stranger) = (200_000 + std::process::id(), 100_000 + std::process::id());
    let site = Site::new();
    own(site.data().parent().unwrap(), owner, 0o777);
    let password = site.path("password");
    std::fs::write(&password, "battery staple\n").unwrap();
    let set_password = |data: &Path| {
        let data = data.to_str().unwrap();
        site.run(&["user", "password", "admin", "--password-file", password.to_str().unwrap(), "--data", data])
    };
    let prepare = |data: &Path| {
        site.ok(&["user", "list", "--data", data.to_str().unwrap()]);
        own(data, owner, 0o600);
    };

    let near = site.data();
    prepare(&near);
    let socket = PathBuf::from(format!("{}.sock", near.display()));
    let listener = Listener::start(&socket, stranger);
    let output = set_password(&near);
    let said = crate::support::daemon::stderr(&output);
    assert!(output.status.success() && said.contains("is ignored: user"), "{said}");
    assert!(!listener.heard().contains("staple"));
    std::fs::remove_file(&socket).unwrap();
    let listener = Listener::start(&socket, owner);
    assert!(!set_password(&near).status.success(), "the listener gives no answer");
    assert!(listener.heard().contains("battery staple"), "the server's own user is talked to");

    let deep = site.path(&"x".repeat(100));
    std::fs::create_dir(&deep).unwrap();
    let far = deep.join("argusd.redb");
    prepare(&far);
    let canonical = std::fs::canonicalize(&far).unwrap();
    let name = hex::encode(Sha256::digest(canonical.as_os_str().as_encoded_bytes()));
    let directory = PathBuf::from(format!("/tmp/argusd-{owner}"));
    std::fs::create_dir(&directory).unwrap();
    let socket = directory.join(format!("{}.sock", &name[..24]));
    for (uid, mode) in [(stranger, 0o755), (owner, 0o777), (owner, 0o700)] {
        own(&directory, stranger, 0o777);
        let listener = Listener::start(&socket, stranger);
        own(&directory, uid, mode);
        let output = set_password(&far);
        let said = crate::support::daemon::stderr(&output);
        assert!(output.status.success() && said.contains("is ignored:"), "{uid} {mode:o}: {said}");
        assert!(!listener.heard().contains("staple"), "{uid} {mode:o}");
        std::fs::remove_file(&socket).unwrap();
    }
    std::fs::remove_dir(&directory).unwrap();
}

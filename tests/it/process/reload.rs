//! Settings that are read again when the program receives SIGHUP.

use std::{fs, path::PathBuf, process::Command};

use serde_json::json;

use crate::support::{
    daemon::{Client, Daemon, Site, incident},
    eventually::eventually,
    sinks::SmtpSink,
};

/// A site with a settings file and a log.
struct ReloadSite {
    site: Site,
}

impl ReloadSite {
    fn new(settings: &str) -> Self {
        let site = Self { site: Site::new() };
        site.set(settings);
        site
    }

    fn file(&self) -> PathBuf {
        self.site.path("argusd.toml")
    }

    fn set(&self, settings: &str) {
        fs::write(self.file(), settings).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = self.site.command(&["serve", "--listen", "127.0.0.1:0", "--config"]);
        command.arg(self.file());
        command
    }

    fn start(&self) -> Daemon {
        Daemon::start_with_log(self.command(), fs::File::create(self.site.path("log")).unwrap())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.site.path("log")).unwrap()
    }

    /// Sends the signal and waits for a new line of the log that contains `expected`.
    #[track_caller]
    fn reload(&self, daemon: &Daemon, expected: &str) {
        let before = self.log().matches(expected).count();
        daemon.signal("HUP");
        eventually(expected, || self.log().matches(expected).count() > before);
    }
}

const DONE: &str = "SIGHUP: settings, templates and certificates were read again";
const REFUSED: &str = "SIGHUP: the settings are wrong, so the old ones stay in force";

fn banner(client: &mut Client) -> String {
    let page = client.get("/accounts/login/").body;
    ["first banner", "second banner"].into_iter().filter(|text| page.contains(text)).collect()
}

#[test]
fn banner_and_log_level_change() {
    let site = ReloadSite::new("[web]\nbanner = 'first banner'");
    let daemon = site.start();
    let mut client = daemon.client();
    assert_eq!(banner(&mut client), "first banner");

    site.set("[web]\nbanner = 'second banner'\n[log]\nlevel = 'debug'");
    site.reload(&daemon, DONE);
    assert_eq!(banner(&mut client), "second banner");
    let log = site.log();
    assert!(log.contains("SIGHUP: changed: web.banner = \"second banner\" (file)"), "{log}");
    assert!(log.contains("SIGHUP: changed: log.level = \"debug\" (file)"), "{log}");
    // A client that leaves in the middle of its request causes a line of this level.
    let mut vanishing = daemon.client();
    vanishing.write(b"GET / HTTP/1.1\r\nHo").unwrap();
    drop(vanishing);
    eventually("lines of the level debug", || site.log().contains("DEBUG"));

    // A level that hides all of this applies, too, and what changed is logged before.
    site.set("[log]\nlevel = 'error'");
    site.reload(&daemon, "SIGHUP: changed: log.level = \"error\"");
    assert_eq!(banner(&mut client), "");
    drop(client);
    daemon.signal("TERM");
    assert!(daemon.wait().1.success());
    assert!(!site.log().contains("SIGTERM: stopping"), "{}", site.log());
}

#[test]
fn wrong_settings_leave_the_old_ones_in_force() {
    let site = ReloadSite::new("[web]\nbanner = 'first banner'");
    let daemon = site.start();
    let mut client = daemon.client();
    fs::create_dir(site.site.path("templates")).unwrap();
    fs::write(site.site.path("templates/event.txt"), "{{ nothing").unwrap();
    let templates = format!("[notifications]\ntemplates = '{}'", site.site.path("templates").display());
    for (wrong, reason) in [
        ("listne = 'x'".to_owned(), "listne"),
        ("[mail]\nfrom = 'nobody'".to_owned(), "mail.from"),
        ("[mail]\ntls = 'tls'\nca_file = '/nowhere/ca.pem'".to_owned(), "/nowhere/ca.pem"),
        ("[mail]\npassword_file = '/nowhere/password'".to_owned(), "/nowhere/password"),
        (templates, "event.txt"),
        // Nothing that needs a restart is taken over, but the restart would fail.
        ("trusted_proxies = ['localhost']".to_owned(), "trusted_proxies"),
    ] {
        site.set(&format!("{wrong}\n[web]\nbanner = 'second banner'"));
        site.reload(&daemon, REFUSED);
        let log = site.log();
        assert!(log.rsplit(REFUSED).next().unwrap().contains(reason), "{log}");
        assert_eq!(banner(&mut client), "first banner", "{wrong}");
    }
    fs::remove_file(site.file()).unwrap();
    site.reload(&daemon, REFUSED);
    site.set("[web]\nbanner = 'second banner'");
    site.reload(&daemon, DONE);
    assert_eq!(banner(&mut client), "second banner");
    drop(client);
    daemon.stop();
}

#[test]
fn settings_that_need_a_restart_are_named_and_stay() {
    let site = ReloadSite::new("[tokens]\nlife_days = 3");
    let daemon = site.start();
    site.set("max_connections = 7\n[tokens]\nlife_days = 5\n[web]\nbanner = 'second banner'");
    for _ in 0..2 {
        site.reload(&daemon, "SIGHUP: needs a restart: tokens.life_days = \"5\" (file)");
        site.reload(&daemon, "SIGHUP: needs a restart: max_connections = \"7\" (file)");
    }
    assert_eq!(banner(&mut daemon.client()), "second banner");
    assert_eq!(site.log().matches("changed: web.banner").count(), 1, "what is in force has not changed again");
    daemon.stop();
}

#[test]
fn the_page_of_settings_shows_those_in_force() {
    let site = ReloadSite::new("[mail]\nhost = 'old.example.org'\n[tokens]\nlife_days = 3");
    let daemon = site.start();
    site.set("[mail]\nhost = 'new.example.org'\n[tokens]\nlife_days = 5");
    site.reload(&daemon, DONE);
    let mut client = daemon.client();
    let page = client.get("/accounts/login/");
    let csrf = page.head.split("csrftoken=").nth(1).unwrap().split(';').next().unwrap().to_owned();
    let body = format!("csrf={csrf}&username=admin&password=correct+horse");
    let request = format!(
        "POST /accounts/login/ HTTP/1.1\r\nHost: test\r\nCookie: csrftoken={csrf}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    client.write(request.as_bytes()).unwrap();
    let answer = client.read().unwrap();
    let session = answer.head.split("sessionid=").nth(1).unwrap().split(';').next().unwrap().to_owned();
    client
        .write(format!("GET /admin/settings/ HTTP/1.1\r\nHost: test\r\nCookie: sessionid={session}\r\n\r\n").as_bytes())
        .unwrap();
    let page = client.read().unwrap().body;
    assert!(page.contains("new.example.org") && !page.contains("old.example.org"), "{page}");
    let row = page.split("tokens.life_days").nth(1).unwrap().split("</tr>").next().unwrap();
    assert!(row.contains('3') && !row.contains('5'), "{row}");
    drop(client);
    daemon.stop();
}

#[test]
fn mail_goes_to_the_new_server_with_the_new_template() {
    let (old, new) = (SmtpSink::start(), SmtpSink::start());
    let mail = |sink: &SmtpSink| format!("[mail]\nhost = '127.0.0.1'\nport = {}\n", sink.port);
    let site = ReloadSite::new(&mail(&old));
    site.site.ok(&["user", "create", "anna", "--email", "anna@example.org"]);
    let token = site.site.ok(&["token", "create", "anna"]);
    let daemon = site.start();
    let mut client = daemon.client().with_token(&token);
    let mut send = || {
        let sent = client.post("/argusd/v1/destinations/1/test/", &json!({}));
        assert_eq!((sent.status, &sent.json()["outcome"]), (200, &json!("sent")), "{}", sent.body);
    };
    send();
    assert_eq!((old.mails().len(), new.mails().len()), (1, 0));
    fs::create_dir(site.site.path("templates")).unwrap();
    fs::write(site.site.path("templates/test.txt"), "Text of the first template\n").unwrap();
    let templates = format!("[notifications]\ntemplates = '{}'\n", site.site.path("templates").display());
    site.set(&format!("{}{templates}", mail(&new)));
    site.reload(&daemon, DONE);
    send();
    assert_eq!((old.mails().len(), new.mails().len()), (1, 1));
    assert!(new.mails()[0].raw.contains("Text of the first template"), "{}", new.mails()[0].raw);
    // The settings are the same, but the file has another text.
    fs::write(site.site.path("templates/test.txt"), "Text of the second template\n").unwrap();
    site.reload(&daemon, DONE);
    send();
    assert!(new.mails()[1].raw.contains("Text of the second template"), "{}", new.mails()[1].raw);
    daemon.stop();
}

#[test]
fn secrets_of_files_are_read_again_and_not_logged() {
    let site = ReloadSite::new("");
    let password = site.site.path("password");
    fs::write(&password, "one-secret").unwrap();
    site.set(&format!("[mail]\nusername = 'argus'\npassword_file = '{}'", password.display()));
    let daemon = site.start();
    fs::write(&password, "another-secret").unwrap();
    site.reload(&daemon, "SIGHUP: changed: mail.password = \"(set)\" (file)");
    assert!(!site.log().contains("secret\""), "{}", site.log());
    assert!(!site.log().contains("one-secret") && !site.log().contains("another-secret"));
    daemon.stop();
}

#[test]
fn requests_under_way_are_not_disturbed() {
    let site = ReloadSite::new("");
    let token = site.site.source("tester");
    let daemon = site.start();
    let mut client = daemon.client().with_token(&token);
    let body = incident("1").to_string();
    let head = format!(
        "POST /api/v2/incidents/ HTTP/1.1\r\nHost: test\r\nAuthorization: Token {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (beginning, rest) = body.split_at(body.len() / 2);
    client.write(format!("{head}{beginning}").as_bytes()).unwrap();
    site.reload(&daemon, DONE);
    client.write(rest.as_bytes()).unwrap();
    assert_eq!(client.read().unwrap().status, 201);
    drop(client);
    daemon.stop();
}

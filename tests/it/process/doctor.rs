//! `argusd doctor` and `argusd mail test` of the real program: planted faults, and how to fix them.

use std::{
    collections::BTreeSet,
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use serde_json::Value;

use crate::support::{
    daemon::{Daemon, Site, incident, stderr},
    eventually::eventually,
    sinks::{Mood, SmtpSink, Step, TlsSink},
};

/// A site whose mail server is a sink.
struct Patient {
    site: Site,
    sink: SmtpSink,
    /// Variables beside those of a healthy server.
    variables: Vec<(&'static str, String)>,
    listen: &'static str,
}

impl Patient {
    fn new() -> Self {
        let listen = "127.0.0.1:0";
        Self { site: Site::in_memory(), sink: SmtpSink::start(), variables: Vec::new(), listen }
    }

    fn with(variables: &[(&'static str, String)]) -> Self {
        Self { variables: variables.to_vec(), ..Self::new() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.site.command(args);
        command
            .env("EMAIL_HOST", "127.0.0.1")
            .env("EMAIL_PORT", self.sink.port.to_string())
            .env("EMAIL_HOST_USER", "argus")
            .env("EMAIL_HOST_PASSWORD", "hunter2")
            .env("DEFAULT_FROM_EMAIL", "argus@example.org")
            .env("ARGUSD_MAIL_TIMEOUT_SECONDS", "5")
            .env("ARGUSD_PLUGINS", self.site.path("plugins"));
        command.envs(self.variables.iter().map(|(name, value)| (*name, value.as_str())));
        command
    }

    fn start(&self) -> Daemon {
        Daemon::start(self.command(&["serve", "--listen", self.listen]))
    }

    fn ok(&self, args: &[&str]) {
        let output = self.command(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    }

    /// The findings that are not good, and the exit status.
    #[track_caller]
    fn examine(&self) -> (Vec<Value>, i32) {
        let output = self.command(&["doctor", "--json"]).output().unwrap();
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        let findings: Vec<Value> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text} {}", stderr(&output)));
        let problems = findings.into_iter().filter(|finding| finding["level"] != "good").collect();
        (problems, output.status.code().unwrap())
    }

    /// Expects exactly these checks to find something, the first of them with this level, text and fix.
    #[track_caller]
    fn expect(&self, checks: &[&str], level: &str, found: &str, fix: &str) {
        let (problems, status) = self.examine();
        let names: BTreeSet<&str> = problems.iter().map(|it| it["check"].as_str().unwrap()).collect();
        let wanted: BTreeSet<&str> = checks.iter().copied().collect();
        assert_eq!(names, wanted, "{problems:#?}");
        let first = problems.iter().find(|it| it["check"] == checks[0]).unwrap();
        assert_eq!(first["level"], level, "{first:#}");
        let has = |key: &str, wanted: &str| first[key].as_str().unwrap().contains(wanted);
        assert!(has("found", found), "{found}: {first:#}");
        assert!(has("fix", fix), "{fix}: {first:#}");
        let is_bad = problems.iter().any(|it| it["level"] == "bad");
        assert_eq!(status, i32::from(is_bad), "{problems:#?}");
    }

    #[track_caller]
    fn expect_health(&self) {
        assert_eq!(self.examine(), (Vec::new(), 0));
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn faults_of_a_running_server_are_found_one_by_one() {
    let patient = Patient::with(&[("ARGUSD_TOKEN_WARNING_DAYS", "30".to_owned())]);
    let daemon = patient.start();
    patient.ok(&["user", "change", "admin", "--email", "admin@example.org"]);
    patient.expect_health();

    for (step, answer, found, fix) in [
        (Step::Greeting, "554 no service", "is not reached: ", "mail.host and mail.port"),
        (Step::Auth, "535 5.7.8 wrong", "refuses the login: 535 5.7.8 wrong", "mail.username and mail.password_file"),
        (Step::Sender, "553 not yours", "refuses the sender argus@example.org: 553 not yours", "mail.from"),
        (
            Step::Recipient,
            "554 relay denied",
            "refuses the recipient admin@example.org: 554 relay denied",
            "set mail.username",
        ),
    ] {
        patient.sink.set(Mood::Answer(step, answer));
        patient.expect(&["mail"], "bad", found, fix);
    }
    patient.sink.set(Mood::Answer(Step::Recipient, "450 greylisted"));
    patient.expect(&["mail"], "warning", "defers mail to admin@example.org: 450", "greylisting");
    patient.sink.set(Mood::Accept);
    patient.expect_health();
    assert!(patient.sink.mails().is_empty() && !patient.sink.saw("DATA"), "nothing is sent");
    assert!(patient.sink.saw("QUIT"));

    let path = |suffix: &str| patient.site.path(&format!("argusd.redb{suffix}"));
    for (suffix, bad, good) in [("", 0o644, 0o600), (".search", 0o755, 0o700), (".sock", 0o666, 0o600)] {
        let path = path(suffix);
        set_mode(&path, bad);
        patient.expect(&["files"], "bad", &format!("mode 0{bad:o}"), path.to_str().unwrap());
        set_mode(&path, good);
    }

    let password = path(".admin-password");
    fs::write(&password, "x").unwrap();
    set_mode(&password, 0o600);
    patient.expect(&["first_password"], "warning", "argusd.redb.admin-password", "run: rm ");
    fs::remove_file(&password).unwrap();

    patient.ok(&["source", "create", "nav", "--type", "test", "--token"]);
    patient.expect(&["tokens"], "warning", "Token for source system", "argusd token create");
    patient.ok(&["token", "revoke", "--user", "nav"]);

    let own = patient.site.path("password");
    fs::write(&own, "correct horse").unwrap();
    patient.ok(&["user", "create", "bob", "--password-file", own.to_str().unwrap()]);
    patient.expect(&["links"], "warning", "leads nowhere", "public_url = \"https://");
    patient.ok(&["user", "deactivate", "bob"]);
    patient.expect_health();

    let mut client = daemon.client();
    let head = "POST /api/v2/token-auth/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json";
    client.write(format!("{head}\r\nX-Forwarded-For: 192.0.2.1\r\nContent-Length: 2\r\n\r\n{{}}").as_bytes()).unwrap();
    client.read().unwrap();
    let fix = "trusted_proxies = [\"127.0.0.1\"]";
    patient.expect(&["proxies", "links"], "warning", "127.0.0.1 sends X-Forwarded-For", fix);
    daemon.stop();
    patient.expect(&["server"], "warning", "the server does not run", "systemctl start argusd");
}

#[test]
fn faults_of_the_settings_are_found_one_by_one() {
    let set = |name: &'static str, value: &str| [(name, value.to_owned())];
    for (variables, checks, level, found, fix) in [
        (set("DATABASE_URL", "postgres://x"), &["old_variables"][..], "warning", "DATABASE_URL is set", "ARGUSD_DATA"),
        (set("SECRET_KEY", "x"), &["old_variables"], "warning", "SECRET_KEY is set", "Remove SECRET_KEY"),
        (set("ARGUSD_TRUSTED_PROXIES", "0.0.0.0/0"), &["proxies"], "bad", "0.0.0.0/0", "ARGUSD_TRUSTED_PROXIES"),
        (set("EMAIL_HOST", "mail.invalid"), &["dns", "mail"], "bad", "mail.invalid (mail.host)", "Correct mail.host"),
        (set("ARGUS_SEND_NOTIFICATIONS", "off"), &["queue"], "warning", "switched off", "notifications.send = true"),
        (set("ARGUSD_PUBLIC_URL", "http://0.0.0.0/"), &["links"], "warning", "http://0.0.0.0/", "ARGUSD_PUBLIC_URL"),
    ] {
        let patient = Patient::with(&variables);
        let daemon = patient.start();
        patient.ok(&["user", "change", "admin", "--email", "admin@example.org"]);
        patient.expect(checks, level, found, fix);
        daemon.stop();
    }
}

#[test]
fn a_wildcard_without_a_public_url_is_found_and_logged() {
    let patient = Patient { listen: "0.0.0.0:0", ..Patient::new() };
    let log = patient.site.path("log");
    let daemon =
        Daemon::start_with_log(patient.command(&["serve", "--listen", patient.listen]), File::create(&log).unwrap());
    patient.expect(&["links"], "warning", "they begin with http://0.0.0.0:", "ARGUSD_PUBLIC_URL");
    daemon.stop();
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("WARN") && said.contains("links in messages begin with http://0.0.0.0:"), "{said}");
}

#[test]
fn an_old_variable_is_one_warning_at_the_start() {
    let patient = Patient::with(&[("DATABASE_URL", "postgres://secret@x".to_owned())]);
    let log = patient.site.path("log");
    let command = patient.command(&["serve", "--listen", patient.listen]);
    Daemon::start_with_log(command, File::create(&log).unwrap()).stop();
    let said = fs::read_to_string(&log).unwrap();
    assert_eq!(said.matches("DATABASE_URL is set").count(), 1, "{said}");
    assert!(!said.contains("secret@x"), "{said}");
}

#[test]
fn an_expired_certificate_is_found() {
    let tls = TlsSink::start(include_str!("../support/expired.pem"));
    let variables = [("ARGUSD_MAIL_TLS", "tls".to_owned()), ("EMAIL_PORT", tls.port.to_string())];
    let patient = Patient::with(&variables);
    let daemon = patient.start();
    patient.expect(
        &["certificate", "mail"],
        "bad",
        "expired on 2020-02-01",
        "Renew the certificate of the mail server",
    );
    daemon.stop();
    let public = Patient::with(&[("ARGUSD_PUBLIC_URL", format!("https://127.0.0.1:{}/", tls.port))]);
    let daemon = public.start();
    public.expect(&["certificate"], "bad", "expired on 2020-02-01", "certbot renew");
    daemon.stop();
}

#[test]
fn a_plug_in_that_does_not_start_and_readable_secrets_are_found() {
    let mut patient = Patient::new();
    let plugins = patient.site.path("plugins");
    fs::create_dir(&plugins).unwrap();
    let plugin = plugins.join("rooms");
    fs::write(&plugin, "#!/bin/sh\nexit 1\n").unwrap();
    set_mode(&plugin, 0o755);
    let daemon = patient.start();
    eventually("the plug-in was started", || !patient.examine().0.is_empty());
    patient.expect(&["plugins"], "bad", "rooms does not start", "argusd channel types");
    daemon.stop();
    fs::remove_file(&plugin).unwrap();

    let secret = patient.site.path("mail-password");
    fs::write(&secret, "hunter2").unwrap();
    set_mode(&secret, 0o644);
    let settings = patient.site.path("argusd.toml");
    let text = "[sms.http]\nurl = 'http://127.0.0.1:9/'\nheaders = { Authorization = 'hunter2' }\n";
    fs::write(&settings, text).unwrap();
    set_mode(&settings, 0o640);
    let name = |path: &Path| path.to_str().unwrap().to_owned();
    patient.variables = vec![("ARGUSD_MAIL_PASSWORD_FILE", name(&secret)), ("ARGUSD_CONFIG", name(&settings))];
    let daemon = patient.start();
    patient.expect(&["files"], "bad", "mail-password (a file with secrets)", "chmod o= ");
    set_mode(&secret, 0o600);
    patient.expect_health();
    set_mode(&settings, 0o644);
    patient.expect(&["files"], "bad", "argusd.toml (a file with secrets)", "chmod o= ");
    daemon.stop();
}

#[test]
fn warnings_fail_only_if_that_is_asked_for() {
    let patient = Patient::with(&[("SECRET_KEY", "x".to_owned())]);
    let daemon = patient.start();
    let run = |args: &[&str]| patient.command(args).output().unwrap();
    let (plain, strict) = (run(&["doctor"]), run(&["doctor", "--strict"]));
    assert_eq!((plain.status.code(), strict.status.code()), (Some(0), Some(1)));
    let text = String::from_utf8(plain.stdout).unwrap();
    assert!(text.starts_with("warning  Old variables: SECRET_KEY is set"), "{text}");
    assert!(text.contains("\n         Remove SECRET_KEY.\n"), "{text}");
    assert!(text.contains("0 bad, 1 warning, "), "{text}");
    daemon.stop();
}

#[test]
fn the_doctor_changes_no_file_and_makes_none() {
    let patient = Patient::new();
    patient.expect(&["server"], "warning", "there is no data file", "ARGUSD_DATA");
    let empty: Vec<_> = fs::read_dir(patient.site.path("")).unwrap().collect();
    assert!(empty.is_empty(), "{empty:?}");
    patient.start().stop();
    let before = fs::read(patient.site.data()).unwrap();
    patient.expect(&["server"], "warning", "the server does not run", "argusd serve");
    assert!(fs::read(patient.site.data()).unwrap() == before, "unchanged");
    fs::write(patient.site.data(), "no data file").unwrap();
    patient.expect(&["server"], "bad", "cannot be read", "restore a backup");
}

#[test]
fn a_test_mail_shows_the_steps_and_the_answer() {
    let patient = Patient::new();
    let mail_to = |address: &str| patient.command(&["mail", "test", address]).output().unwrap();
    let both = || {
        patient.sink.set(Mood::Accept);
        let mails = patient.sink.mails().len();
        let output = mail_to("noc@example.org");
        assert!(output.status.success(), "{}", stderr(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        for step in ["connected to 127.0.0.1:", "AUTH: 235", "MAIL FROM: 250", "RCPT TO: 250"] {
            assert!(text.contains(step), "{step}: {text}");
        }
        assert!(text.ends_with("accepted for noc@example.org: 250 2.0.0 Taken\n"), "{text}");
        assert_eq!(patient.sink.mails().len(), mails + 1);
        assert_eq!(patient.sink.mails()[mails].to, ["noc@example.org"]);

        patient.sink.set(Mood::Answer(Step::Recipient, "550 no such user"));
        let output = mail_to("noc@example.org");
        assert_eq!(output.status.code(), Some(1));
        assert!(
            stderr(&output).contains("the mail was not accepted: RCPT TO: 550 no such user"),
            "{}",
            stderr(&output)
        );
        assert!(String::from_utf8(output.stdout).unwrap().contains("MAIL FROM: 250"));
        let output = mail_to("nobody");
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("address is not valid"), "{}", stderr(&output));
    };
    both();
    assert!(!patient.site.data().exists(), "no data file is needed");
    let daemon = patient.start();
    both();
    daemon.stop();
}

#[test]
fn a_backup_that_is_late_is_found() {
    let patient = Patient::new();
    let backup = patient.site.path("backups/argusd-2020-01-01T0000Z.redb");
    fs::create_dir(backup.parent().unwrap()).unwrap();
    let written = SystemTime::UNIX_EPOCH + Duration::from_hours(24 * 365 * 50);
    File::create(&backup).unwrap().set_modified(written).unwrap();
    let daemon = patient.start();
    patient.expect(&["backups"], "bad", "the newest one in ", "argusd backup ");
    daemon.stop();
}

#[test]
fn a_destination_that_never_worked_is_found() {
    let patient = Patient::new();
    patient.site.ok(&["user", "create", "anna", "--email", "anna@example.org"]);
    let token = patient.site.ok(&["token", "create", "anna"]);
    let source = patient.site.source("nav");
    let daemon = patient.start();
    let mut anna = daemon.client().with_token(&token);
    let filter = anna.filter("all").everything().post();
    let timeslot = anna.timeslot("always").post();
    anna.profile().timeslot(timeslot).filter(filter).destination(1).post();
    patient.sink.set_for("anna@example.org", Mood::Answer(Step::Recipient, "550 no such user"));
    daemon.client().with_token(&source).incident().with(incident("1")).post();
    eventually("the message fails", || patient.examine().0.iter().any(|finding| finding["check"] == "failed_messages"));
    let checks = ["destinations", "failed_messages"];
    let found = "anna (email anna@example.org): 1 message failed, none was sent (RCPT TO: 550 no such user)";
    patient.expect(&checks, "warning", found, "Correct the address");
    daemon.stop();
}

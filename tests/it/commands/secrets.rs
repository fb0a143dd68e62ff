//! Where passwords and tokens come from: a terminal without echo, files, and standard input.

use std::{
    io::{Read, Write},
    process::Stdio,
};

use serde_json::json;

use super::terminal::on_terminal;
use crate::support::daemon::{Daemon, Site, stderr};

fn login(daemon: &Daemon, username: &str, password: &str) -> u16 {
    let body = json!({"username": username, "password": password});
    daemon.client().post("/api/v2/token-auth/", &body).status
}

#[test]
fn a_password_is_asked_twice_on_a_terminal_without_echo() {
    let site = Site::new();
    let daemon = site.start();
    let answers = [("New password: ", "open sesame"), ("again: ", "open sesame")];
    for command in [&["user", "password", "admin"][..], &["user", "create", "anna", "--password-file", "-"]] {
        let seen = on_terminal(&site, command, &answers);
        assert!(seen.success, "{}", seen.text);
        assert!(!seen.text.contains("sesame"), "{}", seen.text);
    }
    assert_eq!((login(&daemon, "admin", "open sesame"), login(&daemon, "anna", "open sesame")), (200, 200));
    daemon.stop();
}

#[test]
fn two_different_passwords_on_a_terminal_change_nothing() {
    let site = Site::new();
    let daemon = site.start();
    let answers = [("New password: ", "open sesame"), ("again: ", "open sesamE")];
    let seen = on_terminal(&site, &["user", "password", "admin"], &answers);
    assert!(!seen.success && seen.text.contains("the passwords differ"), "{}", seen.text);
    let seen = on_terminal(&site, &["user", "password", "admin"], &[("New password: ", "short")]);
    assert!(!seen.success && seen.text.contains("use at least 8 characters"), "{}", seen.text);
    let seen = on_terminal(&site, &["user", "password", "admin"], &[("New password: ", "")]);
    assert!(!seen.success && seen.text.contains("nothing was typed"), "{}", seen.text);
    assert_eq!(login(&daemon, "admin", "correct horse"), 200);
    daemon.stop();
}

#[test]
fn a_token_is_asked_on_a_terminal_without_echo() {
    let site = Site::new();
    site.ok(&["user", "list"]);
    let token = "0123456789abcdef0123456789abcdef01234567";
    let seen = on_terminal(&site, &["token", "revoke", "--value-file", "-"], &[("Token: ", token)]);
    assert!(!seen.success && seen.text.contains("there is no such token"), "{}", seen.text);
    assert!(!seen.text.contains(token), "{}", seen.text);
}

#[test]
fn the_end_of_a_line_ends_a_secret_on_standard_input() {
    let site = Site::new();
    site.ok(&["user", "list"]);
    for (args, line) in [
        (&["user", "password", "admin"][..], "battery staple"),
        (&["user", "create", "anna", "--password-file", "-"], "battery staple\r"),
        (&["token", "create", "admin", "--value-file", "-"], "0123456789abcdef0123456789abcdef01234567"),
        (&["token", "revoke", "--value-file", "-"], "0123456789abcdef0123456789abcdef01234567"),
    ] {
        let mut command = site.command(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // The pipe stays open until the command has ended.
        let mut pipe = child.stdin.take().unwrap();
        writeln!(pipe, "{line}").unwrap();
        let status = child.wait().unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        drop(pipe);
        assert!(status.success(), "{args:?}: {said}");
    }
    let daemon = site.start();
    assert_eq!((login(&daemon, "admin", "battery staple"), login(&daemon, "anna", "battery staple")), (200, 200));
    daemon.stop();
}

#[test]
fn secrets_come_from_files() {
    let site = Site::new();
    let file = |name: &str, text: &str| {
        std::fs::write(site.path(name), text).unwrap();
        name.to_owned()
    };
    site.ok(&["user", "create", "anna", "--password-file", &file("one", "first password\nsecond line\n")]);
    site.ok(&["user", "password", "admin", "--password-file", &file("two", "second password")]);
    let token = "0123456789abcdef0123456789abcdef01234567";
    assert_eq!(site.ok(&["token", "create", "anna", "--value-file", &file("three", token)]), token);
    assert!(
        site.fails(&["user", "password", "admin", "--password-file", &file("four", "\n")]).contains("four is empty")
    );
    assert!(site.fails(&["user", "password", "admin", "--password-file", "five"]).contains("cannot read five"));
    let daemon = site.start();
    assert_eq!((login(&daemon, "anna", "first password"), login(&daemon, "admin", "second password")), (200, 200));
    daemon.stop();
}

#[test]
fn a_password_has_at_least_eight_characters_wherever_it_is_set() {
    const TEXT: &str = "use at least 8 characters";
    // Seven characters in fourteen bytes, and eight.
    let (short, long) = ("øøøøøøø", "øøøøøøøø");
    let site = Site::new();
    std::fs::write(site.path("short"), short).unwrap();
    std::fs::write(site.path("long"), long).unwrap();
    let first_start = |variable: &str, value: &str, flag: &str| {
        let mut command = site.command(&["serve", "--listen", "127.0.0.1:0", "--data", flag]);
        command.env_remove("ARGUSD_ADMIN_PASSWORD").env(variable, value);
        command
    };
    for (variable, value) in [("ARGUSD_ADMIN_PASSWORD", short), ("ARGUSD_ADMIN_PASSWORD_FILE", "short")] {
        let output = first_start(variable, value, "new.redb").output().unwrap();
        assert!(!output.status.success() && stderr(&output).contains(TEXT), "{variable}: {}", stderr(&output));
        assert!(stderr(&output).contains(&format!("admin.password ({variable})")), "{}", stderr(&output));
        assert!(!site.path("new.redb").exists(), "it is refused before anything is created");
    }
    let daemon = Daemon::start(first_start("ARGUSD_ADMIN_PASSWORD", long, "new.redb"));
    assert_eq!(login(&daemon, "admin", long), 200);
    daemon.stop();
    // The password is not used any longer, so it keeps no server from starting.
    Daemon::start(first_start("ARGUSD_ADMIN_PASSWORD", short, "new.redb")).stop();

    site.ok(&["user", "list"]);
    assert!(site.fails(&["user", "create", "anna", "--password-file", "short"]).contains(TEXT));
    assert!(site.fails(&["user", "password", "admin", "--password-file", "short"]).contains(TEXT));
    site.ok(&["user", "create", "anna", "--password-file", "long"]);
}

#[test]
fn the_longest_password_is_counted_in_characters_by_the_api_too() {
    let site = Site::new();
    let longest = "ø".repeat(1_024);
    std::fs::write(site.path("longest"), &longest).unwrap();
    site.ok(&["user", "password", "admin", "--password-file", "longest"]);
    let daemon = site.start();
    assert_eq!(login(&daemon, "admin", &longest), 200);
    daemon.stop();
}

//! Values that cannot be right are refused, and each error is said once.

use std::process::Command;

use crate::{
    delivery::plugins::install,
    support::daemon::{Site, stderr},
};

#[test]
fn a_channel_type_that_does_not_exist_is_refused() {
    let site = Site::new();
    let plugins = install(site.data().parent().unwrap());
    for running in [false, true] {
        let with_plugins = |mut command: Command| {
            command.env("ARGUSD_PLUGINS", &plugins);
            command
        };
        site.ok(&["user", "list"]);
        let serve = site.command(&["serve", "--listen", "127.0.0.1:0"]);
        let daemon = running.then(|| crate::support::daemon::Daemon::start(with_plugins(serve)));
        let run = |args: &[&str]| with_plugins(site.command(args)).output().unwrap();
        let output = run(&["channel", "create", "--name", "a", "--type", "emial"]);
        let said = stderr(&output);
        assert!(!output.status.success() && said.contains("there is no channel type \"emial\""), "{said}");
        assert!(said.contains("email") && said.contains("room"), "{said}");
        let name = if running { "two" } else { "one" };
        assert!(run(&["channel", "create", "--name", name, "--type", "room"]).status.success());
        assert!(!run(&["channel", "change", name, "--type", "rom"]).status.success());
        assert!(run(&["channel", "change", name, "--type", "email"]).status.success());
        if let Some(daemon) = daemon {
            daemon.stop();
        }
    }
    let said = site.fails(&["channel", "create", "--name", "b", "--type", "room"]);
    assert!(said.contains("no plug-in is installed"), "{said}");
}

#[test]
fn a_permission_that_does_not_exist_is_refused() {
    let site = Site::new();
    site.ok(&["user", "list"]);
    let said = site.fails(&["user", "create", "anna", "--grant", "nonsense/perm"]);
    assert!(said.contains("there is no permission \"nonsense/perm\"; possible are notifications/api/v1"), "{said}");
    site.ok(&["user", "create", "anna", "--grant", "notifications/api/v1"]);
    assert!(site.fails(&["user", "change", "anna", "--grant", "x"]).contains("there is no permission \"x\""));
    site.ok(&["user", "change", "anna", "--revoke-grant", "notifications/api/v1"]);
}

#[test]
fn addresses_that_cannot_be_are_refused() {
    let site = Site::new();
    site.ok(&["user", "list"]);
    assert!(site.fails(&["user", "create", "anna", "--email", "anna"]).contains("is not a valid e-mail address"));
    for wrong in ["nonsense", "nav.example.org", "https://", "javascript:alert(1)", "https://a b/"] {
        let said = site.fails(&["source", "create", "nav", "--type", "nav", "--base-url", wrong]);
        assert!(said.contains("--base-url: ") && said.contains("is no web address"), "{wrong}: {said}");
    }
    assert!(!site.ok(&["source", "list"]).contains("nav"), "nothing was created");
    site.ok(&["source", "create", "nav", "--type", "nav", "--base-url", "https://nav.example.org/"]);
    site.ok(&["source", "create", "zino", "--type", "zino", "--base-url", ""]);
}

#[test]
fn a_change_of_nothing_is_refused() {
    let site = Site::new();
    site.ok(&["channel", "create", "--name", "a", "--type", "email"]);
    for (command, flag) in [(&["user", "change", "admin"], "--email"), (&["channel", "change", "a"], "--offered")] {
        let output = site.run(command);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(flag), "{}", stderr(&output));
    }
}

#[test]
fn a_deactivated_user_gets_no_token() {
    let site = Site::new();
    site.ok(&["user", "create", "anna"]);
    site.ok(&["user", "deactivate", "anna"]);
    let said = site.fails(&["token", "create", "anna"]);
    assert!(said.contains("user anna is deactivated"), "{said}");
    site.ok(&["user", "change", "anna", "--active"]);
    site.ok(&["token", "create", "anna"]);
}

/// Each error on one line, with nothing said twice.
#[test]
fn errors_are_said_once() {
    let site = Site::new();
    std::fs::write(site.path("text"), "this is a text\n").unwrap();
    std::fs::create_dir(site.path("folder")).unwrap();
    site.ok(&["user", "list"]);
    for args in [
        &["serve", "--data", "text"][..],
        &["check", "--data", "text"],
        &["user", "list", "--data", "text"],
        &["user", "list", "--data", "folder"],
        &["serve", "--data", "/proc/argusd.redb", "--listen", "127.0.0.1:0"],
        &["serve", "--data", "/nowhere/argusd.redb", "--listen", "127.0.0.1:0"],
        &["serve", "--data", "new.redb", "--listen", "192.0.2.1:1"],
        &["backup", "/nowhere/copy.redb"],
        &["--config", "/nowhere", "user", "list"],
        &["channel", "create", "--name", "a", "--type", "email", "--config", "/nowhere"],
        &["user", "create", "a b"],
        &["token", "revoke", "4711"],
        &["stress", "http://127.0.0.1:1", "abc", "--seconds", "1"],
    ] {
        let output = site.run(args);
        assert!(!output.status.success(), "{args:?}");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
        for line in said.lines() {
            let parts: Vec<&str> = line.split(": ").collect();
            for (at, part) in parts.iter().enumerate() {
                assert!(!parts[..at].contains(part), "{args:?} says {part:?} twice: {said}");
            }
        }
        assert!(!said.contains("failed: Error") && !said.contains("magic number"), "{args:?}: {said}");
    }
}

#[test]
fn a_file_of_another_type_is_called_the_same_by_all_commands() {
    let site = Site::new();
    for (name, bytes) in [("text", &b"this is a text\n"[..]), ("zeros", &[0; 8_192]), ("empty", b"")] {
        std::fs::write(site.path(name), bytes).unwrap();
        let text = format!("{name} is not a data file of argusd");
        for command in [&["check"][..], &["user", "list"], &["reindex"], &["serve", "--listen", "127.0.0.1:0"]] {
            if name == "empty" && command[0] == "serve" {
                continue;
            }
            let output = site.run(&[command, &["--data", name]].concat());
            let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
            assert!(!output.status.success() && said.contains(&text), "{command:?} {name}: {said}");
        }
    }
}

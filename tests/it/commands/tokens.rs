//! Tokens that commands create: scripts read the token alone, and people see when it expires.

use crate::support::daemon::{Site, stderr};

#[test]
fn the_end_of_a_token_is_printed_on_standard_error_and_the_token_alone_on_standard_output() {
    let site = Site::new();
    site.ok(&["user", "list"]);
    for running in [false, true] {
        let daemon = running.then(|| site.start());
        let name = if running { "nav" } else { "zabbix" };
        let run = |args: &[&str]| {
            let output = site.run(args);
            assert!(output.status.success(), "{args:?}: {}", stderr(&output));
            let token = String::from_utf8(output.stdout.clone()).unwrap();
            assert!(token.len() == 41 && token.trim_end().bytes().all(|b| b.is_ascii_hexdigit()), "{token:?}");
            stderr(&output)
        };
        let said = run(&["source", "create", name, "--type", "test", "--token"]);
        assert!(said.starts_with(&format!("the token of user {name} expires at 2")), "{said}");
        let said = run(&["source", "create", &format!("{name}2"), "--type", "test", "--token", "--expires", "never"]);
        assert_eq!(said, format!("the token of user {name}2 does not expire\n"));
        let said = run(&["token", "create", "admin", "--expires", "never"]);
        assert_eq!(said, "the token of user admin does not expire\n");
        let said = run(&["token", "create", "admin", "--expires", "30"]);
        assert!(said.starts_with("the token of user admin expires at 2"), "{said}");
        if let Some(daemon) = daemon {
            daemon.stop();
        }
    }
}

#[test]
fn a_sources_token_expires_when_it_was_asked_to() {
    let site = Site::new();
    site.ok(&["source", "create", "nav", "--type", "test", "--token", "--expires", "365"]);
    let rows: serde_json::Value = serde_json::from_str(&site.ok(&["token", "list", "--json"])).unwrap();
    let time = |name: &str| rows[0][name].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert_eq!((time("expires") - time("created")).num_days(), 365);
    assert!(site.fails(&["source", "create", "b", "--type", "test", "--expires", "5"]).contains("--token"));
}

//! The exit code of a server that cannot start: 78 if the settings are wrong, so that a service manager does not try
//! again, and 1 otherwise.

use std::process::Command;

use crate::support::daemon::{Site, stderr};

fn outcome(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    (output.status.code(), stderr(&output))
}

#[test]
fn wrong_settings_have_a_code_of_their_own() {
    let site = Site::new();
    let config = site.path("argusd.toml");
    std::fs::create_dir(site.path("templates")).unwrap();
    std::fs::write(site.path("templates/event.txt"), "{{ nothing").unwrap();
    let tls = |name: &str| format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    for (text, complaint) in [
        ("listne = 'x'".to_owned(), "listne"),
        ("listen = 'x'".to_owned(), "HOST:PORT"),
        ("listen = 'unix:relative'".to_owned(), "no absolute path"),
        ("public_url = 'https://noc.example.org/argus/'".to_owned(), "a host name of its own"),
        ("trusted_proxies = ['localhost']".to_owned(), "trusted_proxies"),
        ("[mail]\npassword_file = '/nowhere/password'".to_owned(), "/nowhere/password"),
        ("[mail]\nca_file = '/nowhere/ca.pem'\ntls = 'tls'".to_owned(), "/nowhere/ca.pem"),
        ("[mail]\nfrom = 'nobody'".to_owned(), "mail.from"),
        (format!("[notifications]\ntemplates = '{}'", site.path("templates").display()), "event.txt"),
        ("[notifications]\nfallback_filter = '{\"maxlevel\": 77}'".to_owned(), "fallback_filter"),
        ("[web]\ntokens = '/nowhere/tokens.css'".to_owned(), "/nowhere/tokens.css"),
        ("[tls]\ncert = '/nowhere/cert.pem'".to_owned(), "tls.key"),
        ("[tls]\ncert = '/nowhere/cert.pem'\nkey = '/nowhere/key.pem'".to_owned(), "/nowhere/cert.pem"),
        (format!("[tls]\ncert = '{}'\nkey = '{}'", tls("one.pem"), tls("two.key")), "does not belong"),
    ] {
        std::fs::write(&config, &text).unwrap();
        let (code, said) = outcome(site.command(&["serve", "--config", config.to_str().unwrap()]));
        assert_eq!(code, Some(78), "{text}: {said}");
        assert!(said.contains(complaint), "{text}: {said}");
        assert!(!site.data().exists(), "{text}: wrong settings create no data file");
    }
    let (code, said) = outcome(site.command(&["--config", "/nowhere/argusd.toml"]));
    assert_eq!(code, Some(78), "{said}");
}

#[test]
fn what_may_pass_has_the_usual_code() {
    let site = Site::new();
    let daemon = site.start();
    let other = Site::new();
    let (code, said) = outcome(other.command(&["--listen", &daemon.address]));
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = outcome(site.command(&["--listen", "127.0.0.1:0"]));
    assert_eq!(code, Some(1), "{said}");
    let (code, said) = outcome(other.command(&["--data", "/nowhere/argusd.redb", "--listen", "127.0.0.1:0"]));
    assert_eq!(code, Some(1), "{said}");
    daemon.stop();
}

#[test]
fn other_commands_report_wrong_settings_with_the_usual_code() {
    let site = Site::new();
    let (code, said) = outcome(site.command(&["user", "list", "--config", "/nowhere/argusd.toml"]));
    assert_eq!(code, Some(1), "{said}");
}

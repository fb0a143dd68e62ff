//! `config --check` refuses what `serve` refuses, and both refuse settings that cannot be.

use std::process::{Command, Output};

use crate::support::daemon::{Daemon, Site, stderr};

/// Runs `config --check` and `serve` with these settings. Both have to refuse them with the same text, which is returned.
fn refused_by_both(site: &Site, file: &str, variables: &[(&str, &str)]) -> String {
    std::fs::write(site.path("argusd.toml"), file).unwrap();
    let run = |args: &[&str]| -> Output {
        let mut command = site.command(&[args, &["--config", "argusd.toml"]].concat());
        command.env_remove("ARGUSD_ADMIN_PASSWORD").envs(variables.iter().copied()).output().unwrap()
    };
    let checked = run(&["config", "--check"]);
    let served = run(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(!checked.status.success() && !served.status.success(), "{file} {variables:?}: {checked:?} {served:?}");
    assert_eq!(stderr(&checked).lines().last(), stderr(&served).lines().last(), "{file} {variables:?}");
    assert!(checked.stdout.is_empty());
    stderr(&checked)
}

#[test]
fn config_check_refuses_what_serve_refuses() {
    let site = Site::new();
    std::fs::create_dir(site.path("templates")).unwrap();
    std::fs::write(site.path("templates/event.txt"), "{{ nonsense(").unwrap();
    std::fs::write(site.path("no-certificate.pem"), "some text\n").unwrap();
    std::fs::create_dir(site.path("folder")).unwrap();
    for (file, variables, text) in [
        (
            "trusted_proxies = ['localhost']",
            &[][..],
            "trusted_proxies (file): \"localhost\" is neither an IP address nor a network",
        ),
        ("[notifications]\ntemplates = 'nowhere'", &[], "nowhere"),
        ("[notifications]\ntemplates = 'templates'", &[], "template templates/event.txt"),
        ("[web]\ntokens = 'nowhere.css'", &[], "web.tokens: nowhere.css"),
        ("[mail]\nca_file = 'nowhere.pem'", &[], "mail.ca_file: cannot read nowhere.pem"),
        ("[mail]\nca_file = 'no-certificate.pem'", &[], "mail.ca_file: no-certificate.pem holds no certificate"),
        ("", &[("DEFAULT_FROM_EMAIL", "not an address")], "mail.from"),
        ("[sms]\naddress_template = 'sms@example.org'", &[], "sms.address_template"),
        ("[sms.http]\nurl = 'ftp://example.org'", &[], "sms.http"),
        ("[notifications]\nfallback_filter = '{\"maxlvl\": 2}'", &[], "there is no criterion \"maxlvl\"; possible are"),
        ("[notifications]\nfallback_filter = '{\"maxlevel\": 9}'", &[], "notifications.fallback_filter: {\"maxlevel\""),
        ("", &[("ARGUSD_ADMIN_PASSWORD", "short")], "admin.password (ARGUSD_ADMIN_PASSWORD)"),
        ("", &[("ARGUSD_DATA", "nowhere/argusd.redb")], "data: there is no directory for nowhere/argusd.redb"),
        ("", &[("ARGUSD_DATA", "folder")], "data: folder is a directory"),
        ("", &[("ARGUSD_LISTENN", "127.0.0.1:0")], "there is no setting ARGUSD_LISTENN; did you mean ARGUSD_LISTEN?"),
        ("", &[("ARGUSD_LOG", "loud")], "log.level (ARGUSD_LOG): \"loud\" is no log level"),
        ("listne = 'x'", &[], "listne"),
        ("[tokens]\nlife_days = 'soon'", &[], "tokens.life_days"),
    ] {
        let said = refused_by_both(&site, file, variables);
        assert!(said.contains(text), "{file} {variables:?}: {said}");
        assert!(!site.data().exists(), "{file} {variables:?}");
    }
}

#[test]
fn config_check_says_in_one_line_that_all_is_well_and_opens_neither_file_nor_port() {
    let site = Site::new();
    let daemon = site.start();
    let check = site.run(&["config", "--check", "--listen", &daemon.address]);
    assert!(check.status.success(), "{}", stderr(&check));
    assert_eq!(String::from_utf8_lossy(&check.stdout), "the settings are valid\n");
    assert_eq!(stderr(&check), "");
    daemon.stop();
    let other = Site::new();
    assert_eq!(other.ok(&["config", "--check"]), "the settings are valid");
    assert_eq!(std::fs::read_dir(other.data().parent().unwrap()).unwrap().count(), 0);
}

#[test]
fn every_criterion_may_be_in_the_fallback_filter() {
    let site = Site::new();
    for filter in [
        r#"{"sourceSystemIds": [1], "source_types": ["nav"], "tags": ["host=a"], "open": true, "acked": null}"#,
        r#"{"stateful": true, "maxlevel": 3, "event_types": ["STA", "CLO"], "hide_closed_acked": true}"#,
        "{}",
    ] {
        let output = site.command(&["config", "--check"]).env("ARGUSD_FALLBACK_FILTER", filter).output().unwrap();
        assert!(output.status.success(), "{filter}: {}", stderr(&output));
    }
}

#[test]
fn unknown_variables_are_refused_by_serve_and_config_check_only() {
    let site = Site::new();
    site.ok(&["user", "list"]);
    let run = |args: &[&str], name: &str| site.command(args).env(name, "x").output().unwrap();
    for args in [&["user", "list"][..], &["config"], &["check"]] {
        assert!(run(args, "ARGUSD_LISTENN").status.success(), "{args:?}");
    }
    for args in [&["config", "--check"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let output = run(args, "ARGUSD_LISTENN");
        assert!(!output.status.success() && stderr(&output).contains("did you mean ARGUSD_LISTEN?"), "{output:?}");
    }
    // Kubernetes sets these for a service with this name.
    let port = "tcp://10.0.0.1:8000";
    let mut command = site.command(&["config", "--check"]);
    let output = command.env("ARGUSD_PORT", port).env("ARGUSD_SERVICE_HOST", "10.0.0.1").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn log_levels_mean_what_syslog_means() {
    let site = Site::new();
    let serve = |level: &str| {
        let mut command: Command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("ARGUSD_LOG", level);
        let log = site.path("log");
        let daemon = Daemon::start_with_log(command, std::fs::File::create(&log).unwrap());
        daemon.stop();
        std::fs::read_to_string(&log).unwrap()
    };
    for (level, shows_information) in [
        ("notice", true),
        ("info", true),
        ("info,argusd::store=debug", true),
        ("warning", false),
        ("err", false),
        ("crit", false),
        ("alert", false),
        ("emerg", false),
    ] {
        assert_eq!(serve(level).contains("listening for administrative commands"), shows_information, "{level}");
    }
    // A warning is shown at the level `warning`.
    let other = Site::new();
    let mut command = other.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("ARGUSD_LOG", "warning").env_remove("ARGUSD_ADMIN_PASSWORD");
    let log = other.path("log");
    Daemon::start_with_log(command, std::fs::File::create(&log).unwrap()).stop();
    assert!(std::fs::read_to_string(&log).unwrap().contains("the password of user admin is in"));
}

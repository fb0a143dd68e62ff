//! Tests of the settings: precedence, errors, and whether the documents have all of them.

use std::path::PathBuf;

use secrecy::ExposeSecret;

use super::{
    section::{Section, Sources, Spec},
    settings::{File, finish},
    *,
};

fn file(text: &str) -> File {
    toml::from_str(text).unwrap()
}

fn merge(flags: &Flags, environment: &Environment, file: File) -> Result<Config, ConfigError> {
    finish(Config::read(&Sources { flags, environment }, file)?)
}

fn specs() -> Vec<Spec> {
    let mut specs = Vec::new();
    Config::add_specs(&mut specs);
    specs
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file() {
    let env = Environment::from([("ARGUSD_LISTEN", "a:1"), ("ARGUSD_DATA", "env.redb")]);
    let flags = Flags { listen: Some("b:2".to_owned()), ..Flags::default() };
    let config = merge(&flags, &env, file("listen = 'c:3'\ndata = 'file.redb'\n[storage]\ncache_mib = 7")).unwrap();
    assert_eq!((config.listen.value.as_str(), config.listen.origin), ("b:2", Origin::Flag));
    assert_eq!(config.data.value, PathBuf::from("env.redb"));
    assert_eq!(config.data.origin, Origin::Environment("ARGUSD_DATA"));
    assert_eq!((config.storage.cache_mib.value, config.storage.cache_mib.origin), (7, Origin::File));
    assert_eq!(config.max_connections.origin, Origin::Default);
}

#[test]
fn honours_the_names_of_argus() {
    let env = Environment::from([("TIME_ZONE", "Asia/Tokyo"), ("ARGUS_INDELIBLE_INCIDENTS", "off"), ("DEBUG", "on")]);
    let config = merge(&Flags::default(), &env, File::default()).unwrap();
    assert_eq!(config.time_zone.value, chrono_tz::Asia::Tokyo);
    assert!(!config.incidents.indelible.value);
    assert_eq!(config.log.level.value, "debug");
}

#[test]
fn intervals_have_units_and_the_address_of_pings_is_hidden() {
    let every = |text: &str| {
        let env = Environment::from([("ARGUSD_WATCHDOG_EVERY", text)]);
        merge(&Flags::default(), &env, File::default()).map(|config| config.watchdog.every.value.as_secs())
    };
    for (text, seconds) in [("90", 90), ("90s", 90), ("5 m", 300), ("12h", 43_200), ("1d", 86_400)] {
        assert_eq!(every(text).unwrap(), seconds, "{text}");
    }
    for bad in ["0", "2d", "m", "5x", "-1s", "1.5m", "99999999999999999999h"] {
        assert!(every(bad).unwrap_err().to_string().contains("such as 90s, 5m or 12h"), "{bad}");
    }
    let in_file = file("[watchdog]\nevery = 30\nurl = 'https://hc.example.org/ping/secret'\n[log]\nformat = 'json'");
    let config = merge(&Flags::default(), &Environment::from([]), in_file).unwrap();
    assert_eq!((config.watchdog.every.value.as_secs(), config.log.format.value), (30, LogFormat::Json));
    assert!(config.rows().iter().all(|(_, value, _)| !value.contains("secret")), "{:?}", config.rows());
}

#[test]
fn a_period_has_a_unit_or_is_never() {
    let with = |text| merge(&Flags::default(), &Environment::from([("ARGUSD_BACKUP_EVERY", text)]), File::default());
    let shown = |text| {
        let rows = with(text).unwrap().rows();
        rows.into_iter().find(|(name, ..)| *name == "backup.every").unwrap().1
    };
    for (text, expected) in [("24h", "24h"), ("7d", "168h"), ("90m", "90m"), (" 1h ", "1h"), ("Never", "never")] {
        assert_eq!(shown(text), expected);
    }
    for bad in ["24", "0h", "1s", "h", "-1h", "367d", "99999999999999999999d", "nightly"] {
        let error = with(bad).unwrap_err().to_string();
        assert!(error.contains("is no period from 1m to 366d, such as 24h, or the word never"), "{bad}: {error}");
    }
}

#[test]
fn says_which_value_is_bad_and_where_it_came_from() {
    let bad = |env: &Environment, text: &str| merge(&Flags::default(), env, file(text)).unwrap_err().to_string();
    let none = Environment::from([]);
    assert_eq!(bad(&none, "listen = 'nowhere'"), "listen (file): \"nowhere\" is not HOST:PORT");
    let env = Environment::from([("TIME_ZONE", "Oslo")]);
    assert_eq!(bad(&env, ""), "time_zone (TIME_ZONE): \"Oslo\" is no time zone, such as Europe/Oslo");
    assert!(bad(&none, "[tokens]\nlife_days = 'soon'").starts_with("tokens.life_days (file): "));
}

#[test]
fn the_contact_api_speaks_one_of_two_dialects() {
    let with = |text| merge(&Flags::default(), &Environment::from([("ARGUSD_ICINGA_DIALECT", text)]), File::default());
    assert_eq!(with("").unwrap().icinga.dialect.value, Dialect::Issue);
    assert_eq!(with("Current").unwrap().icinga.dialect.value, Dialect::Current);
    assert!(with("other").unwrap_err().to_string().starts_with("icinga.dialect (ARGUSD_ICINGA_DIALECT): "));
}

#[test]
fn an_unknown_key_is_an_error_that_names_it() {
    let error = toml::from_str::<File>("[log]\nlevle = 'info'").unwrap_err().to_string();
    assert!(error.contains("levle"), "{error}");
}

#[test]
fn mail_settings_have_the_names_of_argus() {
    let env = Environment::from([
        ("EMAIL_HOST", "mail.example.org"),
        ("EMAIL_USE_TLS", "on"),
        ("EMAIL_HOST_USER", "argus"),
        ("EMAIL_HOST_PASSWORD", "hunter2"),
        ("DEFAULT_FROM_EMAIL", "noc@example.org"),
        ("ARGUS_SEND_NOTIFICATIONS", "off"),
    ]);
    let config = merge(&Flags::default(), &env, File::default()).unwrap();
    assert_eq!((config.mail.host.value.as_str(), config.mail.port.value), ("mail.example.org", 587));
    assert_eq!(config.mail.tls.value, MailTls::StartTls);
    assert_eq!(config.mail.from.value, "noc@example.org");
    assert_eq!(config.mail.password.value.as_ref().unwrap().expose_secret(), "hunter2");
    assert!(!config.notifications.send.value);
    assert!(config.rows().iter().all(|(_, value, _)| !value.contains("hunter2")));
    assert!(!format!("{config:?}").contains("hunter2"));

    let env = Environment::from([("EMAIL_USE_TLS", "off"), ("EMAIL_PORT", "2525")]);
    let config = merge(&Flags::default(), &env, file("[mail]\ntls = 'tls'")).unwrap();
    assert_eq!((config.mail.tls.value, config.mail.port.value), (MailTls::None, 2525));
    let config = merge(&Flags::default(), &Environment::from([]), file("[mail]\ntls = 'tls'")).unwrap();
    assert_eq!((config.mail.tls.value, config.mail.port.value), (MailTls::Tls, 465));
}

#[test]
fn there_is_one_way_for_text_messages() {
    let load = |text: &str| merge(&Flags::default(), &Environment::from([]), file(text));
    assert!(load("[sms]\ngateway_address = 'sms@example.org'").is_ok());
    let both = "[sms]\ngateway_address = 'a@b'\naddress_template = '{number}@b'";
    assert!(load(both).unwrap_err().to_string().starts_with("sms (file): only one of"));
    let http = load("[sms.http]\nurl = 'https://sms.example.org'").unwrap().sms.http.value.unwrap();
    assert_eq!((http.method.as_str(), http.url.as_str()), ("POST", "https://sms.example.org"));
    assert!(load("[notifications]\nfallback_filter = '[]'").is_err());
    assert_eq!(load("[notifications]\nstorm_limit = 0").unwrap().notifications.storm_limit.value, None);
}

#[test]
fn certificate_and_key_belong_together() {
    let load = |text: &str| merge(&Flags::default(), &Environment::from([]), file(text));
    let refusal = |text: &str| load(text).unwrap_err().to_string();
    let tls = load("[tls]\ncert = '/c.pem'\nkey = '/k.pem'").unwrap().tls;
    assert_eq!((tls.cert.value, tls.key.value), (Some("/c.pem".into()), Some("/k.pem".into())));
    assert_eq!(refusal("[tls]\ncert = '/c.pem'"), "tls.cert (file): tls.key is not set, and they belong together");
    assert_eq!(refusal("[tls]\nkey = '/k.pem'"), "tls.key (file): tls.cert is not set, and they belong together");
    let unix = refusal("listen = 'unix:/run/a.sock'\n[tls]\ncert = '/c.pem'\nkey = '/k.pem'");
    assert!(unix.contains("a Unix socket is not encrypted"), "{unix}");
    let flags = Flags { tls_cert: Some("/f.pem".into()), tls_key: Some("/g.pem".into()), ..Flags::default() };
    let config = merge(&flags, &Environment::from([("ARGUSD_TLS_CERT", "/e.pem")]), File::default()).unwrap();
    assert_eq!((config.tls.cert.value, config.tls.cert.origin), (Some("/f.pem".into()), Origin::Flag));
}

#[test]
fn listens_on_a_port_or_on_a_unix_socket() {
    let listen = |text: &str| {
        let env = Environment::from([("ARGUSD_LISTEN", text)]);
        merge(&Flags::default(), &env, File::default()).map(|config| config.listen.value).map_err(|it| it.to_string())
    };
    assert_eq!(listen("unix:/run/argusd/argusd.sock").unwrap(), "unix:/run/argusd/argusd.sock");
    assert!(listen("unix:argusd.sock").unwrap_err().contains("no absolute path"));
    assert!(listen(&format!("unix:/{}", "x".repeat(107))).unwrap_err().contains("at most 107 bytes, not 108"));
    let mode =
        |text: &str| merge(&Flags::default(), &Environment::from([("ARGUSD_LISTEN_MODE", text)]), File::default());
    assert_eq!(mode("666").unwrap().listen_mode.value, 0o666);
    for wrong in ["0", "1777", "rw", "668", "0466"] {
        assert!(mode(wrong).unwrap_err().to_string().contains("no octal number"), "{wrong}");
    }
}

#[test]
fn the_public_address_has_no_path() {
    let load = |text: &str| {
        let env = Environment::from([("ARGUSD_PUBLIC_URL", text)]);
        merge(&Flags::default(), &env, File::default()).map(|it| it.public_url.value).map_err(|it| it.to_string())
    };
    for right in ["https://argus.example.org", "https://argus.example.org/", "http://[::1]:8000"] {
        assert!(load(right).unwrap().is_some(), "{right}");
    }
    let refused = load("https://noc.example.org/argus/").unwrap_err();
    assert_eq!(
        refused,
        "public_url (ARGUSD_PUBLIC_URL): \"https://noc.example.org/argus/\" has a path, but argusd needs a host name \
         of its own, such as https://argus.example.org"
    );
    for wrong in ["https://a/?b", "https://a/#b", "https://u@a/", "https://u:p@a/"] {
        assert!(load(wrong).unwrap_err().contains("more than a host and a port"), "{wrong}");
    }
}

#[test]
fn tokens_may_live_for_ever() {
    let config = merge(&Flags::default(), &Environment::from([]), file("[tokens]\nlife_days = 'never'")).unwrap();
    assert_eq!(config.tokens.life.value, None);
}

#[test]
fn of_several_bad_mail_settings_tls_is_reported() {
    let env = Environment::from([("EMAIL_HOST", "a b"), ("ARGUSD_MAIL_TLS", "tls"), ("EMAIL_USE_TLS", "perhaps")]);
    let error = merge(&Flags::default(), &env, File::default()).unwrap_err().to_string();
    assert_eq!(error, "mail.tls (EMAIL_USE_TLS): \"perhaps\" is neither true nor false");
}

fn document(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn packaging_has_every_setting_with_its_default() {
    let shipped = document("packaging/argusd.toml");
    let text: Vec<&str> = shipped
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .collect();
    assert!(shipped.lines().all(|line| line.is_empty() || line.starts_with(['#', '['])), "a setting is in force");
    toml::from_str::<File>(&text.join("\n")).unwrap();
    let all: toml::Table = toml::from_str(&text.join("\n")).unwrap();
    for Spec { name, default, .. } in specs() {
        let value = match name.split_once('.') {
            Some((section, key)) => all.get(section).and_then(|table| table.get(key)),
            None => all.get(name),
        };
        let value = value.unwrap_or_else(|| panic!("packaging/argusd.toml has no {name}"));
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // Settings without a default, and the time zone of the host, have an example.
        if name != "time_zone" && !default().is_empty() {
            assert_eq!(shown, default(), "{name} in packaging/argusd.toml");
        }
    }
}

#[test]
fn the_manual_has_every_setting_with_its_variables() {
    let manual = document("docs/OPERATIONS.md");
    for Spec { name, variables, .. } in specs() {
        let row = manual.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/OPERATIONS.md has no row for {name}"));
        let words: Vec<&str> = row.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        for variable in variables {
            assert!(words.contains(variable), "docs/OPERATIONS.md does not name {variable} at {name}");
        }
    }
}

#[test]
fn tls_from_the_first_byte_has_the_name_of_django() {
    let tls = |env: &Environment| {
        let mail = merge(&Flags::default(), env, File::default()).unwrap().mail;
        (mail.tls.value, mail.port.value)
    };
    assert_eq!(tls(&Environment::from([("EMAIL_USE_SSL", "True")])), (MailTls::Tls, 465));
    assert_eq!(tls(&Environment::from([("EMAIL_USE_SSL", "0"), ("EMAIL_USE_TLS", "1")])), (MailTls::StartTls, 587));
    assert_eq!(tls(&Environment::from([("EMAIL_USE_SSL", "1"), ("EMAIL_USE_TLS", "1")])), (MailTls::Tls, 465));
    let named = Environment::from([("EMAIL_USE_SSL", "1"), ("ARGUSD_MAIL_TLS", "none")]);
    assert_eq!(tls(&named), (MailTls::None, 25));
}

//! Combines flags, environment, file and defaults, and checks the values.

use std::{path::PathBuf, time::Duration};

use chrono_tz::Tz;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{
    AdminConfig, Config, ConfigError, Dialect, Environment, Flags, IcingaConfig, IncidentConfig, LogConfig, Origin,
    Setting, StorageConfig, TokenConfig, WebConfig,
    file::{File, Life, Web},
    notifications, read_secret,
};

const DAY: u64 = 86_400;
const HOUR: u64 = 3_600;
/// A thousand years: what is longer is a mistake, and would not fit a timestamp.
const LONGEST_LIFE_DAYS: u64 = 365_000;

pub(super) fn merge(flags: &Flags, environment: &Environment, file: File) -> Result<Config, ConfigError> {
    let env = Env(environment);
    Ok(Config {
        data: pick(flags.data.clone(), env.path("ARGUSD_DATA"), file.data, || PathBuf::from("argusd.redb")),
        listen: check(
            "listen",
            pick(flags.listen.clone(), env.text(&["ARGUSD_LISTEN"]), file.listen, || "127.0.0.1:8000".to_owned()),
            parse_listen,
        )?,
        public_url: check(
            "public_url",
            pick(None, env.text(&["ARGUSD_PUBLIC_URL"]), file.public_url, String::new),
            parse_public_url,
        )?,
        frontend_urls: frontend_urls(&env, file.frontend_urls)?,
        trusted_proxies: check(
            "trusted_proxies",
            pick(
                None,
                env.text(&["ARGUSD_TRUSTED_PROXIES"]),
                file.trusted_proxies.map(|list| list.join(",")),
                String::new,
            ),
            |text| Ok(text.split(',').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()),
        )?,
        time_zone: check(
            "time_zone",
            pick(None, env.text(&["ARGUSD_TIME_ZONE", "TIME_ZONE"]), file.time_zone, host_time_zone),
            |name| name.parse::<Tz>().map_err(|_| format!("{name:?} is no time zone, such as Europe/Oslo")),
        )?,
        max_connections: check(
            "max_connections",
            pick(None, env.text(&["ARGUSD_MAX_CONNECTIONS"]), file.max_connections.map(|n| n.to_string()), || {
                "20000".to_owned()
            }),
            |text| number(text, 1, 1_000_000),
        )?,
        log: LogConfig { level: log_level(&env, file.log.level)? },
        storage: StorageConfig {
            cache_mib: check(
                "storage.cache_mib",
                pick(None, env.text(&["ARGUSD_CACHE_MIB"]), file.storage.cache_mib.map(|n| n.to_string()), || {
                    "128".to_owned()
                }),
                |text| number(text, 4, 1 << 20),
            )?,
        },
        tokens: TokenConfig {
            life: check(
                "tokens.life_days",
                pick(None, env.text(&["ARGUSD_TOKEN_LIFE_DAYS"]), file.tokens.life_days.map(Life::into_text), || {
                    "14".to_owned()
                }),
                parse_life,
            )?,
            login_life: check(
                "tokens.login_life_hours",
                pick(
                    None,
                    env.text(&["ARGUSD_LOGIN_LIFE_HOURS"]),
                    file.tokens.login_life_hours.map(|n| n.to_string()),
                    || "10".to_owned(),
                ),
                |text| Ok(Duration::from_secs(number::<u64>(text, 1, LONGEST_LIFE_DAYS * 24)? * HOUR)),
            )?,
            warning_days: check(
                "tokens.warning_days",
                pick(
                    None,
                    env.text(&["ARGUSD_TOKEN_WARNING_DAYS"]),
                    file.tokens.warning_days.map(|n| n.to_string()),
                    || "7".to_owned(),
                ),
                |text| number(text, 1, 365),
            )?,
        },
        incidents: IncidentConfig {
            indelible: check(
                "incidents.indelible",
                pick(
                    None,
                    env.text(&["ARGUSD_INDELIBLE_INCIDENTS", "ARGUS_INDELIBLE_INCIDENTS"]),
                    file.incidents.indelible.map(|on| on.to_string()),
                    || "true".to_owned(),
                ),
                parse_bool,
            )?,
        },
        icinga: IcingaConfig {
            dialect: check(
                "icinga.dialect",
                pick(None, env.text(&["ARGUSD_ICINGA_DIALECT"]), file.icinga.dialect, || "issue".to_owned()),
                parse_dialect,
            )?,
        },
        web: web(&env, file.web),
        admin: AdminConfig { password: admin_password(&env, file.admin.password_file)? },
        notifications: notifications::notifications(&env, file.notifications)?,
        mail: notifications::mail(&env, file.mail)?,
        sms: notifications::sms(&env, file.sms)?,
    })
}

impl Life {
    fn into_text(self) -> String {
        match self {
            Self::Days(days) => days.to_string(),
            Self::Word(word) => word,
        }
    }
}

pub(super) struct Env<'a>(&'a Environment);

impl Env<'_> {
    /// The first of `names` that is set.
    pub(super) fn text(&self, names: &[&'static str]) -> Option<(String, &'static str)> {
        names.iter().find_map(|name| Some((self.0.get(name)?, *name)))
    }

    pub(super) fn path(&self, name: &'static str) -> Option<(PathBuf, &'static str)> {
        Some((PathBuf::from(self.0.get(name)?), name))
    }
}

pub(super) fn pick<T>(
    flag: Option<T>,
    environment: Option<(T, &'static str)>,
    file: Option<T>,
    default: impl FnOnce() -> T,
) -> Setting<T> {
    if let Some(value) = flag {
        return Setting { value, origin: Origin::Flag };
    }
    if let Some((value, name)) = environment {
        return Setting { value, origin: Origin::Environment(name) };
    }
    match file {
        Some(value) => Setting { value, origin: Origin::File },
        None => Setting { value: default(), origin: Origin::Default },
    }
}

pub(super) fn check<T>(
    name: &'static str,
    Setting { value, origin }: Setting<String>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Setting<T>, ConfigError> {
    match parse(value.trim()) {
        Ok(value) => Ok(Setting { value, origin }),
        Err(reason) => Err(ConfigError::BadValue { name, origin, reason }),
    }
}

fn frontend_urls(env: &Env<'_>, file: Option<Vec<String>>) -> Result<Setting<Vec<Url>>, ConfigError> {
    let raw = pick(
        None,
        env.text(&["ARGUSD_FRONTEND_URLS", "ARGUS_FRONTEND_URL"]),
        file.map(|list| list.join(",")),
        String::new,
    );
    check("frontend_urls", raw, |text| {
        text.split(',').map(str::trim).filter(|url| !url.is_empty()).map(parse_web_address).collect()
    })
}

fn web(env: &Env<'_>, file: Web) -> WebConfig {
    WebConfig {
        banner: pick(None, env.text(&["ARGUSD_BANNER", "ARGUS_BANNER_MESSAGE"]), file.banner, String::new)
            .map(|text| Some(text).filter(|text| !text.trim().is_empty())),
        tokens: pick(None, env.path("ARGUSD_WEB_TOKENS"), file.tokens, PathBuf::new)
            .map(|path| Some(path).filter(|path| !path.as_os_str().is_empty())),
    }
}

fn log_level(env: &Env<'_>, file: Option<String>) -> Result<Setting<String>, ConfigError> {
    // Contract section 25: Argus' DEBUG is a boolean, and the only thing that it means here is more to read.
    let debug = match env.text(&["DEBUG"]) {
        Some((text, name)) if parse_bool(&text).unwrap_or(false) => Some(("debug".to_owned(), name)),
        _ => None,
    };
    let raw = pick(None, env.text(&["ARGUSD_LOG"]).or(debug), file, || "info".to_owned());
    check("log.level", raw, |level| {
        level
            .parse::<tracing_subscriber::filter::EnvFilter>()
            .map(|_| level.to_owned())
            .map_err(|_| format!("{level:?} is neither error, warn, info, debug, trace nor a list of directives"))
    })
}

fn admin_password(env: &Env<'_>, file: Option<PathBuf>) -> Result<Setting<Option<SecretString>>, ConfigError> {
    if let Some((text, name)) = env.text(&["ARGUSD_ADMIN_PASSWORD"]) {
        return Ok(Setting { value: Some(SecretString::from(text)), origin: Origin::Environment(name) });
    }
    let path = pick(
        None,
        env.path("ARGUSD_ADMIN_PASSWORD_FILE").map(|(path, name)| (Some(path), name)),
        file.map(Some),
        || None,
    );
    let value = path.value.as_deref().map(read_secret).transpose()?;
    if value.as_ref().is_some_and(|secret| secret.expose_secret().is_empty()) {
        return Err(ConfigError::BadValue {
            name: "admin.password_file",
            origin: path.origin,
            reason: "the file is empty".to_owned(),
        });
    }
    Ok(Setting { value, origin: path.origin })
}

fn host_time_zone() -> String {
    iana_time_zone::get_timezone().ok().filter(|name| name.parse::<Tz>().is_ok()).unwrap_or_else(|| "UTC".to_owned())
}

fn parse_listen(text: &str) -> Result<String, String> {
    let (host, port) = text.rsplit_once(':').ok_or_else(|| format!("{text:?} is not HOST:PORT"))?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(format!("{text:?} is not HOST:PORT"));
    }
    Ok(text.to_owned())
}

fn parse_public_url(text: &str) -> Result<Option<Url>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    parse_web_address(text).map(Some)
}

fn parse_web_address(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err(format!("{text:?} is no http or https address")),
    }
}

fn parse_life(text: &str) -> Result<Option<Duration>, String> {
    if text.eq_ignore_ascii_case("never") {
        return Ok(None);
    }
    let days = number::<u64>(text, 1, LONGEST_LIFE_DAYS).map_err(|reason| format!("{reason}, or the word never"))?;
    Ok(Some(Duration::from_secs(days * DAY)))
}

fn parse_dialect(text: &str) -> Result<Dialect, String> {
    match text.to_ascii_lowercase().as_str() {
        "issue" => Ok(Dialect::Issue),
        "current" => Ok(Dialect::Current),
        _ => Err(format!("{text:?} is neither issue nor current")),
    }
}

pub(super) fn parse_bool(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "on" | "true" | "yes" => Ok(true),
        "0" | "off" | "false" | "no" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

pub(super) fn number<T: std::str::FromStr + PartialOrd + std::fmt::Display + Copy>(
    text: &str,
    min: T,
    max: T,
) -> Result<T, String> {
    match text.parse::<T>() {
        Ok(number) if number >= min && number <= max => Ok(number),
        _ => Err(format!("{text:?} is no number from {min} to {max}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MailTls;

    fn file(text: &str) -> File {
        toml::from_str(text).unwrap()
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
        let env =
            Environment::from([("TIME_ZONE", "Asia/Tokyo"), ("ARGUS_INDELIBLE_INCIDENTS", "off"), ("DEBUG", "on")]);
        let config = merge(&Flags::default(), &env, File::default()).unwrap();
        assert_eq!(config.time_zone.value, chrono_tz::Asia::Tokyo);
        assert!(!config.incidents.indelible.value);
        assert_eq!(config.log.level.value, "debug");
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
        let with =
            |text| merge(&Flags::default(), &Environment::from([("ARGUSD_ICINGA_DIALECT", text)]), File::default());
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
    fn tokens_may_live_for_ever() {
        let config = merge(&Flags::default(), &Environment::from([]), file("[tokens]\nlife_days = 'never'")).unwrap();
        assert_eq!(config.tokens.life.value, None);
    }
}

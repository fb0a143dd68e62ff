//! The settings of notifications, mail and SMS.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use secrecy::SecretString;
use serde::Deserialize;

use super::{
    ConfigError, Origin, Setting,
    merge::{Env, check, number, parse_bool, pick},
    read_secret,
};

const HOUR: u64 = 3_600;
const PLUGINS: &str = "/usr/lib/argusd/channels";

#[derive(Clone, Debug)]
pub struct NotificationConfig {
    /// Whether anything is sent at all.
    pub send: Setting<bool>,
    /// Messages a minute and destination before summaries take over; `None`: no bound.
    pub storm_limit: Setting<Option<u32>>,
    /// How long a message is tried.
    pub retry: Setting<Duration>,
    /// Templates that replace the built-in ones.
    pub templates: Setting<Option<PathBuf>>,
    /// Whether requests may go to this host and to private networks.
    pub allow_private_addresses: Setting<bool>,
    /// For one HTTP request with its answer.
    pub http_timeout: Setting<Duration>,
    /// Executables that carry messages; `None`: there are none.
    pub plugins: Setting<Option<PathBuf>>,
    /// For one call of a plug-in.
    pub plugin_timeout: Setting<Duration>,
    /// A filter blob as JSON: values for criteria that a filter does not set.
    pub fallback_filter: Setting<String>,
}

#[derive(Clone, Debug)]
pub struct MailConfig {
    pub host: Setting<String>,
    pub port: Setting<u16>,
    pub tls: Setting<MailTls>,
    /// Empty: the server takes mail from us without.
    pub username: Setting<String>,
    pub password: Setting<Option<SecretString>>,
    pub ca_file: Setting<Option<PathBuf>>,
    pub from: Setting<String>,
    pub subject_prefix: Setting<String>,
    /// Whether all mails about an incident have the same subject.
    pub stable_subject: Setting<bool>,
    pub timeout: Setting<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    None,
    StartTls,
    Tls,
}

/// At most one of them is set.
#[derive(Clone, Debug)]
pub struct SmsConfig {
    pub gateway_address: Setting<String>,
    pub address_template: Setting<String>,
    pub http: Setting<Option<SmsHttp>>,
}

/// A request to a gateway, in templates.
#[derive(Clone, Debug)]
pub struct SmsHttp {
    pub method: String,
    pub url: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub secret: Option<SecretString>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Notifications {
    send: Option<bool>,
    storm_limit: Option<u32>,
    retry_hours: Option<u64>,
    templates: Option<PathBuf>,
    allow_private_addresses: Option<bool>,
    http_timeout_seconds: Option<u64>,
    plugins: Option<PathBuf>,
    plugin_timeout_seconds: Option<u64>,
    fallback_filter: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mail {
    host: Option<String>,
    port: Option<u16>,
    tls: Option<String>,
    username: Option<String>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    from: Option<String>,
    subject_prefix: Option<String>,
    stable_subject: Option<bool>,
    timeout_seconds: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sms {
    gateway_address: Option<String>,
    address_template: Option<String>,
    http: Option<SmsHttpFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SmsHttpFile {
    method: Option<String>,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    secret_file: Option<PathBuf>,
}

pub(super) fn notifications(env: &Env<'_>, file: Notifications) -> Result<NotificationConfig, ConfigError> {
    let seconds = |text: &str| Ok(Duration::from_secs(number(text, 1, 600)?));
    Ok(NotificationConfig {
        send: check(
            "notifications.send",
            pick(
                None,
                env.text(&["ARGUSD_SEND_NOTIFICATIONS", "ARGUS_SEND_NOTIFICATIONS"]),
                file.send.map(|on| on.to_string()),
                || "true".to_owned(),
            ),
            parse_bool,
        )?,
        storm_limit: check(
            "notifications.storm_limit",
            pick(None, env.text(&["ARGUSD_STORM_LIMIT"]), file.storm_limit.map(|n| n.to_string()), || "30".to_owned()),
            |text| Ok(Some(number::<u32>(text, 0, 1_000_000)?).filter(|limit| *limit > 0)),
        )?,
        retry: check(
            "notifications.retry_hours",
            pick(None, env.text(&["ARGUSD_RETRY_HOURS"]), file.retry_hours.map(|n| n.to_string()), || "24".to_owned()),
            |text| Ok(Duration::from_secs(number::<u64>(text, 1, 24 * 365)? * HOUR)),
        )?,
        templates: optional(pick(None, env.path("ARGUSD_TEMPLATES"), file.templates, PathBuf::new)),
        allow_private_addresses: check(
            "notifications.allow_private_addresses",
            pick(
                None,
                env.text(&["ARGUSD_ALLOW_PRIVATE_ADDRESSES"]),
                file.allow_private_addresses.map(|on| on.to_string()),
                || "true".to_owned(),
            ),
            parse_bool,
        )?,
        http_timeout: check(
            "notifications.http_timeout_seconds",
            pick(
                None,
                env.text(&["ARGUSD_HTTP_TIMEOUT_SECONDS"]),
                file.http_timeout_seconds.map(|n| n.to_string()),
                || "15".to_owned(),
            ),
            seconds,
        )?,
        plugins: optional(pick(None, env.path("ARGUSD_PLUGINS"), file.plugins, || PathBuf::from(PLUGINS))),
        plugin_timeout: check(
            "notifications.plugin_timeout_seconds",
            pick(
                None,
                env.text(&["ARGUSD_PLUGIN_TIMEOUT_SECONDS"]),
                file.plugin_timeout_seconds.map(|n| n.to_string()),
                || "30".to_owned(),
            ),
            seconds,
        )?,
        fallback_filter: check(
            "notifications.fallback_filter",
            pick(None, env.text(&["ARGUSD_FALLBACK_FILTER", "ARGUS_FALLBACK_FILTER"]), file.fallback_filter, || {
                "{}".to_owned()
            }),
            |text| match serde_json::from_str::<serde_json::Map<_, serde_json::Value>>(text) {
                Ok(_) => Ok(text.to_owned()),
                Err(error) => Err(format!("this is no JSON object: {error}")),
            },
        )?,
    })
}

pub(super) fn mail(env: &Env<'_>, file: Mail) -> Result<MailConfig, ConfigError> {
    let text = |names: &[&'static str], file: Option<String>, default: &str| {
        pick(None, env.text(names), file, || default.to_owned())
    };
    let tls = mail_tls(env, file.tls)?;
    let usual_port = match tls.value {
        MailTls::None => "25",
        MailTls::StartTls => "587",
        MailTls::Tls => "465",
    };
    Ok(MailConfig {
        host: check("mail.host", text(&["ARGUSD_MAIL_HOST", "EMAIL_HOST"], file.host, "localhost"), |host| {
            let fits = !host.is_empty() && host.len() <= 253 && !host.contains(|c: char| c.is_whitespace() || c == '/');
            if fits { Ok(host.to_owned()) } else { Err(format!("{host:?} is no name or address of a host")) }
        })?,
        port: check(
            "mail.port",
            text(&["ARGUSD_MAIL_PORT", "EMAIL_PORT"], file.port.map(|n| n.to_string()), usual_port),
            |port| number(port, 1, u16::MAX),
        )?,
        tls,
        username: text(&["ARGUSD_MAIL_USERNAME", "EMAIL_HOST_USER"], file.username, ""),
        password: secret(
            env,
            ("ARGUSD_MAIL_PASSWORD", "EMAIL_HOST_PASSWORD"),
            "ARGUSD_MAIL_PASSWORD_FILE",
            file.password_file,
        )?,
        ca_file: optional(pick(None, env.path("ARGUSD_MAIL_CA_FILE"), file.ca_file, PathBuf::new)),
        from: text(&["ARGUSD_MAIL_FROM", "DEFAULT_FROM_EMAIL"], file.from, "argus@localhost"),
        subject_prefix: text(
            &["ARGUSD_SUBJECT_PREFIX", "NOTIFICATION_SUBJECT_PREFIX"],
            file.subject_prefix,
            "[Argus] ",
        ),
        stable_subject: check(
            "mail.stable_subject",
            text(&["ARGUSD_MAIL_STABLE_SUBJECT"], file.stable_subject.map(|on| on.to_string()), "false"),
            parse_bool,
        )?,
        timeout: check(
            "mail.timeout_seconds",
            text(&["ARGUSD_MAIL_TIMEOUT_SECONDS"], file.timeout_seconds.map(|n| n.to_string()), "30"),
            |text| Ok(Duration::from_secs(number(text, 1, 600)?)),
        )?,
    })
}

pub(super) fn sms(env: &Env<'_>, file: Sms) -> Result<SmsConfig, ConfigError> {
    let http = match file.http {
        Some(http) => Setting { value: Some(http.resolve()?), origin: Origin::File },
        None => Setting { value: None, origin: Origin::Default },
    };
    let config = SmsConfig {
        gateway_address: pick(
            None,
            env.text(&["ARGUSD_SMS_GATEWAY_ADDRESS", "SMS_GATEWAY_ADDRESS"]),
            file.gateway_address,
            String::new,
        ),
        address_template: pick(None, env.text(&["ARGUSD_SMS_ADDRESS_TEMPLATE"]), file.address_template, String::new),
        http,
    };
    let ways = [
        !config.gateway_address.value.is_empty(),
        !config.address_template.value.is_empty(),
        config.http.value.is_some(),
    ];
    if ways.into_iter().filter(|way| *way).count() > 1 {
        return Err(ConfigError::BadValue {
            name: "sms",
            origin: config.gateway_address.origin,
            reason: "only one of gateway_address, address_template and http may be set".to_owned(),
        });
    }
    Ok(config)
}

impl SmsHttpFile {
    fn resolve(self) -> Result<SmsHttp, ConfigError> {
        Ok(SmsHttp {
            method: self.method.unwrap_or_else(|| "POST".to_owned()),
            url: self.url,
            headers: self.headers,
            body: self.body,
            secret: self.secret_file.map(|path| read_secret(&path)).transpose()?,
        })
    }
}

fn mail_tls(env: &Env<'_>, file: Option<String>) -> Result<Setting<MailTls>, ConfigError> {
    // Contract section 25: a boolean, and STARTTLS is what it means.
    let of_argus = match env.text(&["EMAIL_USE_TLS"]) {
        Some((text, name)) => {
            let raw = Setting { value: text, origin: Origin::Environment(name) };
            let on = check("mail.tls", raw, parse_bool)?.value;
            Some((if on { "starttls" } else { "none" }.to_owned(), name))
        }
        None => None,
    };
    let raw = pick(None, env.text(&["ARGUSD_MAIL_TLS"]).or(of_argus), file, || "none".to_owned());
    check("mail.tls", raw, |text| match text.to_ascii_lowercase().as_str() {
        "none" => Ok(MailTls::None),
        "starttls" => Ok(MailTls::StartTls),
        "tls" => Ok(MailTls::Tls),
        _ => Err(format!("{text:?} is neither none, starttls nor tls")),
    })
}

/// The text itself from the environment, or a file that holds it.
fn secret(
    env: &Env<'_>,
    (ours, theirs): (&'static str, &'static str),
    file_name: &'static str,
    file: Option<PathBuf>,
) -> Result<Setting<Option<SecretString>>, ConfigError> {
    if let Some((text, name)) = env.text(&[ours, theirs]) {
        return Ok(Setting { value: Some(SecretString::from(text)), origin: Origin::Environment(name) });
    }
    let path = optional(pick(None, env.path(file_name), file, PathBuf::new));
    Ok(Setting { value: path.value.as_deref().map(read_secret).transpose()?, origin: path.origin })
}

/// An empty path is none.
fn optional(path: Setting<PathBuf>) -> Setting<Option<PathBuf>> {
    Setting { value: Some(path.value).filter(|path| !path.as_os_str().is_empty()), origin: path.origin }
}

impl MailTls {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::StartTls => "starttls",
            Self::Tls => "tls",
        }
    }
}

/// Name, value and origin of each setting, for people.
pub(super) fn rows(
    notifications: &NotificationConfig,
    mail: &MailConfig,
    sms: &SmsConfig,
) -> Vec<(&'static str, String, Origin)> {
    fn row<T>(name: &'static str, setting: &Setting<T>, show: impl Fn(&T) -> String) -> (&'static str, String, Origin) {
        (name, show(&setting.value), setting.origin)
    }
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let seconds = |time: &Duration| time.as_secs().to_string();
    let hidden = |is_set: bool| if is_set { "(set)" } else { "" }.to_owned();
    vec![
        row("notifications.send", &notifications.send, bool::to_string),
        row("notifications.storm_limit", &notifications.storm_limit, |n| n.unwrap_or_default().to_string()),
        row("notifications.retry_hours", &notifications.retry, |time| (time.as_secs() / HOUR).to_string()),
        row("notifications.templates", &notifications.templates, path),
        row("notifications.allow_private_addresses", &notifications.allow_private_addresses, bool::to_string),
        row("notifications.http_timeout_seconds", &notifications.http_timeout, seconds),
        row("notifications.plugins", &notifications.plugins, path),
        row("notifications.plugin_timeout_seconds", &notifications.plugin_timeout, seconds),
        row("notifications.fallback_filter", &notifications.fallback_filter, String::clone),
        row("mail.host", &mail.host, String::clone),
        row("mail.port", &mail.port, u16::to_string),
        row("mail.tls", &mail.tls, |tls| tls.name().to_owned()),
        row("mail.username", &mail.username, String::clone),
        row("mail.password", &mail.password, |password| hidden(password.is_some())),
        row("mail.ca_file", &mail.ca_file, path),
        row("mail.from", &mail.from, String::clone),
        row("mail.subject_prefix", &mail.subject_prefix, String::clone),
        row("mail.stable_subject", &mail.stable_subject, bool::to_string),
        row("mail.timeout_seconds", &mail.timeout, seconds),
        row("sms.gateway_address", &sms.gateway_address, String::clone),
        row("sms.address_template", &sms.address_template, String::clone),
        row("sms.http", &sms.http, |http| hidden(http.is_some())),
    ]
}

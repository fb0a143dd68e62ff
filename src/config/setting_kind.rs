//! Kinds of settings: how a value is written, which values are allowed, and how they are shown.

use std::{collections::BTreeMap, ffi::OsString, marker::PhantomData, path::PathBuf, time::Duration};

use chrono_tz::Tz;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use url::Url;

use super::{ConfigError, Origin, log_level, read_secret};

/// Upper bound on lives: a thousand years. Longer ones are mistakes and would not fit into a timestamp.
pub const LONGEST_LIFE_DAYS: u64 = 365_000;

/// Kind of a setting. It is implemented for types such as `bool`, and for others that exist only as kinds.
pub trait SettingKind {
    type Value;
    /// Type in the settings file, so that errors name line and column.
    type InFile: DeserializeOwned + Serialize;

    fn read(found: FoundValue) -> Result<Self::Value, ConfigError>;

    /// Formats a value for `argusd config`, without secrets.
    fn show(value: &Self::Value) -> String;

    /// Returns the name of the setting for `argusd config`.
    fn shown_name(name: &'static str) -> &'static str {
        name
    }

    /// Translates the text of a variable to that of the setting. `None`: the variable sets nothing.
    fn of_variable(_variable: &'static str, text: String) -> Result<Option<String>, String> {
        Ok(Some(text))
    }
}

/// A value from any origin, in the format of a variable.
pub struct FoundValue {
    pub name: &'static str,
    pub origin: Origin,
    pub text: OsString,
}

impl FoundValue {
    fn into_text(self) -> String {
        self.text.to_string_lossy().into_owned()
    }
}

/// Formats a value of the file as in a variable: lists with commas, tables as JSON.
pub(super) fn text_of(in_file: impl Serialize) -> String {
    match serde_json::to_value(in_file) {
        Ok(Value::String(text)) => text,
        Ok(Value::Array(list)) => list.into_iter().map(text_of).collect::<Vec<_>>().join(","),
        Ok(value) => value.to_string(),
        Err(_) => String::new(),
    }
}

/// Declares kinds: `kind: type of the value, type in the file, reader, formatter`, and a translation of variables if
/// one of them has another format than the setting. The generic parameters of a kind come first.
macro_rules! kinds {
    ($($(@[$($parameter:tt)*])? $kind:ty: $value:ty, $in_file:ty, $read:expr, $show:expr $(, $of_variable:ident)?;)*) => {
        $(impl$(<$($parameter)*>)? SettingKind for $kind {
            type Value = $value;
            type InFile = $in_file;

            fn read(found: FoundValue) -> Result<$value, ConfigError> {
                ($read)(found)
            }

            fn show(value: &$value) -> String {
                ($show)(value)
            }

            $(fn of_variable(variable: &'static str, text: String) -> Result<Option<String>, String> {
                $of_variable(variable, text)
            })?
        })*
    };
}

kinds! {
    bool: bool, bool, checked(parse_bool), bool::to_string;
    String: String, String, |found: FoundValue| Ok(found.into_text()), String::clone;
    PathBuf: PathBuf, PathBuf, |found: FoundValue| Ok(found.text.into()), |path: &PathBuf| path.display().to_string();
    // An empty path means none.
    Option<PathBuf>: Option<PathBuf>, PathBuf,
        |found: FoundValue| Ok(Some(found.text).filter(|path| !path.is_empty()).map(PathBuf::from)),
        |path: &Option<PathBuf>| path.as_ref().map(PathBuf::show).unwrap_or_default();
    PublicUrl: Option<Url>, String,
        checked(|text| if text.is_empty() { Ok(None) } else { parse_public_url(text).map(Some) }),
        |url: &Option<Url>| url.as_ref().map(Url::to_string).unwrap_or_default();
    HiddenUrl: Option<Url>, String,
        checked(|text| if text.is_empty() { Ok(None) } else { parse_url(text).map(Some) }), hide;
    Vec<Url>: Vec<Url>, Vec<String>,
        checked(|text| parts(text).map(parse_url).collect()),
        |urls: &Vec<Url>| urls.iter().map(Url::as_str).collect::<Vec<_>>().join(", ");
    Vec<String>: Vec<String>, Vec<String>,
        checked(|text| Ok(parts(text).map(str::to_owned).collect())),
        |list: &Vec<String>| list.join(", ");
    Tz: Tz, String,
        checked(|name| name.parse().map_err(|_| format!("{name:?} is no time zone, such as Europe/Oslo"))),
        Tz::to_string;
    Dialect: Dialect, String, checked(|text| one_of(DIALECTS, text)), |it| name_of(DIALECTS, it);
    LogFormat: LogFormat, String, checked(|text| one_of(LOG_FORMATS, text)), |it| name_of(LOG_FORMATS, it);
    MailTls: MailTls, String, checked(|text| one_of(MAIL_TLS, text)), |it| name_of(MAIL_TLS, it), mail_tls_of;
    SmsHttp: Option<SmsHttp>, SmsHttpFile, read_sms_http, hide;
    OptionalText: Option<String>, String,
        |found: FoundValue| Ok(Some(found.into_text()).filter(|text| !text.trim().is_empty())),
        |text: &Option<String>| text.clone().unwrap_or_default();
    Listen: String, String, checked(parse_listen), String::clone;
    FileMode: u32, String, checked(parse_mode), |mode: &u32| format!("{mode:04o}");
    Host: String, String, checked(parse_host), String::clone;
    LogLevel: String, String, checked(log_level::parse), String::clone, log_level_of;
    JsonObject: String, String, checked(parse_json_object), String::clone;
    StormLimit: Option<u32>, u32,
        checked(|text| Ok(Some(number(text, 0, 1_000_000)?).filter(|limit| *limit > 0))),
        |limit: &Option<u32>| limit.unwrap_or_default().to_string();
    Period: Option<Duration>, String, checked(parse_period), |period: &Option<Duration>| show_period(*period);
    @[const MIN: u64, const MAX: u64] Days<MIN, MAX>: Option<Duration>, Life,
        checked(|text| parse_life(text, MIN, MAX)),
        |life: &Option<Duration>| life.map_or_else(|| "never".to_owned(), |life| (life.as_secs() / DAY).to_string());
    @[const MIN: u64, const MAX: u64] Interval<MIN, MAX>: Duration, IntervalInFile,
        checked(|text| parse_interval(text, MIN, MAX)),
        |every: &Duration| format!("{}s", every.as_secs());
    @[const UNIT: u64, const MIN: u64, const MAX: u64] Time<UNIT, MIN, MAX>: Duration, u64,
        checked(|text| Ok(Duration::from_secs(number::<u64>(text, MIN, MAX)? * UNIT))),
        |time: &Duration| (time.as_secs() / UNIT).to_string();
    @[T: TryFrom<u64> + DeserializeOwned + Serialize + ToString, const MIN: u64, const MAX: u64] Number<T, MIN, MAX>: T, T,
        checked(|text| number(text, MIN, MAX)),
        T::to_string;
}

/// Text without trimming; `None` if it is blank.
pub struct OptionalText;
/// `HOST:PORT`, or `unix:PATH`.
pub struct Listen;
/// Permissions of a file, as an octal number.
pub struct FileMode;
/// `http` or `https` with a host and perhaps a port, and nothing else.
pub struct PublicUrl;
/// A level, or log directives.
pub struct LogLevel;
/// Name or address of a host.
pub struct Host;
/// An http or https address that may contain a secret.
pub struct HiddenUrl;
pub struct JsonObject;
/// A number of messages; 0 is `None`.
pub struct StormLimit;
/// A period with a unit, such as `24h`, or `never`.
pub struct Period;
/// A time in days, both bounds included, or `never`.
pub struct Days<const MIN: u64, const MAX: u64>;
/// A time in units of `UNIT` seconds, both bounds included.
pub struct Time<const UNIT: u64, const MIN: u64, const MAX: u64>;
/// A time such as `90s`, `5m`, `12h` or `1d`, or a number of seconds, within bounds in seconds, both included.
pub struct Interval<const MIN: u64, const MAX: u64>;
pub type Hours<const MIN: u64, const MAX: u64> = Time<3_600, MIN, MAX>;
pub type Seconds<const MIN: u64, const MAX: u64> = Time<1, MIN, MAX>;
pub struct Number<T, const MIN: u64, const MAX: u64>(PhantomData<T>);

const DAY: u64 = 86_400;

/// A number of days, or the word `never`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Life {
    Days(u64),
    Word(String),
}

/// A number of seconds, or a number with a unit.
#[derive(Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum IntervalInFile {
    Seconds(u64),
    Text(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

const LOG_FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];

/// The two forms of the contact API (contact API contract section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Issue,
    Current,
}

const DIALECTS: &[(&str, Dialect)] = &[("issue", Dialect::Issue), ("current", Dialect::Current)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    None,
    StartTls,
    Tls,
}

const MAIL_TLS: &[(&str, MailTls)] = &[("none", MailTls::None), ("starttls", MailTls::StartTls), ("tls", MailTls::Tls)];

/// A secret. The settings file, and variables whose name ends in `_FILE`, have the path of a file with it; other
/// variables have the secret itself.
pub struct SecretIn<const NEVER_EMPTY: bool>;
/// A secret that may be empty; an empty path is `None`.
pub type Secret = SecretIn<false>;
/// A secret that must not be empty.
pub type FirstPassword = SecretIn<true>;

impl<const NEVER_EMPTY: bool> SettingKind for SecretIn<NEVER_EMPTY> {
    type Value = Option<SecretString>;
    type InFile = PathBuf;

    fn read(FoundValue { name, origin, text }: FoundValue) -> Result<Self::Value, ConfigError> {
        match origin {
            Origin::Default => return Ok(None),
            Origin::Environment(variable) if !variable.ends_with("_FILE") => {
                return Ok(Some(text.to_string_lossy().as_ref().into()));
            }
            _ if text.is_empty() && !NEVER_EMPTY => return Ok(None),
            _ => {}
        }
        let secret = read_secret(text.as_ref())?;
        if secret.expose_secret().is_empty() && NEVER_EMPTY {
            return Err(ConfigError::BadValue { name, origin, reason: "the file is empty".to_owned() });
        }
        Ok(Some(secret))
    }

    fn show(secret: &Self::Value) -> String {
        hide(secret)
    }

    fn shown_name(name: &'static str) -> &'static str {
        name.strip_suffix("_file").unwrap_or(name)
    }
}

/// A request to an SMS gateway, with templates.
#[derive(Clone, Debug)]
pub struct SmsHttp {
    pub method: String,
    pub url: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub secret: Option<SecretString>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SmsHttpFile {
    method: Option<String>,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    secret_file: Option<PathBuf>,
}

fn read_sms_http(FoundValue { name, origin, text }: FoundValue) -> Result<Option<SmsHttp>, ConfigError> {
    if text.is_empty() {
        return Ok(None);
    }
    let SmsHttpFile { method, url, headers, body, secret_file } = serde_json::from_slice(text.as_encoded_bytes())
        .map_err(|error| ConfigError::BadValue { name, origin, reason: error.to_string() })?;
    let method = method.unwrap_or_else(|| "POST".to_owned());
    let secret = secret_file.map(|path| read_secret(&path)).transpose()?;
    Ok(Some(SmsHttp { method, url, headers, body, secret }))
}

/// Formats whether there is a secret, without the secret.
#[expect(clippy::ref_option, reason = "values are shown by reference")]
fn hide<T>(secret: &Option<T>) -> String {
    if secret.is_some() { "(set)" } else { "" }.to_owned()
}

pub(super) fn host_time_zone() -> String {
    iana_time_zone::get_timezone().ok().filter(|name| name.parse::<Tz>().is_ok()).unwrap_or_else(|| "UTC".to_owned())
}

/// Returns whether [`host_time_zone`] is a fallback.
pub(super) fn is_zone_unknown() -> bool {
    iana_time_zone::get_timezone().ok().is_none_or(|name| name.parse::<Tz>().is_err())
}

/// Returns a reader that trims and parses text.
fn checked<T>(parse: impl FnOnce(&str) -> Result<T, String>) -> impl FnOnce(FoundValue) -> Result<T, ConfigError> {
    |FoundValue { name, origin, text }| {
        parse(text.to_string_lossy().trim()).map_err(|reason| ConfigError::BadValue { name, origin, reason })
    }
}

/// Longest path of a Unix socket in bytes.
const LONGEST_SOCKET_PATH: usize = 107;

fn parse_listen(text: &str) -> Result<String, String> {
    if let Some(path) = text.strip_prefix("unix:") {
        if !path.starts_with('/') {
            return Err(format!("{text:?} has no absolute path, such as unix:/run/argusd/argusd.sock"));
        }
        if path.len() > LONGEST_SOCKET_PATH {
            return Err(format!(
                "the path of a Unix socket has at most {LONGEST_SOCKET_PATH} bytes, not {}",
                path.len()
            ));
        }
        return Ok(text.to_owned());
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text.to_owned()),
        _ => Err(format!("{text:?} is not HOST:PORT")),
    }
}

fn parse_mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if (0o600..=0o777).contains(&mode) => Ok(mode),
        _ => Err(format!("{text:?} is no octal number from 0600 to 0777, such as 0660")),
    }
}

/// Parses the public address. Pages, links and cookies have paths that begin at the root of a host, so it has no path.
fn parse_public_url(text: &str) -> Result<Url, String> {
    let url = parse_url(text)?;
    if url.path() != "/" {
        return Err(format!(
            "{text:?} has a path, but argusd needs a host name of its own, such as {}://argus.example.org",
            url.scheme()
        ));
    }
    let is_origin = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if is_origin && url.password().is_none() {
        Ok(url)
    } else {
        Err(format!("{text:?} has more than a host and a port"))
    }
}

fn parse_url(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err(format!("{text:?} is no http or https address")),
    }
}

/// Translates Argus' `DEBUG`, a boolean that only raises the log level here (contract section 25).
#[expect(clippy::unnecessary_wraps, reason = "translations have one signature")]
fn log_level_of(variable: &str, text: String) -> Result<Option<String>, String> {
    Ok(match variable {
        "DEBUG" => parse_bool(&text).unwrap_or(false).then(|| "debug".to_owned()),
        _ => Some(text),
    })
}

/// Translates Argus' `EMAIL_USE_TLS`, a boolean that means STARTTLS (contract section 25), and Django's `EMAIL_USE_SSL`,
/// which means TLS from the first byte.
fn mail_tls_of(variable: &str, text: String) -> Result<Option<String>, String> {
    Ok(match variable {
        "EMAIL_USE_TLS" => Some(if parse_bool(text.trim())? { "starttls" } else { "none" }.to_owned()),
        "EMAIL_USE_SSL" => parse_bool(text.trim())?.then(|| "tls".to_owned()),
        _ => Some(text),
    })
}

fn parse_host(host: &str) -> Result<String, String> {
    let fits = !host.is_empty() && host.len() <= 253 && !host.contains(|c: char| c.is_whitespace() || c == '/');
    if fits { Ok(host.to_owned()) } else { Err(format!("{host:?} is no name or address of a host")) }
}

fn parse_json_object(text: &str) -> Result<String, String> {
    let object = serde_json::from_str::<Map<_, Value>>(text);
    object.map(|_| text.to_owned()).map_err(|error| format!("this is no JSON object: {error}"))
}

fn parse_life(text: &str, min: u64, max: u64) -> Result<Option<Duration>, String> {
    if text.eq_ignore_ascii_case("never") {
        return Ok(None);
    }
    let days = number::<u64>(text, min, max).map_err(|reason| format!("{reason}, or the word never"))?;
    Ok(Some(Duration::from_secs(days * DAY)))
}

fn parse_interval(text: &str, min: u64, max: u64) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match text.get(digits.len()..).unwrap_or_default().trim() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => DAY,
        _ => 0,
    };
    let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    seconds
        .filter(|seconds| (min..=max).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| format!("{text:?} is not a time from {min}s to {max}s, such as 90s, 5m or 12h"))
}

/// Units of periods, with their seconds.
const PERIOD_UNITS: [(&str, u64); 3] = [("d", DAY), ("h", 3_600), ("m", 60)];
/// Longest period: a year.
const LONGEST_PERIOD: u64 = 366 * DAY;

fn parse_period(text: &str) -> Result<Option<Duration>, String> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("never") {
        return Ok(None);
    }
    let seconds = PERIOD_UNITS.iter().find_map(|(unit, seconds)| {
        let number = text.strip_suffix(unit)?.parse::<u64>().ok()?;
        number.checked_mul(*seconds).filter(|seconds| (60..=LONGEST_PERIOD).contains(seconds))
    });
    let bad = || format!("{text:?} is no period from 1m to 366d, such as 24h, or the word never");
    seconds.map(|seconds| Some(Duration::from_secs(seconds))).ok_or_else(bad)
}

/// Formats a period in hours or, if it has others, in minutes.
fn show_period(period: Option<Duration>) -> String {
    let Some(period) = period else { return "never".to_owned() };
    let minutes = period.as_secs() / 60;
    if minutes.is_multiple_of(60) { format!("{}h", minutes / 60) } else { format!("{minutes}m") }
}

pub(super) fn parse_bool(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "on" | "true" | "yes" => Ok(true),
        "0" | "off" | "false" | "no" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

fn number<T: TryFrom<u64>>(text: &str, min: u64, max: u64) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| (min..=max).contains(number));
    number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| format!("{text:?} is no number from {min} to {max}"))
}

/// Splits a list with commas.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn one_of<T: Copy>(choices: &[(&'static str, T)], text: &str) -> Result<T, String> {
    if let Some((_, choice)) = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Ok(*choice);
    }
    let mut names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let last = names.pop().unwrap_or_default();
    Err(format!("{text:?} is neither {} nor {last}", names.join(", ")))
}

fn name_of<T: PartialEq>(choices: &[(&'static str, T)], value: &T) -> String {
    choices.iter().find(|(_, choice)| choice == value).map(|(name, _)| *name).unwrap_or_default().to_owned()
}

//! What channels of the types that the server knows itself can be set to, and what settings become when they are changed.

use serde_json::{Map, Value};

use super::{EMAIL, NTFY, SLACK, SMS, WEBHOOK};
use crate::domain::{
    email,
    limits::{CHANNEL_HEADERS, CHANNEL_SETTING, URL},
    medium::{BadSetting, SettingKind, same_origin},
};

/// One of the settings of a channel. All are optional: what a mail or text message channel leaves out is taken from the
/// server's own settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelSetting {
    pub key: &'static str,
    pub title: &'static str,
    /// Empty: the title says it all.
    pub description: &'static str,
    pub form: Form,
    /// Never shown again.
    pub secret: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// On one line.
    Line,
    Text,
    Host,
    Port,
    OneOf(&'static [&'static str]),
    MailAddress,
    /// A mail address with `{number}` in it.
    AddressTemplate,
    HookUrl,
    HttpUrl,
    TopicUrl,
    /// Becomes an address once values are filled in.
    UrlTemplate,
    /// An object: values by the names of headers.
    Headers,
}

/// Why settings are not taken: the key and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct BadChannelSetting {
    pub key: String,
    pub reason: String,
}

const fn setting(key: &'static str, title: &'static str, form: Form, description: &'static str) -> ChannelSetting {
    ChannelSetting { key, title, description, form, secret: false }
}

const fn secret(key: &'static str, title: &'static str, form: Form, description: &'static str) -> ChannelSetting {
    ChannelSetting { key, title, description, form, secret: true }
}

const HOST: ChannelSetting = setting("host", "Mail server", Form::Host, "By default the server's own.");
const PORT: ChannelSetting =
    setting("port", "Port", Form::Port, "By default the usual one for the encryption, or the server's own.");
const ENCRYPTION: ChannelSetting =
    setting("encryption", "Encryption", Form::OneOf(&["none", "starttls", "tls"]), "By default the server's own.");
const USER: ChannelSetting = setting(
    "user",
    "User name",
    Form::Line,
    "At the mail server. The server's own login is used only at the server's own mail server.",
);
const PASSWORD: ChannelSetting = secret("password", "Password", Form::Line, "Together with the user name.");
const SENDER_MAIL: ChannelSetting =
    setting("sender_mail", "Sender's address", Form::MailAddress, "By default the server's own.");
const SENDER_NAME: ChannelSetting = setting("sender_name", "Sender's name", Form::Line, "");

const OF_EMAIL: &[ChannelSetting] = &[
    HOST,
    PORT,
    ENCRYPTION,
    USER,
    PASSWORD,
    SENDER_MAIL,
    SENDER_NAME,
    setting("subject_prefix", "Beginning of subjects", Form::Line, "By default the server's own."),
];

const OF_SMS: &[ChannelSetting] = &[
    setting("gateway_address", "Mail gateway", Form::MailAddress, "It finds the number in the subject."),
    setting(
        "address_template",
        "Mail gateway for each number",
        Form::AddressTemplate,
        "An e-mail address with {number} in it.",
    ),
    secret("url", "HTTP gateway", Form::UrlTemplate, "A template over number, digits, text, id and secret."),
    setting("method", "Method", Form::OneOf(&["POST", "PUT", "GET"]), "Of requests to the HTTP gateway."),
    secret("headers", "Headers", Form::Headers, "Of requests to the HTTP gateway; their values are templates."),
    secret("body", "Body", Form::Text, "Of requests to the HTTP gateway; a template."),
    secret("secret", "Secret", Form::Line, "What {{ secret }} becomes in the templates."),
    HOST,
    PORT,
    ENCRYPTION,
    USER,
    PASSWORD,
    SENDER_MAIL,
    SENDER_NAME,
];

const OF_SLACK: &[ChannelSetting] = &[secret(
    "url",
    "Incoming webhook",
    Form::HookUrl,
    "Of Slack, Mattermost or Rocket.Chat, for contacts that have none of their own.",
)];

const OF_WEBHOOK: &[ChannelSetting] = &[
    secret(
        "url",
        "URL",
        Form::HttpUrl,
        "Where events are posted to, as JSON, for contacts that have none of their own.",
    ),
    secret("secret", "Secret", Form::Line, "Signs what is posted."),
    secret("headers", "Headers", Form::Headers, "Sent along, but only to the scheme, host and port of the URL."),
];

const OF_NTFY: &[ChannelSetting] = &[
    secret("url", "Topic", Form::TopicUrl, "Of an ntfy server, for contacts that have none of their own."),
    secret("token", "Access token", Form::Line, "Sent along, but only to the scheme, host and port of the topic."),
];

/// `None`: only a plug-in knows.
#[must_use]
pub fn settings_of(kind: &str) -> Option<&'static [ChannelSetting]> {
    match kind {
        EMAIL => Some(OF_EMAIL),
        SMS => Some(OF_SMS),
        SLACK => Some(OF_SLACK),
        WEBHOOK => Some(OF_WEBHOOK),
        NTFY => Some(OF_NTFY),
        _ => None,
    }
}

/// Of plug-ins anything goes: they judge it themselves.
pub fn check(kind: &str, config: &Map<String, Value>) -> Result<(), BadChannelSetting> {
    let Some(settings) = settings_of(kind) else { return Ok(()) };
    for (key, value) in config {
        let known = settings.iter().find(|it| it.key == key);
        let known = known.ok_or_else(|| bad(key, format!("Channels of type {kind} have no such setting.")))?;
        if !is_unset(value) {
            known.form.check(value).map_err(|reason| bad(key, reason))?;
        }
    }
    check_together(config)
}

/// Settings that are given in place of those `before`. Where a secret is shown it is blank, and one that comes back blank
/// stays, as long as the settings still lead to the same place; the error names one that cannot.
pub fn changed(
    kind: &str,
    before: Option<&Map<String, Value>>,
    given: Map<String, Value>,
    is_secret: impl Fn(&str) -> bool,
) -> Result<Map<String, Value>, BadChannelSetting> {
    let Some(before) = before else { return Ok(given) };
    let stays = |key: &String, value: &Value| {
        value.as_str() == Some("") && is_secret(key) && before.get(key).is_some_and(|value| !is_unset(value))
    };
    let Some(kept) = given.iter().find(|(key, value)| stays(key, value)).map(|(key, _)| key.clone()) else {
        return Ok(given);
    };
    if !leads_to_same_place(kind, before, &given, &is_secret) {
        let reason = "The secret stays only while the settings lead to the same place. Give it again.";
        return Err(bad(&kept, reason));
    }
    let settle = |(key, value): (String, Value)| {
        let value = if stays(&key, &value) { before.get(&key).cloned().unwrap_or(value) } else { value };
        (key, value)
    };
    Ok(given.into_iter().map(settle).collect())
}

/// What is empty counts as left out.
#[must_use]
pub fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn bad(key: &str, reason: impl Into<String>) -> BadChannelSetting {
    BadChannelSetting { key: key.to_owned(), reason: reason.into() }
}

fn check_together(config: &Map<String, Value>) -> Result<(), BadChannelSetting> {
    let has = |key: &str| config.get(key).is_some_and(|value| !is_unset(value));
    for (one, other) in [("user", "password"), ("password", "user")] {
        if has(one) && !has(other) {
            return Err(bad(other, "User name and password belong together."));
        }
    }
    let gateways = ["gateway_address", "address_template", "url"];
    if let Some(second) = gateways.into_iter().filter(|key| has(key)).nth(1) {
        return Err(bad(second, "There can be only one gateway."));
    }
    Ok(())
}

/// As far as can be told: of plug-ins it is only certain where nothing that is not secret changes.
fn leads_to_same_place(
    kind: &str,
    before: &Map<String, Value>,
    given: &Map<String, Value>,
    is_secret: impl Fn(&str) -> bool,
) -> bool {
    let same = |key: &str| {
        let value = |config: &Map<String, Value>| config.get(key).filter(|value| !is_unset(value)).cloned();
        value(before) == value(given)
    };
    let text = |config: &Map<String, Value>, key: &str| {
        config.get(key).and_then(Value::as_str).map(str::to_owned).unwrap_or_default()
    };
    let same_url = || {
        let (was, is) = (text(before, "url"), text(given, "url"));
        is.is_empty() || is == was || same_origin(&was, &is)
    };
    match kind {
        EMAIL | SMS => ["host", "port", "encryption"].into_iter().all(same) && same_url(),
        SLACK | WEBHOOK | NTFY => same_url(),
        _ => before.keys().chain(given.keys()).all(|key| is_secret(key) || same(key)),
    }
}

impl Form {
    fn check(self, value: &Value) -> Result<(), String> {
        match (self, value) {
            (Self::Headers, Value::Object(headers)) => check_headers(headers),
            (Self::Headers, _) => Err("Give an object: values by the names of headers.".to_owned()),
            (Self::Port, Value::Number(number)) => check_port(number.as_u64()),
            (Self::Port, Value::String(text)) => check_port(text.parse().ok()),
            (_, Value::String(text)) => self.check_text(text),
            _ => Err("Not a valid string.".to_owned()),
        }
    }

    fn check_text(self, text: &str) -> Result<(), String> {
        let is_url = matches!(self, Self::HookUrl | Self::HttpUrl | Self::TopicUrl | Self::UrlTemplate);
        let longest = if is_url { URL } else { CHANNEL_SETTING };
        if text.chars().count() > longest {
            return Err(format!("Ensure this field has no more than {longest} characters."));
        }
        if self != Self::Text && text.chars().any(char::is_control) {
            return Err(BadSetting::Address.to_string());
        }
        let by_medium = |kind: SettingKind| kind.check(text.to_owned()).map(drop).map_err(|error| error.to_string());
        match self {
            Self::HookUrl => by_medium(SettingKind::HookUrl),
            Self::HttpUrl => by_medium(SettingKind::HttpUrl),
            Self::TopicUrl => by_medium(SettingKind::TopicUrl),
            Self::MailAddress => by_medium(SettingKind::Email),
            Self::AddressTemplate
                if !text.contains(NUMBER) || !email::is_valid(&text.replace(NUMBER, "+4712345678")) =>
            {
                Err(format!("Enter an email address with {NUMBER} in it."))
            }
            Self::UrlTemplate if !text.starts_with("https://") && !text.starts_with("http://") => {
                Err(BadSetting::HttpUrl.to_string())
            }
            Self::OneOf(choices) if !choices.contains(&text) => Err(format!("Must be one of {}.", choices.join(", "))),
            Self::Host if text.contains(|c: char| c.is_whitespace() || matches!(c, '/' | '@')) => {
                Err("Enter the name or the address of a host.".to_owned())
            }
            _ => Ok(()),
        }
    }
}

const NUMBER: &str = "{number}";

fn check_port(number: Option<u64>) -> Result<(), String> {
    if number.is_some_and(|number| (1..=65_535).contains(&number)) {
        Ok(())
    } else {
        Err("Must be a whole number from 1 to 65535.".to_owned())
    }
}

fn check_headers(headers: &Map<String, Value>) -> Result<(), String> {
    /// What the server or its HTTP library says itself.
    const TAKEN: [&str; 9] = [
        "content-length",
        "host",
        "connection",
        "transfer-encoding",
        "user-agent",
        "idempotency-key",
        "x-argusd-signature",
        "x-argusd-timestamp",
        "te",
    ];
    let is_name = |name: &str| {
        !name.is_empty()
            && name.len() <= 100
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if headers.len() > CHANNEL_HEADERS {
        return Err(format!("There can be at most {CHANNEL_HEADERS} headers."));
    }
    for (name, value) in headers {
        if !is_name(name) || TAKEN.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(format!("{name:?} is not the name of a header that can be set."));
        }
        let is_value = |text: &str| text.len() <= CHANNEL_SETTING && !text.chars().any(char::is_control);
        if !value.as_str().is_some_and(is_value) {
            return Err(format!("The value of {name} has to be a text on one line."));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

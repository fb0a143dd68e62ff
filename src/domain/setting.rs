//! A setting of a channel or a destination: key, title, description, and form of the value.

use serde_json::{Map, Value};
use url::Url;

use super::{
    email,
    limits::{ADDRESS, CHANNEL_HEADERS, CHANNEL_SETTING, DESTINATION_SECRET, EMAIL, PHONE_NUMBER, URL},
    phone,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    pub key: &'static str,
    pub title: &'static str,
    /// Explanation. Empty: the title is enough.
    pub description: &'static str,
    pub form: Form,
    /// Whether its value is never shown after it was saved.
    pub secret: bool,
}

/// Form of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Text on one line.
    Line,
    Text,
    /// Printable ASCII for a header.
    Ascii,
    Host,
    Port,
    OneOf(&'static [&'static str]),
    MailAddress,
    /// A mail address that contains `{number}`.
    AddressTemplate,
    Phone,
    HttpUrl,
    /// The https URL of an incoming webhook, with a path.
    HookUrl,
    /// The URL of a topic of an ntfy server.
    TopicUrl,
    /// A URL after values are filled in.
    UrlTemplate,
    /// A JSON object with names and values of headers.
    Headers,
    /// An address that only a plug-in can check.
    Address,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSetting {
    #[error("Enter a valid email address.")]
    Email,
    #[error("Enter a valid phone number (e.g. +12125552368).")]
    Phone,
    #[error("Enter a valid URL that starts with https://.")]
    HttpsUrl,
    #[error("Enter a valid URL that starts with https:// or http://.")]
    HttpUrl,
    #[error("Enter the complete URL of the webhook, including its path (e.g. https://hooks.slack.com/services/...).")]
    HookUrl,
    #[error("Enter a URL that ends with a topic of 1 to 64 letters, digits, - and _ (e.g. https://ntfy.sh/alerts).")]
    TopicUrl,
    #[error("Enter a URL without a user name and password.")]
    Credentials,
    #[error("Only printable ASCII characters are allowed.")]
    Secret,
    #[error("Control characters are not allowed.")]
    Address,
}

impl Setting {
    #[must_use]
    pub const fn new(key: &'static str, title: &'static str, form: Form, description: &'static str) -> Self {
        Self { key, title, description, form, secret: false }
    }

    #[must_use]
    pub const fn secret(key: &'static str, title: &'static str, form: Form, description: &'static str) -> Self {
        Self { key, title, description, form, secret: true }
    }
}

impl Form {
    #[must_use]
    pub const fn is_url(self) -> bool {
        matches!(self, Self::HookUrl | Self::HttpUrl | Self::TopicUrl | Self::UrlTemplate)
    }

    /// Returns the maximum length of the value of a destination's setting, in characters.
    #[must_use]
    pub const fn longest(self) -> usize {
        match self {
            Self::MailAddress => EMAIL,
            Self::Phone => PHONE_NUMBER,
            Self::Ascii => DESTINATION_SECRET,
            Self::Address => ADDRESS,
            _ => URL,
        }
    }

    /// Checks the value of a destination's setting and returns the form that is stored.
    pub fn normalize(self, text: String) -> Result<String, BadSetting> {
        match self {
            Self::MailAddress if email::is_valid(&text) => Ok(text),
            Self::MailAddress => Err(BadSetting::Email),
            Self::Phone => phone::normalize(&text).ok_or(BadSetting::Phone),
            Self::HttpUrl => check_url(text, &["https", "http"], BadSetting::HttpUrl),
            Self::HookUrl => {
                let text = check_url(text, &["https"], BadSetting::HttpsUrl)?;
                if path_segments(&text).is_empty() { Err(BadSetting::HookUrl) } else { Ok(text) }
            }
            Self::TopicUrl => {
                let text = check_url(text, &["https", "http"], BadSetting::HttpUrl)?;
                if path_segments(&text).last().is_some_and(|topic| is_topic(topic)) {
                    Ok(text)
                } else {
                    Err(BadSetting::TopicUrl)
                }
            }
            Self::Address if text.chars().any(char::is_control) => Err(BadSetting::Address),
            Self::Ascii if !text.bytes().all(|byte| byte.is_ascii_graphic()) => Err(BadSetting::Secret),
            _ => Ok(text),
        }
    }

    /// Checks the value of a channel's setting. The error is a sentence.
    pub fn check(self, value: &Value) -> Result<(), String> {
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
        let longest = if self.is_url() { URL } else { CHANNEL_SETTING };
        if text.chars().count() > longest {
            return Err(format!("Ensure this field has no more than {longest} characters."));
        }
        if self != Self::Text && text.chars().any(char::is_control) {
            return Err(BadSetting::Address.to_string());
        }
        match self {
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
            _ => self.normalize(text.to_owned()).map(drop).map_err(|error| error.to_string()),
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
    /// Headers that the server or its HTTP library sets.
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

/// Returns whether two URLs have the same scheme, host and port.
#[must_use]
pub fn same_origin(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => one.origin() == other.origin() && one.origin().is_tuple(),
        _ => false,
    }
}

/// Returns the segments of the path that are not empty.
fn path_segments(url: &str) -> Vec<String> {
    let url = Url::parse(url).ok();
    let segments = url.iter().filter_map(Url::path_segments).flatten();
    segments.filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}

/// Returns whether the text is a topic that ntfy servers accept.
fn is_topic(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn check_url(text: String, schemes: &[&str], error: BadSetting) -> Result<String, BadSetting> {
    let rest = text.split_once("://").map_or("", |(_, rest)| rest);
    if rest.is_empty() || rest.starts_with('/') || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(error);
    }
    let url = Url::parse(&text).map_err(|_| error)?;
    // Port 0 cannot be connected to.
    if !schemes.contains(&url.scheme()) || url.host_str().is_none_or(str::is_empty) || url.port() == Some(0) {
        return Err(error);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadSetting::Credentials);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::channel_types::find;

    fn check(kind: &str, text: &str) -> Result<String, BadSetting> {
        find(kind).unwrap().address().form.normalize(text.to_owned())
    }

    #[test]
    fn each_medium_checks_its_address() {
        assert_eq!(check("email", "A@example.org").unwrap(), "A@example.org");
        assert_eq!(check("email", "example.org"), Err(BadSetting::Email));
        assert_eq!(check("sms", "+47 67 67 67 67").unwrap(), "+4767676767");
        assert_eq!(check("sms", "12345"), Err(BadSetting::Phone));
        for good in ["https://hooks.slack.com/services/T/B/x", "https://mattermost.example.org/hooks/x"] {
            assert_eq!(check("slack", good).unwrap(), good);
        }
        for bad in ["", "http://hooks.slack.com/x", "slack://x", "https://", "https:///x", "https://a b/", "x"] {
            assert_eq!(check("slack", bad), Err(BadSetting::HttpsUrl), "{bad}");
        }
        for medium in ["webhook", "ntfy"] {
            assert!(check(medium, "http://10.0.0.1:8080/argus").is_ok());
            assert_eq!(check(medium, "ftp://x.org/"), Err(BadSetting::HttpUrl));
            assert_eq!(check(medium, "https://x.org:0/a"), Err(BadSetting::HttpUrl));
            assert_eq!(check(medium, "https://user:pw@x.org/"), Err(BadSetting::Credentials));
        }
        for bad in ["https://hooks.slack.com", "https://hooks.slack.com/", "https://hooks.slack.com//?x=1"] {
            assert_eq!(check("slack", bad), Err(BadSetting::HookUrl), "{bad}");
        }
        for good in ["https://ntfy.sh/alerts", "https://ntfy.example.org:8443/push/a_B-1/?x=1#y"] {
            assert_eq!(check("ntfy", good).unwrap(), good);
        }
        let long = format!("https://ntfy.sh/{}", "x".repeat(65));
        for bad in [
            "https://ntfy.sh",
            "https://ntfy.sh/",
            "https://ntfy.sh//",
            "https://ntfy.sh/a b",
            "https://ntfy.sh/æ",
            &long,
        ] {
            let refused = if bad.contains(' ') { BadSetting::HttpUrl } else { BadSetting::TopicUrl };
            assert_eq!(check("ntfy", bad), Err(refused), "{bad}");
        }
        assert!(check("webhook", "https://x.org").is_ok());
        assert_eq!(Form::Ascii.normalize("a\nb".to_owned()), Err(BadSetting::Secret));
    }
}

//! The media by which people can be told, and what each has to know of a destination (contract section 16).

use std::collections::BTreeMap;

use url::Url;

use super::{
    destination::{ADDRESS, DESTINATION_URL, EMAIL, EMAIL_ADDRESS, PHONE_NUMBER, SMS},
    email, phone,
};

/// An incoming webhook of Slack, Mattermost or Rocket.Chat.
pub const SLACK: &str = "slack";
pub const WEBHOOK: &str = "webhook";
pub const NTFY: &str = "ntfy";
/// The key that signs what a webhook is sent.
pub const SECRET: &str = "secret";
/// What an ntfy server knows the sender by.
pub const TOKEN: &str = "token";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    Email,
    Sms,
    Slack,
    Webhook,
    Ntfy,
}

/// One of the settings of a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    pub key: &'static str,
    pub title: &'static str,
    /// Empty: the title says it all.
    pub description: &'static str,
    pub kind: SettingKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingKind {
    Email,
    Phone,
    HttpUrl,
    /// The https URL of an incoming webhook: one that has a path.
    HookUrl,
    /// The URL of a topic of an ntfy server.
    TopicUrl,
    /// Optional, and never shown again.
    Secret,
    /// What only a plug-in can judge.
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

/// A medium that the server knows itself, or the type of a channel plug-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyMedium {
    BuiltIn(Medium),
    Plugin(String),
}

const URL_SETTING: Setting = Setting { key: DESTINATION_URL, title: "", description: "", kind: SettingKind::HttpUrl };

impl Medium {
    pub const ALL: [Self; 5] = [Self::Email, Self::Sms, Self::Slack, Self::Webhook, Self::Ntfy];

    #[must_use]
    pub fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|medium| medium.slug() == slug)
    }

    #[must_use]
    pub const fn slug(self) -> &'static str {
        match self {
            Self::Email => EMAIL,
            Self::Sms => SMS,
            Self::Slack => SLACK,
            Self::Webhook => WEBHOOK,
            Self::Ntfy => NTFY,
        }
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "Email",
            Self::Sms => "SMS",
            Self::Slack => "Slack",
            Self::Webhook => "Webhook",
            Self::Ntfy => "ntfy",
        }
    }

    /// The address, which every destination has, comes first.
    #[must_use]
    pub const fn settings(self) -> &'static [Setting] {
        match self {
            Self::Email => {
                &[Setting { key: EMAIL_ADDRESS, title: "Email address", description: "", kind: SettingKind::Email }]
            }
            Self::Sms => &[Setting {
                key: PHONE_NUMBER,
                title: "Phone number",
                description: "The phone number is validated and the country code needs to be given.",
                kind: SettingKind::Phone,
            }],
            Self::Slack => &[Setting {
                title: "Slack Webhook",
                description: "Also of Mattermost and Rocket.Chat.",
                kind: SettingKind::HookUrl,
                ..URL_SETTING
            }],
            Self::Webhook => &[
                Setting { title: "URL", description: "Where events are posted to, as JSON.", ..URL_SETTING },
                Setting {
                    key: SECRET,
                    title: "Secret",
                    description: "Signs what is posted. Never shown again.",
                    kind: SettingKind::Secret,
                },
            ],
            Self::Ntfy => &[
                Setting {
                    title: "Topic",
                    description: "The URL of the topic on an ntfy server.",
                    kind: SettingKind::TopicUrl,
                    ..URL_SETTING
                },
                Setting {
                    key: TOKEN,
                    title: "Access token",
                    description: "For topics that not everybody may publish to. Never shown again.",
                    kind: SettingKind::Secret,
                },
            ],
        }
    }

    /// The key of the setting that says where: no two destinations of a user share its value.
    #[must_use]
    pub const fn address_key(self) -> &'static str {
        match self {
            Self::Email => EMAIL_ADDRESS,
            Self::Sms => PHONE_NUMBER,
            Self::Slack | Self::Webhook | Self::Ntfy => DESTINATION_URL,
        }
    }
}

impl AnyMedium {
    /// Whether there is such a plug-in is for others to know.
    #[must_use]
    pub fn from_slug(slug: &str) -> Self {
        Medium::from_slug(slug).map_or_else(|| Self::Plugin(slug.to_owned()), Self::BuiltIn)
    }

    #[must_use]
    pub fn slug(&self) -> &str {
        match self {
            Self::BuiltIn(medium) => medium.slug(),
            Self::Plugin(slug) => slug,
        }
    }

    /// As [`Medium::settings`]. A plug-in is given one address, of the type that bears its name.
    #[must_use]
    pub const fn settings(&self) -> &'static [Setting] {
        match self {
            Self::BuiltIn(medium) => medium.settings(),
            Self::Plugin(_) => {
                &[Setting { key: ADDRESS, title: "Address", description: "", kind: SettingKind::Address }]
            }
        }
    }

    #[must_use]
    pub const fn address_key(&self) -> &'static str {
        match self {
            Self::BuiltIn(medium) => medium.address_key(),
            Self::Plugin(_) => ADDRESS,
        }
    }
}

impl SettingKind {
    #[must_use]
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Secret)
    }

    /// The value as it is kept.
    pub fn check(self, text: String) -> Result<String, BadSetting> {
        match self {
            Self::Email if email::is_valid(&text) => Ok(text),
            Self::Email => Err(BadSetting::Email),
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
            Self::Address if !text.chars().any(char::is_control) => Ok(text),
            Self::Address => Err(BadSetting::Address),
            Self::Secret if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(text),
            Self::Secret => Err(BadSetting::Secret),
        }
    }
}

/// Settings after a change: what is given replaces what was there, and secrets that are not mentioned stay, as long as
/// they still go to the same place.
#[must_use]
pub fn changed_settings(
    medium: &AnyMedium,
    before: &BTreeMap<String, String>,
    given: BTreeMap<String, Option<String>>,
) -> BTreeMap<String, String> {
    let address = |settings: &BTreeMap<String, String>| settings.get(medium.address_key()).cloned().unwrap_or_default();
    let mentioned: Vec<String> = given.keys().cloned().collect();
    let mut after: BTreeMap<String, String> =
        given.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect();
    if same_origin(&address(before), &address(&after)) {
        let kept =
            medium.settings().iter().filter(|it| it.kind.is_secret() && !mentioned.iter().any(|key| key == it.key));
        for setting in kept {
            if let Some(value) = before.get(setting.key) {
                after.insert(setting.key.to_owned(), value.clone());
            }
        }
    }
    after
}

/// Scheme, host and port.
#[must_use]
pub fn same_origin(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => one.origin() == other.origin() && one.origin().is_tuple(),
        _ => false,
    }
}

/// Those that are not empty.
fn path_segments(url: &str) -> Vec<String> {
    let url = Url::parse(url).ok();
    let segments = url.iter().filter_map(Url::path_segments).flatten();
    segments.filter(|segment| !segment.is_empty()).map(str::to_owned).collect()
}

/// As ntfy servers take them.
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
    // Nothing can be reached at port 0.
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

    fn check(medium: Medium, text: &str) -> Result<String, BadSetting> {
        medium.settings()[0].kind.check(text.to_owned())
    }

    #[test]
    fn each_medium_checks_its_address() {
        assert_eq!(check(Medium::Email, "A@example.org").unwrap(), "A@example.org");
        assert_eq!(check(Medium::Email, "example.org"), Err(BadSetting::Email));
        assert_eq!(check(Medium::Sms, "+47 67 67 67 67").unwrap(), "+4767676767");
        assert_eq!(check(Medium::Sms, "12345"), Err(BadSetting::Phone));
        for good in ["https://hooks.slack.com/services/T/B/x", "https://mattermost.example.org/hooks/x"] {
            assert_eq!(check(Medium::Slack, good).unwrap(), good);
        }
        for bad in ["", "http://hooks.slack.com/x", "slack://x", "https://", "https:///x", "https://a b/", "x"] {
            assert_eq!(check(Medium::Slack, bad), Err(BadSetting::HttpsUrl), "{bad}");
        }
        for medium in [Medium::Webhook, Medium::Ntfy] {
            assert!(check(medium, "http://10.0.0.1:8080/argus").is_ok());
            assert_eq!(check(medium, "ftp://x.org/"), Err(BadSetting::HttpUrl));
            assert_eq!(check(medium, "https://x.org:0/a"), Err(BadSetting::HttpUrl));
            assert_eq!(check(medium, "https://user:pw@x.org/"), Err(BadSetting::Credentials));
        }
        for bad in ["https://hooks.slack.com", "https://hooks.slack.com/", "https://hooks.slack.com//?x=1"] {
            assert_eq!(check(Medium::Slack, bad), Err(BadSetting::HookUrl), "{bad}");
        }
        for good in ["https://ntfy.sh/alerts", "https://ntfy.example.org:8443/push/a_B-1/?x=1#y"] {
            assert_eq!(check(Medium::Ntfy, good).unwrap(), good);
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
            assert_eq!(check(Medium::Ntfy, bad), Err(refused), "{bad}");
        }
        assert!(check(Medium::Webhook, "https://x.org").is_ok());
        assert_eq!(SettingKind::Secret.check("a\nb".to_owned()), Err(BadSetting::Secret));
    }

    #[test]
    fn the_address_is_the_first_setting() {
        for medium in Medium::ALL {
            assert_eq!(medium.settings()[0].key, medium.address_key());
            assert_eq!(Medium::from_slug(medium.slug()), Some(medium));
        }
        assert_eq!(Medium::from_slug("nope"), None);
    }

    #[test]
    fn secrets_stay_with_their_host() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let given = |pairs: &[(&str, Option<&str>)]| -> BTreeMap<String, Option<String>> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect()
        };
        let before = map(&[(DESTINATION_URL, "https://x.org/a"), (SECRET, "s")]);
        let change = |pairs: &[(&str, Option<&str>)]| {
            changed_settings(&AnyMedium::BuiltIn(Medium::Webhook), &before, given(pairs))
        };
        let moved = "https://x.org/b";
        assert_eq!(change(&[(DESTINATION_URL, Some(moved))]), map(&[(DESTINATION_URL, moved), (SECRET, "s")]));
        assert_eq!(change(&[(DESTINATION_URL, Some(moved)), (SECRET, None)]), map(&[(DESTINATION_URL, moved)]));
        assert_eq!(
            change(&[(DESTINATION_URL, Some(moved)), (SECRET, Some("t"))]),
            map(&[(DESTINATION_URL, moved), (SECRET, "t")])
        );
        for elsewhere in ["https://y.org/a", "http://x.org/a", "https://x.org:444/a"] {
            assert_eq!(change(&[(DESTINATION_URL, Some(elsewhere))]), map(&[(DESTINATION_URL, elsewhere)]));
        }
    }
}

//! Settings of the transports.

use std::{fmt, path::PathBuf, time::Duration};

use chrono_tz::Tz;
use secrecy::{ExposeSecret, SecretString};

#[derive(Clone, Debug)]
pub struct ChannelSettings {
    pub mail: MailSettings,
    pub sms: SmsSettings,
    /// Directory of files that replace built-in templates of the same name.
    pub templates: Option<PathBuf>,
    /// Time zone of times that are shown without an offset.
    pub time_zone: Tz,
    /// Whether requests may go to this host and to private networks.
    pub allow_private_addresses: bool,
    /// Time limit of one HTTP request with its answer.
    pub http_timeout: Duration,
    pub plugins: PluginSettings,
}

#[derive(Clone, Debug)]
pub struct PluginSettings {
    /// Directory of the executables. `None`: there are no plug-ins.
    pub directory: Option<PathBuf>,
    /// Time limit of one call.
    pub timeout: Duration,
}

#[derive(Clone, Debug)]
pub struct MailSettings {
    pub host: String,
    pub port: u16,
    pub encryption: Encryption,
    /// Username and password. `None`: the server accepts mail without a login.
    pub credentials: Option<(String, SecretString)>,
    /// PEM file with certificate authorities that are trusted in addition to the usual ones.
    pub ca_file: Option<PathBuf>,
    /// Sender: an address, with or without a name before it.
    pub from: String,
    pub subject_prefix: String,
    /// Whether all mails about an incident have the same subject.
    pub stable_subject: bool,
    /// Time limit of connecting, and of sending one message.
    pub timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    None,
    /// Required: nothing is sent to a server that does not offer it.
    StartTls,
    /// Encrypted from the first byte on.
    Tls,
}

impl MailSettings {
    /// Returns whether both lead to the same server with the same login.
    pub(super) fn same_server(&self, other: &Self) -> bool {
        (&self.host, self.port, self.encryption, self.login())
            == (&other.host, other.port, other.encryption, other.login())
    }

    /// Returns username and password.
    #[must_use]
    pub fn login(&self) -> Option<(&str, &str)> {
        self.credentials.as_ref().map(|(name, password)| (name.as_str(), password.expose_secret()))
    }
}

impl Encryption {
    /// Parses the name that settings of channels use.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "none" => Some(Self::None),
            "starttls" => Some(Self::StartTls),
            "tls" => Some(Self::Tls),
            _ => None,
        }
    }

    pub(super) const fn usual_port(self) -> u16 {
        match self {
            Self::None => 25,
            Self::StartTls => 587,
            Self::Tls => 465,
        }
    }
}

/// The ways to send text messages (contract section 19.4).
#[derive(Clone, Debug, Default)]
pub enum SmsSettings {
    #[default]
    Off,
    /// A mail to this address, with the number in its subject.
    MailGateway(String),
    /// A mail to this address, after `{number}` is replaced.
    MailTemplate(String),
    Http(HttpGateway),
}

/// An HTTP request. `url`, values of headers and `body` are templates with `number`, `digits`, `text`, `id` and
/// `secret`.
#[derive(Clone)]
pub struct HttpGateway {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub secret: Option<SecretString>,
}

impl Default for ChannelSettings {
    fn default() -> Self {
        Self {
            mail: MailSettings::default(),
            sms: SmsSettings::Off,
            templates: None,
            time_zone: Tz::UTC,
            allow_private_addresses: true,
            http_timeout: Duration::from_secs(15),
            plugins: PluginSettings::default(),
        }
    }
}

impl Default for PluginSettings {
    fn default() -> Self {
        Self { directory: None, timeout: Duration::from_secs(30) }
    }
}

impl Default for MailSettings {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: 25,
            encryption: Encryption::None,
            credentials: None,
            ca_file: None,
            from: "argus@localhost".to_owned(),
            subject_prefix: "[Argus] ".to_owned(),
            stable_subject: false,
            timeout: Duration::from_secs(30),
        }
    }
}

impl fmt::Debug for HttpGateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpGateway").field("method", &self.method).finish_non_exhaustive()
    }
}

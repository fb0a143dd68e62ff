//! Settings of the transports.

use std::{fmt, path::PathBuf, time::Duration};

use chrono_tz::Tz;
use secrecy::{ExposeSecret, SecretString};

#[derive(Clone, Debug)]
pub struct ChannelSettings {
    pub mail: MailSettings,
    pub sms: SmsSettings,
    /// Holds files that replace built-in templates of the same name.
    pub templates: Option<PathBuf>,
    /// Of times that people read without an offset.
    pub time_zone: Tz,
    /// Whether requests may go to this host and to private networks.
    pub allow_private_addresses: bool,
    /// For one HTTP request with its answer.
    pub http_timeout: Duration,
    pub plugins: PluginSettings,
}

#[derive(Clone, Debug)]
pub struct PluginSettings {
    /// Where the executables are; `None`: there are none.
    pub directory: Option<PathBuf>,
    /// For one call.
    pub timeout: Duration,
}

#[derive(Clone, Debug)]
pub struct MailSettings {
    pub host: String,
    pub port: u16,
    pub encryption: Encryption,
    /// User name and password; `None`: the server takes mail from us without.
    pub credentials: Option<(String, SecretString)>,
    /// PEM file with authorities that are trusted besides the usual ones.
    pub ca_file: Option<PathBuf>,
    /// An address, with or without a name before it.
    pub from: String,
    pub subject_prefix: String,
    /// Whether mails about an incident have the same subject whatever happens to it.
    pub stable_subject: bool,
    /// For each of: connecting, and handing over one message.
    pub timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    None,
    /// Required: a server that does not offer it gets nothing.
    StartTls,
    /// From the first byte on.
    Tls,
}

impl MailSettings {
    /// And the same login there.
    pub(super) fn same_server(&self, other: &Self) -> bool {
        (&self.host, self.port, self.encryption, self.login())
            == (&other.host, other.port, other.encryption, other.login())
    }

    /// User name and password.
    #[must_use]
    pub fn login(&self) -> Option<(&str, &str)> {
        self.credentials.as_ref().map(|(name, password)| (name.as_str(), password.expose_secret()))
    }
}

impl Encryption {
    /// As settings of channels have it.
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

/// How text messages leave; contract section 19.4 has the first.
#[derive(Clone, Debug, Default)]
pub enum SmsSettings {
    #[default]
    Off,
    /// A mail to this address with the number in its subject.
    MailGateway(String),
    /// A mail to the address that this becomes once `{number}` is filled in.
    MailTemplate(String),
    Http(HttpGateway),
}

/// A request; `url`, values of headers and `body` are templates over `number`, `digits`, `text`, `id` and `secret`.
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

//! Settings with their origins. The only reader of the environment.
//!
//! A flag goes before the environment, the environment before the file, the file before the default. Knows nothing of
//! what the settings are used for.

mod environment;
mod file;
mod merge;
mod notifications;

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono_tz::Tz;
use secrecy::SecretString;
use url::Url;

pub use self::{
    environment::Environment,
    notifications::{MailConfig, MailTls, NotificationConfig, SmsConfig, SmsHttp},
};

/// A value, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    pub value: T,
    pub origin: Origin,
}

impl<T> Setting<T> {
    fn map<U>(self, change: impl FnOnce(T) -> U) -> Setting<U> {
        Setting { value: change(self.value), origin: self.origin }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File,
    Environment(&'static str),
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File => f.write_str("file"),
            Self::Environment(name) => f.write_str(name),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// What the command line says; it wins over everything else.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub data: Option<PathBuf>,
    pub listen: Option<String>,
    pub config: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub struct Config {
    pub data: Setting<PathBuf>,
    /// `HOST:PORT`; port 0 takes any free one.
    pub listen: Setting<String>,
    /// Where clients reach the server; `None`: where they say they did.
    pub public_url: Setting<Option<Url>>,
    /// Frontends on other hosts. The first is where links to the frontend lead.
    pub frontend_urls: Setting<Vec<Url>>,
    /// Addresses and networks of proxies whose forwarding headers are believed.
    pub trusted_proxies: Setting<Vec<String>>,
    pub time_zone: Setting<Tz>,
    pub max_connections: Setting<usize>,
    pub log: LogConfig,
    pub storage: StorageConfig,
    pub tokens: TokenConfig,
    pub incidents: IncidentConfig,
    pub icinga: IcingaConfig,
    pub web: WebConfig,
    pub admin: AdminConfig,
    pub notifications: NotificationConfig,
    pub mail: MailConfig,
    pub sms: SmsConfig,
}

#[derive(Clone, Debug)]
pub struct LogConfig {
    /// A level, or directives such as `info,argusd::http=debug`.
    pub level: Setting<String>,
}

#[derive(Clone, Debug)]
pub struct StorageConfig {
    pub cache_mib: Setting<usize>,
}

#[derive(Clone, Debug)]
pub struct TokenConfig {
    /// `None`: classic tokens never expire.
    pub life: Setting<Option<Duration>>,
    pub login_life: Setting<Duration>,
    /// Before a source's token expires.
    pub warning_days: Setting<u32>,
}

#[derive(Clone, Debug)]
pub struct IncidentConfig {
    /// Refuse to delete incidents.
    pub indelible: Setting<bool>,
}

#[derive(Clone, Debug)]
pub struct IcingaConfig {
    /// What `contacts` and `channels` speak; other paths say it themselves.
    pub dialect: Setting<Dialect>,
}

/// The two forms of the contact API (contact API contract section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Issue,
    Current,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Issue => "issue",
            Self::Current => "current",
        })
    }
}

#[derive(Clone, Debug)]
pub struct WebConfig {
    /// A line on top of every page.
    pub banner: Setting<Option<String>>,
    /// A style sheet with other values for the custom properties of the pages.
    pub tokens: Setting<Option<PathBuf>>,
}

#[derive(Clone, Debug)]
pub struct AdminConfig {
    /// The first password of the user `admin`; `None`: one is made up.
    pub password: Setting<Option<SecretString>>,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {}: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: std::io::Error },
    #[error("{}: {reason}", path.display())]
    BadFile { path: PathBuf, reason: String },
    #[error("{name} ({origin}): {reason}")]
    BadValue { name: &'static str, origin: Origin, reason: String },
}

impl Config {
    /// Reads the file that `flags` or `environment` name, and puts everything together.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let path = flags.config.clone().or_else(|| environment.get("ARGUSD_CONFIG").map(PathBuf::from));
        let file = path.as_deref().map(file::read).transpose()?.unwrap_or_default();
        merge::merge(flags, environment, file)
    }

    /// Name, value and origin of each setting, for people.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, String, Origin)> {
        let days = |life: Duration| life.as_secs() / 86_400;
        let mut rows = vec![
            ("data", self.data.value.display().to_string(), self.data.origin),
            ("listen", self.listen.value.clone(), self.listen.origin),
            (
                "public_url",
                self.public_url.value.as_ref().map(Url::to_string).unwrap_or_default(),
                self.public_url.origin,
            ),
            (
                "frontend_urls",
                self.frontend_urls.value.iter().map(Url::as_str).collect::<Vec<_>>().join(", "),
                self.frontend_urls.origin,
            ),
            ("trusted_proxies", self.trusted_proxies.value.join(", "), self.trusted_proxies.origin),
            ("time_zone", self.time_zone.value.to_string(), self.time_zone.origin),
            ("max_connections", self.max_connections.value.to_string(), self.max_connections.origin),
            ("log.level", self.log.level.value.clone(), self.log.level.origin),
            ("storage.cache_mib", self.storage.cache_mib.value.to_string(), self.storage.cache_mib.origin),
            (
                "tokens.life_days",
                self.tokens.life.value.map_or_else(|| "never".to_owned(), |life| days(life).to_string()),
                self.tokens.life.origin,
            ),
            (
                "tokens.login_life_hours",
                (self.tokens.login_life.value.as_secs() / 3_600).to_string(),
                self.tokens.login_life.origin,
            ),
            ("tokens.warning_days", self.tokens.warning_days.value.to_string(), self.tokens.warning_days.origin),
            ("incidents.indelible", self.incidents.indelible.value.to_string(), self.incidents.indelible.origin),
            ("icinga.dialect", self.icinga.dialect.value.to_string(), self.icinga.dialect.origin),
            ("web.banner", self.web.banner.value.clone().unwrap_or_default(), self.web.banner.origin),
            (
                "web.tokens",
                self.web.tokens.value.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
                self.web.tokens.origin,
            ),
            (
                "admin.password",
                if self.admin.password.value.is_some() { "(set)" } else { "" }.to_owned(),
                self.admin.password.origin,
            ),
        ];
        rows.extend(notifications::rows(&self.notifications, &self.mail, &self.sms));
        rows
    }
}

/// Reads a secret; white space at its end does not count.
pub fn read_secret(path: &Path) -> Result<SecretString, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|reason| ConfigError::Unreadable { path: path.to_owned(), reason })?;
    Ok(text.trim_end().into())
}

//! The TOML file. Every key is optional, and an unknown key is an error.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{ConfigError, notifications};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub data: Option<PathBuf>,
    pub listen: Option<String>,
    pub public_url: Option<String>,
    pub frontend_urls: Option<Vec<String>>,
    pub trusted_proxies: Option<Vec<String>>,
    pub time_zone: Option<String>,
    pub max_connections: Option<usize>,
    #[serde(default)]
    pub log: Log,
    #[serde(default)]
    pub storage: Storage,
    #[serde(default)]
    pub tokens: Tokens,
    #[serde(default)]
    pub incidents: Incidents,
    #[serde(default)]
    pub icinga: Icinga,
    #[serde(default)]
    pub web: Web,
    #[serde(default)]
    pub admin: Admin,
    #[serde(default)]
    pub notifications: notifications::Notifications,
    #[serde(default)]
    pub mail: notifications::Mail,
    #[serde(default)]
    pub sms: notifications::Sms,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    pub level: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Storage {
    pub cache_mib: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tokens {
    pub life_days: Option<Life>,
    pub login_life_hours: Option<u64>,
    pub warning_days: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Incidents {
    pub indelible: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Icinga {
    pub dialect: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Web {
    pub banner: Option<String>,
    pub tokens: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Admin {
    pub password_file: Option<PathBuf>,
}

/// A number of days, or the word `never`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Life {
    Days(u64),
    Word(String),
}

pub(super) fn read(path: &Path) -> Result<File, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|reason| ConfigError::Unreadable { path: path.to_owned(), reason })?;
    toml::from_str(&text).map_err(|reason| ConfigError::BadFile {
        path: path.to_owned(),
        reason: reason.to_string().trim_end().to_owned(),
    })
}

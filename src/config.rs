//! Settings with their origins, and the only reader of the environment.
//!
//! Flags take precedence over the environment, the environment over the file, and the file over defaults. This module
//! does not know what the settings are used for. `settings` declares each setting in one line.

mod background;
mod environment;
mod log_level;
mod section;
mod setting_kind;
mod settings;
#[cfg(test)]
mod tests;
mod unknown;

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use self::section::{Section, Sources};
pub use self::{
    background::{Background, OldVariable},
    environment::Environment,
    setting_kind::{Dialect, LogFormat, MailTls, SmsHttp},
    settings::{Config, MailConfig, SmsConfig, TlsConfig},
    unknown::UnknownVariable,
};

/// A value with its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    pub value: T,
    pub origin: Origin,
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

/// Settings from the command line, which take precedence over all others.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub data: Option<PathBuf>,
    pub listen: Option<String>,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub config: Option<PathBuf>,
}

impl Flags {
    /// Returns the value of the setting `name` on the command line.
    fn get(&self, name: &str) -> Option<OsString> {
        match name {
            "data" => self.data.clone().map(Into::into),
            "listen" => self.listen.clone().map(Into::into),
            "tls.cert" => self.tls_cert.clone().map(Into::into),
            "tls.key" => self.tls_key.clone().map(Into::into),
            _ => None,
        }
    }
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
    /// Reads the file that `flags` or `environment` name, else the installed one, and combines all origins.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let named = flags.config.clone().or_else(|| environment.get("ARGUSD_CONFIG").map(PathBuf::from));
        let file = match named.or_else(|| environment.installed_file().map(Path::to_owned)) {
            Some(path) => toml::from_str(&read_file(&path)?).map_err(|reason| {
                let reason = reason.to_string().trim_end().to_owned();
                ConfigError::BadFile { path, reason }
            })?,
            None => settings::File::default(),
        };
        let config = settings::finish(Self::read(&Sources { flags, environment }, file)?)?;
        Ok(Self { background: Background::of(flags, environment), ..config })
    }

    /// Returns name, value and origin of each setting, for people.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, String, Origin)> {
        let mut rows = Vec::new();
        self.add_rows(&mut rows);
        rows
    }
}

/// Reads a secret from a file. White space at its end is removed.
pub fn read_secret(path: &Path) -> Result<SecretString, ConfigError> {
    Ok(read_file(path)?.trim_end().into())
}

fn read_file(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|reason| ConfigError::Unreadable { path: path.to_owned(), reason })
}

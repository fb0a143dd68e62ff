//! Reads settings again while the server runs. All of them have to be right; otherwise the old ones stay in force.

use std::{collections::BTreeSet, sync::Arc};

use secrecy::{ExposeSecret, SecretString};
use tracing::{Level, enabled, error, info, warn};

use super::{
    prepared::{http_settings, web_settings},
    tls::{self, LiveTls, TlsFiles},
    transport_settings,
};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, ConfigError};
use crate::domain::doctor::LinkFacts;
use crate::notify::{BuiltInTransports, Channels};
use crate::web::{LiveWebSettings, WebSettings};

/// Access to what a running server cannot reach by itself.
pub struct Reloading {
    /// Reads all settings from where they came at the start.
    pub load: Box<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>,
    /// Changes the level of the log.
    pub set_log_level: fn(&str),
}

/// The parts of the server that can be replaced.
pub(super) struct Reloader {
    pub reloading: Reloading,
    /// The settings in force.
    pub config: Config,
    pub channels: Arc<Channels>,
    pub pages: LiveWebSettings,
    /// Addresses that links begin with, which need a restart.
    pub links: LinkFacts,
    /// `None`: connections are not encrypted.
    pub tls: Option<(LiveTls, TlsFiles)>,
}

/// Settings that apply without a restart, apart from those of the tables `mail` and `sms`.
const APPLIED: &[&str] = &[
    "log.level",
    "notifications.allow_private_addresses",
    "notifications.http_timeout_seconds",
    "notifications.templates",
    "tls.cert",
    "tls.key",
    "web.banner",
    "web.tokens",
];

fn is_applied(name: &str) -> bool {
    APPLIED.contains(&name) || name.starts_with("mail.") || name.starts_with("sms.")
}

/// New parts, complete and without faults.
struct NewParts {
    config: Config,
    transports: BuiltInTransports,
    pages: WebSettings,
    tls: Option<TlsFiles>,
}

impl Reloader {
    /// Reads the settings again and applies what does not need a restart. Logs the result, and returns it for the
    /// service manager; empty: there is nothing to say. Blocks.
    pub(super) fn reload(&mut self) -> String {
        match self.read() {
            Ok((new, found)) => self.apply(new, &found),
            Err(error) => {
                error!("SIGHUP: the settings are wrong, so the old ones stay in force: {error:#}");
                format!("the settings are wrong, so the old ones stay in force: {error:#}")
            }
        }
    }

    fn read(&self) -> anyhow::Result<(NewParts, Config)> {
        let found = (self.reloading.load)()?;
        // Settings that need a restart are checked too, so that the restart will succeed.
        http_settings(&found)?;
        transport_settings::decision_settings(&found)?;
        let config = self.with_applied(&found);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let transports = BuiltInTransports::new(&transport_settings::channel_settings(&config), &clock)?;
        let (pages, tls) = (web_settings(&config)?, tls::load(&found.tls)?);
        Ok((NewParts { config, transports, pages, tls }, found))
    }

    /// Returns the settings in force, with the new values of those that apply without a restart.
    fn with_applied(&self, found: &Config) -> Config {
        let mut config = self.config.clone();
        config.mail = found.mail.clone();
        config.sms = found.sms.clone();
        config.web = found.web.clone();
        config.log.level = found.log.level.clone();
        let (now, new) = (&mut config.notifications, &found.notifications);
        now.allow_private_addresses = new.allow_private_addresses.clone();
        now.http_timeout = new.http_timeout.clone();
        now.templates = new.templates.clone();
        if self.tls.is_some() && found.tls.cert.value.is_some() {
            config.tls = found.tls.clone();
        }
        config
    }

    fn apply(&mut self, new: NewParts, found: &Config) -> String {
        let changed = differences(&self.config, found);
        let stays_as_it_is = |name: &str| {
            let is_of_tls = name.starts_with("tls.");
            !is_applied(name) || (is_of_tls && (self.tls.is_none() || new.tls.is_none()))
        };
        let (waiting, mut applied): (BTreeSet<&str>, BTreeSet<&str>) =
            changed.into_iter().partition(|name| stays_as_it_is(name));
        self.channels.replace(new.transports);
        self.pages.replace(WebSettings { links: Some(self.links.clone()), ..new.pages });
        if let (Some((live, files)), Some(new)) = (&mut self.tls, new.tls) {
            if files.certificates != new.certificates {
                applied.insert("the TLS certificate");
            }
            live.store(Arc::clone(&new.config));
            *files = new;
        }
        self.config = new.config;
        let level = &self.config.log.level.value;
        // Changes are logged under the level that shows them, the old one or the new one.
        let is_shown = enabled!(Level::INFO);
        if !is_shown {
            (self.reloading.set_log_level)(level);
        }
        let status = log_changes(found, &applied, &waiting);
        if is_shown {
            (self.reloading.set_log_level)(level);
        }
        status
    }
}

fn log_changes(found: &Config, applied: &BTreeSet<&str>, waiting: &BTreeSet<&str>) -> String {
    let rows = found.rows();
    let described = |name: &str| match rows.iter().find(|(known, ..)| *known == name) {
        Some((name, value, origin)) => format!("{name} = {value:?} ({origin})"),
        None => name.to_owned(),
    };
    for name in applied {
        info!("SIGHUP: changed: {}", described(name));
    }
    for name in waiting {
        warn!("SIGHUP: needs a restart: {}", described(name));
    }
    info!("SIGHUP: settings, templates and certificates were read again");
    let names: Vec<&str> = waiting.iter().copied().collect();
    if names.is_empty() { String::new() } else { format!("a restart is needed for {}", names.join(", ")) }
}

/// Returns the names of the settings whose values differ, secrets included.
fn differences(old: &Config, new: &Config) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = old
        .rows()
        .into_iter()
        .zip(new.rows())
        .filter(|((_, before, _), (_, after, _))| before != after)
        .map(|((name, ..), _)| name)
        .collect();
    // Rows show only whether there is a secret.
    let is_same = |one: &Option<SecretString>, other: &Option<SecretString>| {
        one.as_ref().map(ExposeSecret::expose_secret) == other.as_ref().map(ExposeSecret::expose_secret)
    };
    if !is_same(&old.mail.password.value, &new.mail.password.value) {
        names.push("mail.password");
    }
    let is_same_gateway = match (&old.sms.http.value, &new.sms.http.value) {
        (None, None) => true,
        (Some(old), Some(new)) => {
            (&old.method, &old.url, &old.headers, &old.body) == (&new.method, &new.url, &new.headers, &new.body)
                && is_same(&old.secret, &new.secret)
        }
        _ => false,
    };
    if !is_same_gateway {
        names.push("sms.http");
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Flags};

    fn config<const N: usize>(pairs: [(&str, &str); N]) -> Config {
        Config::load(&Flags::default(), &Environment::from(pairs)).unwrap()
    }

    #[test]
    fn differences_include_secrets_but_do_not_show_them() {
        let old = config([("ARGUSD_MAIL_PASSWORD", "one"), ("ARGUSD_BANNER", "x")]);
        assert!(differences(&old, &old).is_empty());
        let new = config([("ARGUSD_MAIL_PASSWORD", "two"), ("ARGUSD_BANNER", "y"), ("ARGUSD_LISTEN", "a:1")]);
        assert_eq!(differences(&old, &new), ["listen", "web.banner", "mail.password"]);
    }

    #[test]
    fn every_name_of_an_applied_setting_exists() {
        let names: Vec<&str> = config([]).rows().into_iter().map(|(name, ..)| name).collect();
        for name in APPLIED {
            assert!(names.contains(name), "{name}");
        }
        assert!(is_applied("mail.host") && !is_applied("listen") && !is_applied("public_url"));
    }
}

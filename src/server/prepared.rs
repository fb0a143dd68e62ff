//! Everything that is made of the settings alone, before the data file or a port is opened. So a server refuses a bad
//! setting before it changes anything, and `argusd config --check` refuses the same settings.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use secrecy::ExposeSecret;

use super::{
    tls::{self, TlsFiles},
    transport_settings::{channel_settings, decision_settings, ping},
};
use crate::clock::SystemClock;
use crate::config::{Config, Dialect, Origin};
use crate::domain::user::password_problem;
use crate::http::{HttpSettings, IcingaDialect};
use crate::notify::{Channels, Pinger};
use crate::web::{SettingRow, WebSettings};

/// Word in `trusted_proxies` that stands for whoever connects to the Unix socket.
const UNIX_PROXY: &str = "unix";

pub(super) struct Prepared {
    pub channels: Arc<Channels>,
    pub http: HttpSettings,
    pub web: WebSettings,
    /// `None`: connections are not encrypted.
    pub tls: Option<TlsFiles>,
    /// Address that is requested while the server is well, and the interval.
    pub ping: Option<(Pinger, Duration)>,
}

impl Prepared {
    /// Reads the files that the settings name.
    pub(super) fn new(config: &Config) -> anyhow::Result<Self> {
        check_first_password(config)?;
        decision_settings(config)?;
        let channels = Channels::new(&channel_settings(config), Arc::new(SystemClock))?;
        Ok(Self {
            channels: Arc::new(channels),
            http: http_settings(config)?,
            web: web_settings(config)?,
            tls: tls::load(&config.tls)?,
            ping: ping(config)?,
        })
    }
}

/// Fails if a server would refuse these settings.
pub fn check_settings(config: &Config) -> anyhow::Result<()> {
    check_data_path(&config.data.value)?;
    Prepared::new(config).map(drop)
}

/// Checks that the data file can be where it is to be. A disk that is not mounted yet may be the reason if not.
pub(super) fn check_data_path(path: &Path) -> anyhow::Result<()> {
    ensure!(!path.as_os_str().is_empty(), "data: the path is empty");
    ensure!(!path.is_dir(), "data: {} is a directory; name a file in it", path.display());
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !path.exists() && !directory.is_dir() {
        bail!("data: there is no directory for {}; create it first", path.display());
    }
    Ok(())
}

/// Checks the first password while it can still be used.
fn check_first_password(config: &Config) -> anyhow::Result<()> {
    let password = config.admin.password.value.as_ref().filter(|_| !config.data.value.exists());
    match password.and_then(|password| password_problem(password.expose_secret())) {
        None => Ok(()),
        Some(problem) => bail!("admin.password ({}): {problem}", config.admin.password.origin),
    }
}

pub(super) fn http_settings(config: &Config) -> anyhow::Result<HttpSettings> {
    let networks = &config.trusted_proxies;
    let trusted_proxies = networks
        .value
        .iter()
        .filter(|network| *network != UNIX_PROXY)
        .map(|network| network.parse().with_context(|| format!("trusted_proxies ({})", networks.origin)))
        .collect::<anyhow::Result<_>>()?;
    let icinga_dialect = match config.icinga.dialect.value {
        Dialect::Issue => IcingaDialect::Issue,
        Dialect::Current => IcingaDialect::Current,
    };
    Ok(HttpSettings {
        public_url: config.public_url.value.clone(),
        frontends: config.frontend_urls.value.clone(),
        trusted_proxies,
        trusts_unix_socket: networks.value.iter().any(|network| network == UNIX_PROXY),
        icinga_dialect,
        access_log: config.log.access.value,
        ..HttpSettings::default()
    })
}

pub(super) fn web_settings(config: &Config) -> anyhow::Result<WebSettings> {
    let tokens = match &config.web.tokens.value {
        Some(path) => Some(std::fs::read_to_string(path).with_context(|| format!("web.tokens: {}", path.display()))?),
        None => None,
    };
    let row =
        |(name, value, origin): (&'static str, String, Origin)| SettingRow { name, value, origin: origin.to_string() };
    let rows = config.rows().into_iter().map(row).collect();
    Ok(WebSettings { banner: config.web.banner.value.clone(), tokens, rows, links: None })
}

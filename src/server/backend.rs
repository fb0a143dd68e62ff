//! The data file with store, search and service, opened and closed together.

use std::{
    ffi::OsString,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use tracing::info;

use super::{first_start, sender::NoSender, transport_settings};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::notify::Channels;
use crate::search::Search;
use crate::service::{Service, Settings};
use crate::store::{Options, Store, verify_pages};

pub struct Backend {
    service: Service,
    /// Whether the data file was just created.
    is_new: bool,
}

impl Backend {
    /// Opens the data file. Creates it if there is none, and hands over the first password.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        Self::open_or_create(config, true).await
    }

    /// Opens the data file. Fails if there is none.
    pub async fn open_existing(config: &Config) -> anyhow::Result<Self> {
        Self::open_or_create(config, false).await
    }

    async fn open_or_create(config: &Config, create: bool) -> anyhow::Result<Self> {
        let settings = Settings {
            time_zone: config.time_zone.value,
            token_life: config.tokens.life.value,
            login_token_life: config.tokens.login_life.value,
            token_warning_days: config.tokens.warning_days.value,
            indelible_incidents: config.incidents.indelible.value,
            retention_days: config.retention.closed_life.value.map(whole_days),
        };
        let decisions = transport_settings::decision_settings(config)?;
        let path = config.data.value.clone();
        let options = Options { cache_bytes: config.storage.cache_mib.value << 20, create };
        let opened = tokio::task::spawn_blocking(move || {
            // A damaged file can make the layers below panic.
            catch_unwind(AssertUnwindSafe(|| open(&path, options, settings)))
                .unwrap_or_else(|_| Err(anyhow::anyhow!("{} is too damaged to be opened", path.display())))
        });
        let service = opened.await??;
        let password = config.admin.password.value.clone();
        let first_start = service.people().first_start(password).await.context("cannot set up the new data file")?;
        if let Some(first) = &first_start {
            first_start::hand_over_password(first, &config.data.value);
        }
        service.notifications().use_decision_settings(decisions).await.context("cannot write down the settings")?;
        let converted =
            service.incidents().convert_last_moments().await.context("cannot convert incidents that end in 9999")?;
        if converted > 0 {
            info!(
                "{converted} incidents ended with the year 9999, which means that they have no end; they are open now"
            );
        }
        Ok(Self { service, is_new: first_start.is_some() })
    }

    #[must_use]
    pub const fn service(&self) -> &Service {
        &self.service
    }

    /// Lets a command outside the server know which channel types plug-ins provide. Nothing is sent.
    pub fn know_plugins(&self, config: &Config) {
        let plugins = Channels::installed_plugins(&transport_settings::plugin_settings(config));
        self.service.notifications().send_through(Arc::new(NoSender { plugins }));
    }

    /// Shows the operator the next steps, if this was the first start.
    pub fn explain_first_start(&self, config: &Config, base: &str) {
        if self.is_new {
            first_start::explain(config, base);
        }
    }

    pub async fn close(self) -> anyhow::Result<()> {
        let closed = tokio::task::spawn_blocking(move || {
            self.service.search().close();
            self.service.store().close()
        });
        closed.await?.context("cannot close the data file")
    }
}

/// Returns the faults of a data file that no server has open. Nothing is changed or created. The text index is not
/// looked at, because it can be rebuilt at any time.
pub fn check_file(path: &Path) -> anyhow::Result<Vec<String>> {
    // A damaged file can make the layers below panic, even while it is being opened.
    let checked = catch_unwind(AssertUnwindSafe(|| {
        let findings = verify_pages(path)?;
        if !findings.is_empty() {
            return Ok(findings);
        }
        let store = Store::open_unchanged(path, Arc::new(SystemClock))?;
        let findings = store.verify()?;
        store.close()?;
        Ok(findings)
    }));
    checked.unwrap_or_else(|_| Ok(vec![format!("{} is too damaged to be opened", path.display())]))
}

fn open(path: &Path, options: Options, settings: Settings) -> anyhow::Result<Service> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Store::open(path, options, clock)?;
    let search = Search::open(&store, &search_directory(path)).context("cannot open the search index")?;
    Ok(Service::new(store, search, settings))
}

fn whole_days(life: Duration) -> u32 {
    u32::try_from(life.as_secs() / 86_400).unwrap_or(u32::MAX)
}

/// Returns the directory of the text index.
pub(super) fn search_directory(path: &Path) -> PathBuf {
    beside(path, ".search")
}

/// Returns the data file's path with a suffix appended to its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

//! Examines what is around the server for `argusd doctor` and the health page, and does so for a server that does not
//! run.

mod network;

use std::{
    os::unix::fs::MetadataExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
    time::UNIX_EPOCH,
};

use anyhow::Context;
use futures_util::future::BoxFuture;

use super::{admin_socket, backend::beside, transport_settings};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Origin};
use crate::domain::{
    Directory, Facts, Finding, HostFacts, MailFailure, MailStep, NetworkFacts, StoredFacts, Timestamp,
    doctor::{
        BackupFacts, DiskFacts, FileFacts, FileKind, LinkFacts, OldVariable, ProxyFacts, ServerState, has_others,
    },
    findings,
};
use crate::http::Forwarding;
use crate::notify::Channels;
use crate::service::{Examiner, Settings, missing_plugins, stored_facts};
use crate::store::Store;

/// Exists while the time service of systemd runs.
const TIMESYNC: &str = "/run/systemd/timesync";
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";

/// The settings, and what they lead to.
pub(super) struct Surroundings {
    pub config: Config,
    /// `HOST:PORT` or the name of the Unix socket that the running server listens on. `None`: no server runs.
    pub listening: Option<String>,
    /// Limit of open files of the running server.
    pub descriptors: Option<usize>,
    pub forwarding: Arc<Forwarding>,
    /// `None`: the data file cannot be read.
    pub store: Option<Store>,
    /// The transports, or the reason for which their settings cannot be used.
    pub channels: Result<Arc<Channels>, String>,
    pub state: ServerState,
}

impl Examiner for Surroundings {
    fn host(&self) -> HostFacts {
        let config = &self.config;
        let data = &config.data.value;
        HostFacts {
            server: self.state.clone(),
            links: self.links(),
            proxies: ProxyFacts {
                trusted: config.trusted_proxies.value.clone(),
                untrusted: self.forwarding.untrusted().map(|peer| peer.to_string()),
                is_https: self.forwarding.is_https(),
            },
            files: self.files(),
            disk: rustix::fs::statvfs(data)
                .ok()
                .map(|disk| DiskFacts { free_inodes: disk.f_favail, inodes: disk.f_files }),
            open_files: self.descriptors.and_then(|limit| u64::try_from(limit).ok()),
            wanted_connections: (config.max_connections.origin != Origin::Default)
                .then(|| u64::try_from(config.max_connections.value).unwrap_or(u64::MAX)),
            is_synchronized: Path::new(TIMESYNC).exists().then(|| Path::new(SYNCHRONIZED).exists()),
            is_zone_unknown: config.time_zone.origin == Origin::Default && config.background.is_zone_unknown,
            backups: data.exists().then(|| backups(config)),
            old_variables: old_variables(config),
        }
    }

    fn network(&self) -> BoxFuture<'_, NetworkFacts> {
        Box::pin(network::examine(self))
    }
}

impl Surroundings {
    fn directory(&self) -> Option<Arc<Directory>> {
        self.store.as_ref().map(Store::directory)
    }

    fn links(&self) -> LinkFacts {
        let has_others = self.directory().is_some_and(|directory| has_others(&directory));
        link_facts(&self.config, self.listening.as_deref(), has_others)
    }

    fn files(&self) -> Vec<FileFacts> {
        let data = &self.config.data.value;
        let running_as = self.listening.as_ref().map(|_| rustix::process::geteuid().as_raw());
        let server = running_as.or_else(|| std::fs::metadata(data).ok().map(|metadata| metadata.uid()));
        let facts = |kind: FileKind, path: &Path| {
            let metadata = std::fs::metadata(path).ok()?;
            let owner = metadata.uid();
            let server = server.unwrap_or(owner);
            Some(FileFacts { kind, path: path.display().to_string(), mode: metadata.mode(), owner, server })
        };
        let background = &self.config.background;
        let own = [
            (FileKind::Data, data.clone()),
            (FileKind::Index, beside(data, ".search")),
            (FileKind::FirstPassword, beside(data, ".admin-password")),
            (FileKind::Socket, admin_socket::socket_path(data)),
        ];
        let settings = background.file.clone().map(|path| (FileKind::Settings(background.has_secrets), path));
        let secrets = background.secret_files.iter().map(|path| (FileKind::Secret, path.clone()));
        own.into_iter().chain(settings).chain(secrets).filter_map(|(kind, path)| facts(kind, &path)).collect()
    }
}

/// Returns the addresses that links in messages begin with.
pub(super) fn link_facts(config: &Config, listening: Option<&str>, has_others: bool) -> LinkFacts {
    LinkFacts {
        public_url: config.public_url.value.as_ref().map(ToString::to_string),
        listen: listening.unwrap_or(&config.listen.value).to_owned(),
        has_others,
    }
}

/// Converts the variables of older products that are set.
fn old_variables(config: &Config) -> Vec<OldVariable> {
    let variables = config.background.old_variables.iter();
    variables.map(|it| OldVariable { name: it.name, effect: it.effect, fix: it.fix }).collect()
}

/// Logs what an operator should know at the start, each on one line.
pub(super) fn warn_at_start(config: &Config, links: &LinkFacts) {
    for variable in old_variables(config) {
        tracing::warn!("{} is set, and {}", variable.name, variable.effect);
    }
    if let Some(base) = crate::domain::doctor::dead_links(links) {
        tracing::warn!("links in messages begin with {base}, which leads nowhere on other hosts; set public_url");
    }
}

/// Finds the newest scheduled backup.
fn backups(config: &Config) -> BackupFacts {
    let data = &config.data.value;
    let directory = data.parent().unwrap_or(Path::new("")).join(&config.backup.directory.value);
    let modified = |entry: std::io::Result<std::fs::DirEntry>| {
        let metadata = entry.ok()?.metadata().ok().filter(std::fs::Metadata::is_file)?;
        timestamp(metadata.modified().ok()?)
    };
    BackupFacts {
        directory: directory.display().to_string(),
        every: config.backup.every.value.map(|every| i64::try_from(every.as_micros()).unwrap_or(i64::MAX)),
        newest: std::fs::read_dir(&directory).ok().and_then(|entries| entries.filter_map(modified).max()),
        failure: None,
        data_since: std::fs::metadata(data).ok().and_then(|metadata| timestamp(metadata.created().ok()?)),
    }
}

fn timestamp(at: std::time::SystemTime) -> Option<Timestamp> {
    let micros = at.duration_since(UNIX_EPOCH).ok()?.as_micros();
    Timestamp::from_micros(i64::try_from(micros).ok()?)
}

/// Examines everything while no server runs. The data file is not changed.
pub fn doctor(config: &Config) -> anyhow::Result<Vec<Finding>> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let data = &config.data.value;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (store, state) = open(data, &clock);
    let now = clock.now();
    let channels = Channels::new(&transport_settings::channel_settings(config), clock);
    let surroundings = Surroundings {
        config: config.clone(),
        listening: None,
        descriptors: None,
        forwarding: Arc::default(),
        store,
        channels: channels.map(Arc::new).map_err(|error| error.to_string()),
        state,
    };
    let (network, stored) = runtime.block_on(async {
        let stored = async {
            match &surroundings.store {
                Some(store) => stored(config, store, now).await.map(Some),
                None => Ok(None),
            }
        };
        let (network, stored) = tokio::join!(surroundings.network(), stored);
        stored.map(|stored| (network, stored))
    })?;
    let host = surroundings.host();
    if let Some(store) = surroundings.store {
        store.close()?;
    }
    // A name that is still being looked up must not keep the command from ending.
    runtime.shutdown_background();
    Ok(findings(&Facts { now, stored, host: Some(host), network: Some(network) }))
}

/// Opens the data file without changing it.
fn open(data: &Path, clock: &Arc<dyn Clock>) -> (Option<Store>, ServerState) {
    if !data.exists() {
        return (None, ServerState::NeverStarted(data.display().to_string()));
    }
    // A damaged file can make the layers below panic.
    match catch_unwind(AssertUnwindSafe(|| Store::open_unchanged(data, Arc::clone(clock)))) {
        Ok(Ok(store)) => (Some(store), ServerState::Stopped),
        Ok(Err(error)) => (None, ServerState::Unreadable(format!("{:#}", anyhow::Error::from(error)))),
        Err(_) => (None, ServerState::Unreadable(format!("{} is too damaged to be opened", data.display()))),
    }
}

async fn stored(config: &Config, store: &Store, now: Timestamp) -> anyhow::Result<StoredFacts> {
    let settings = Settings {
        time_zone: config.time_zone.value,
        token_warning_days: config.tokens.warning_days.value,
        ..Settings::default()
    };
    let mut facts = stored_facts(store, &settings, now).context("cannot read the data file")?;
    facts.sends = config.notifications.send.value;
    let plugins = transport_settings::plugin_settings(config);
    let described = Channels::describe_plugins(&plugins).await;
    let installed: Vec<String> = described.keys().cloned().collect();
    facts.missing_plugins = missing_plugins(&store.directory(), &installed);
    facts.failed_plugins = described.into_iter().filter_map(|(kind, info)| Some((kind, info.err()?))).collect();
    Ok(facts)
}

/// Sends a test mail by the settings of this command. Returns whether it was accepted, the steps, and the last answer.
pub fn test_mail(config: &Config, address: &str) -> anyhow::Result<crate::service::MailTest> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let channels = Channels::new(&transport_settings::channel_settings(config), Arc::new(SystemClock))?;
    let (outcome, transcript) = runtime.block_on(channels.test_mail(address));
    runtime.shutdown_background();
    Ok(super::sender::mail_test(outcome, &transcript))
}

/// Returns the failure of a mail server whose settings cannot be used.
fn unusable(reason: &str) -> MailFailure {
    MailFailure { step: MailStep::Settings, answer: reason.to_owned(), code: None }
}

//! Opens and connects all parts of the server, serves, and closes them in order.

mod admin_socket;
mod backend;
mod backup;
mod connections;
mod descriptors;
mod doctor;
mod first_start;
mod listener;
mod plugin_types;
mod prepared;
mod private_files;
mod reload;
mod restore;
mod sender;
mod service_manager;
mod signals;
mod tls;
mod transport_settings;

use std::{io::Write, sync::Arc, time::Duration};

use anyhow::Context;
use arc_swap::ArcSwap;
use tokio::sync::watch;
use tracing::{info, warn};

pub use self::{
    admin_socket::connect,
    backend::{Backend, check_file},
    backup::back_up,
    doctor::{doctor, test_mail},
    plugin_types::plugin_types,
    prepared::check_settings,
    reload::Reloading,
    restore::restore,
};
use self::{
    doctor::Surroundings,
    listener::PassedSockets,
    prepared::Prepared,
    reload::Reloader,
    sender::TransportSender,
    signals::{Order, Signals},
};
use crate::config::Config;
use crate::domain::doctor::{ServerState, has_others};
use crate::jobs::{self, BackupPlan};
use crate::notify::{Channels, Health};
use crate::web::{self, LiveWebSettings, WebSettings};

/// Time limit for requests under way when the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// Error in the settings, or in a file that they name. Starting again does not help.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Misconfigured(String);

impl Misconfigured {
    fn new(reason: String) -> Self {
        Self(reason)
    }

    /// Marks an error as one of the settings.
    #[expect(clippy::needless_pass_by_value, reason = "it is passed to `map_err`")]
    fn of(error: anyhow::Error) -> Self {
        Self(format!("{error:#}"))
    }
}

/// Runs the server until a signal stops it. A [`Misconfigured`] error means that the settings are wrong.
pub fn run(config: &Config, reloading: Reloading) -> anyhow::Result<()> {
    // Before there are other threads, because the environment changes.
    let passed = PassedSockets::take();
    let descriptors = connections::raise_descriptor_limit();
    // Processes that plug-ins leave behind become children of the server, which ends them.
    if let Err(failure) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        warn!("processes that plug-ins leave behind are not noticed: {failure}");
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let outcome = runtime.block_on(serve(config, reloading, passed, descriptors));
    // A thread that is stuck must not keep the process from ending.
    runtime.shutdown_timeout(Duration::from_secs(2));
    outcome
}

async fn serve(config: &Config, reloading: Reloading, passed: PassedSockets, descriptors: usize) -> anyhow::Result<()> {
    // First of all, so that an early signal is not lost.
    let mut signals = Signals::listen()?;
    for (name, value, origin) in config.rows() {
        tracing::debug!("setting {name} = {value:?} ({origin})");
    }

    // Wrong settings are found before a data file is created.
    passed.check(config)?;
    prepared::check_data_path(&config.data.value)?;
    let Prepared { channels, http, web: pages, tls, ping } = Prepared::new(config).map_err(Misconfigured::of)?;
    let tls = tls.map(|files| (Arc::new(ArcSwap::new(Arc::clone(&files.config))), files));

    let data = &config.data.value;
    // The other server's lock is on the file that it opened, which need not be the one at this path now.
    anyhow::ensure!(!admin_socket::is_answered(data), "{} is in use by another argusd", data.display());
    let backend = Backend::open(config).await?;
    private_files::restrict(data);
    let listener = listener::open(config, passed).await?;
    if listener.is_unix() && tls.is_some() {
        return Err(Misconfigured::new("a Unix socket is not encrypted: leave out tls.cert and tls.key".into()).into());
    }
    let base = listener.base(tls.is_some())?;
    let health = Arc::new(Health::default());
    let store = backend.service().store();
    let dispatcher = transport_settings::dispatcher(config, store, Arc::clone(&channels), Arc::clone(&health), &base);
    let settings = transport_settings::plugin_settings(config);
    let plugins = tokio::task::spawn_blocking(move || Channels::installed_plugins(&settings)).await?;
    let described = Arc::default();
    let asking = tokio::spawn(transport_settings::ask_plugins(
        transport_settings::plugin_settings(config),
        Arc::clone(&described),
    ));
    let sender = TransportSender {
        channels: Arc::clone(&channels),
        store: store.clone(),
        health: Arc::clone(&health),
        plugins,
        described,
    };
    backend.service().notifications().send_through(Arc::new(sender));

    let (stop, stopping) = watch::channel(false);
    let dispatcher = tokio::spawn(dispatcher.run(stopping.clone()));
    let plugins = tokio::spawn(transport_settings::tend(Arc::clone(&channels), store.clone(), stopping.clone()));
    let signs_of_life = tokio::spawn(service_manager::send_signs_of_life(store.clone(), stopping.clone()));
    let limit = config.max_connections.value.min(connections::at_most_with(descriptors));
    let bounds = connections::ConnectionBounds::new(limit, http.trusted_proxies.clone());
    let listening = listener.name()?;
    let links = doctor::link_facts(config, Some(&listening), has_others(&backend.service().directory()));
    doctor::warn_at_start(config, &links);
    let surroundings = Surroundings {
        config: config.clone(),
        listening: Some(listening),
        descriptors: Some(descriptors),
        forwarding: Arc::clone(&http.forwarding),
        store: Some(store.clone()),
        channels: Ok(Arc::clone(&channels)),
        state: ServerState::Running,
    };
    backend.service().system().examine_through(Arc::new(surroundings));
    let pages = LiveWebSettings::from(WebSettings { links: Some(links.clone()), ..pages });
    let router = web::with_pages(backend.service().clone(), http, pages.clone());
    let live_tls = tls.as_ref().map(|(live, _)| Arc::clone(live));
    let connections = tokio::spawn(connections::serve(listener, live_tls, router, bounds, stopping.clone()));
    let admin_socket = admin_socket::start(config, backend.service().clone(), stopping.clone());
    let jobs = tokio::spawn(jobs::run(backend.service().clone(), health, backup_plan(config), ping, stopping));

    backend.explain_first_start(config, &base);
    ready(&base)?;
    service_manager::ready(format!("Listening on {base}")).await;

    let reloader = Reloader { reloading, config: config.clone(), channels: Arc::clone(&channels), pages, links, tls };
    let signal = until_stopped(&mut signals, reloader, &base).await?;
    info!("{signal}: stopping");
    service_manager::stopping().await;
    stop.send_replace(true);
    backend.service().live().close();
    if tokio::time::timeout(DRAIN, connections).await.is_err() {
        warn!("some requests did not finish in time");
    }
    if let Some(admin_socket) = admin_socket {
        admin_socket.end().await;
    }
    let ended = tokio::join!(jobs, dispatcher, plugins, signs_of_life);
    drop(ended);
    // Dropping the task ends the processes that it started.
    asking.abort();
    channels.close().await;
    backend.close().await?;
    info!("stopped");
    Ok(())
}

fn backup_plan(config: &Config) -> BackupPlan {
    BackupPlan {
        directory: config.backup.directory.value.clone(),
        every: config.backup.every.value,
        keep: config.backup.keep.value,
    }
}

/// Reads settings again at each SIGHUP, until another signal stops the server. Returns its name.
async fn until_stopped(signals: &mut Signals, mut reloader: Reloader, base: &str) -> anyhow::Result<&'static str> {
    loop {
        match signals.next().await {
            Order::Stop(signal) => return Ok(signal),
            Order::Reload => {
                service_manager::reloading().await;
                let (returned, remark) = tokio::task::spawn_blocking(move || {
                    let remark = reloader.reload();
                    (reloader, remark)
                })
                .await?;
                reloader = returned;
                let remark = if remark.is_empty() { remark } else { format!("; {remark}") };
                service_manager::ready(format!("Listening on {base}{remark}")).await;
            }
        }
    }
}

/// Writes the only line on standard output. The program that started the server waits for it.
fn ready(base: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "argusd ready: {base}").and_then(|()| stdout.flush()).context("cannot write to standard output")
}

type Stopping = watch::Receiver<bool>;

/// Waits until the server is to stop.
async fn stopped(stopping: &mut Stopping) {
    let ignored = stopping.wait_for(|stop| *stop).await;
    drop(ignored);
}

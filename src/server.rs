//! Opens and connects all parts of the server, serves, and closes them in order.

mod admin_socket;
mod backend;
mod connections;
mod doctor;
mod first_start;
mod plugin_types;
mod prepared;
mod sender;
mod signals;
mod transport_settings;

use std::{io::Write, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::sync::watch;
use tracing::{info, warn};

pub use self::{
    admin_socket::connect,
    backend::{Backend, check},
    doctor::{doctor, test_mail},
    plugin_types::plugin_types,
    prepared::check_settings,
};
use self::{doctor::Surroundings, prepared::Prepared, sender::TransportSender};
use crate::config::Config;
use crate::domain::doctor::{ServerState, has_others};
use crate::jobs;
use crate::notify::{Channels, Health};
use crate::web::{self, WebSettings};

/// Time limit for requests under way when the server stops.
const DRAIN: Duration = Duration::from_secs(10);

/// Runs the server until a signal stops it.
pub fn run(config: &Config) -> anyhow::Result<()> {
    let descriptors = connections::raise_descriptor_limit();
    // Processes that plug-ins leave behind become children of the server, which ends them.
    if let Err(failure) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        warn!("processes that plug-ins leave behind are not noticed: {failure}");
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let outcome = runtime.block_on(serve(config, descriptors));
    // A thread that is stuck must not keep the process from ending.
    runtime.shutdown_timeout(Duration::from_secs(2));
    outcome
}

async fn serve(config: &Config, descriptors: usize) -> anyhow::Result<()> {
    // First of all, so that an early signal is not lost.
    let stop_signal = signals::stop_signal()?;
    for (name, value, origin) in config.rows() {
        tracing::debug!("setting {name} = {value:?} ({origin})");
    }

    let prepared = Prepared::new(config)?;
    let data = &config.data.value;
    // The other server's lock is on the file that it opened, which need not be the one at this path now.
    anyhow::ensure!(!admin_socket::is_answered(data), "{} is in use by another argusd", data.display());
    let backend = Backend::open(config).await?;
    let listener = connections::bind(&config.listen.value)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen.value))?;
    let address = listener.local_addr().context("cannot tell the address that is listened on")?;

    let base = format!("http://{address}");
    let health = Arc::new(Health::default());
    let store = backend.service().store();
    let channels = prepared.channels;
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
    let http = prepared.http;
    let limit = config.max_connections.value.min(connections::at_most_with(descriptors));
    let bounds = connections::ConnectionBounds::new(limit, http.trusted_proxies.clone());
    let links = doctor::link_facts(config, Some(address), has_others(&backend.service().directory()));
    doctor::warn_at_start(config, &links);
    let surroundings = Surroundings {
        config: config.clone(),
        listening: Some(address),
        descriptors: Some(descriptors),
        forwarding: Arc::clone(&http.forwarding),
        store: Some(store.clone()),
        channels: Ok(Arc::clone(&channels)),
        state: ServerState::Running,
    };
    backend.service().system().examine_through(Arc::new(surroundings));
    let web = WebSettings { links: Some(links), ..prepared.web };
    let router = web::with_pages(backend.service().clone(), http, web);
    let connections = tokio::spawn(connections::serve(listener, router, bounds, stopping.clone()));
    let admin_socket = admin_socket::start(config, backend.service().clone(), stopping.clone());
    let jobs = tokio::spawn(jobs::run(backend.service().clone(), health, prepared.ping, stopping));

    backend.explain_first_start(config, &base);
    ready(&base)?;

    let signal = stop_signal.await;
    info!("{signal}: stopping");
    stop.send_replace(true);
    backend.service().live().close();
    if tokio::time::timeout(DRAIN, connections).await.is_err() {
        warn!("some requests did not finish in time");
    }
    if let Some(admin_socket) = admin_socket {
        admin_socket.end().await;
    }
    let ended = tokio::join!(jobs, dispatcher, plugins);
    drop(ended);
    // Dropping the task ends the processes that it started.
    asking.abort();
    channels.close().await;
    backend.close().await?;
    info!("stopped");
    Ok(())
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

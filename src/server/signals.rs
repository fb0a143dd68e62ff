//! Handles SIGTERM and SIGINT, which stop the server, and SIGHUP, which is only logged.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

/// Listens for signals from now on. Resolves with the name of the first one that stops the server.
pub(super) fn stop_signal() -> anyhow::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return "SIGTERM",
                _ = interrupt.recv() => return "SIGINT",
                // Sent when the terminal that started the server is closed, and by tools that expect a reload.
                _ = hangup.recv() => info!("SIGHUP: nothing is reloaded; restart the server to apply new settings"),
            }
        }
    })
}

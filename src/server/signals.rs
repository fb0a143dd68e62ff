//! Handles SIGTERM and SIGINT, which stop the server, and SIGHUP, which is only logged.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

/// Listens from now on; resolves with the name of the first signal that asks to stop.
pub(super) fn stop_signal() -> anyhow::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return "SIGTERM",
                _ = interrupt.recv() => return "SIGINT",
                // Closing the terminal that started the server sends it, and so do tools that expect a reload.
                _ = hangup.recv() => info!("SIGHUP: nothing is reloaded; restart the server to apply new settings"),
            }
        }
    })
}

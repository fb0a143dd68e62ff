//! SIGTERM and SIGINT.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

/// Listens from now on; resolves with the name of the first signal that asks to stop.
pub(super) fn stop_signal() -> anyhow::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

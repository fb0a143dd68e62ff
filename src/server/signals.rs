//! Receives the signals that stop the server, SIGTERM and SIGINT, and SIGHUP, after which settings are read again.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals that arrived and were not handled yet.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Stop. Has the name of the signal.
    Stop(&'static str),
    /// Read the settings again.
    Reload,
}

impl Signals {
    /// Listens for signals from now on.
    pub(super) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
            interrupt: signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?,
            // Sent by `systemctl reload`, and when the terminal that started the server is closed.
            hangup: signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?,
        })
    }

    /// Waits for the next signal. Several of one kind may count as one.
    pub(super) async fn next(&mut self) -> Order {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Order::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Order::Stop("SIGINT"),
            _ = self.hangup.recv() => Order::Reload,
        }
    }
}

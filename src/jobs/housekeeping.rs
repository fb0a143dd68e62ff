//! Periodic work: stores when sources were last seen, trims the change log, deletes expired tokens.

use std::time::Duration;

use tokio::sync::watch;
use tracing::{info, warn};

use super::TokenSweeper;
use crate::domain::Seq;
use crate::service::{Service, StoreError};

const EVERY: Duration = Duration::from_mins(1);

/// Number of the latest changes that are kept for followers of the log, whether or not they are indexed.
const KEPT_CHANGES: u64 = 100_000;
const CHANGES_PER_COMMAND: u64 = 2_000;

/// Works once a minute until `stopping` becomes true.
pub(super) async fn run(service: Service, mut stopping: watch::Receiver<bool>) {
    let mut interval = tokio::time::interval(EVERY);
    let mut tokens = TokenSweeper::new(&service);
    loop {
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stop| *stop) => return,
            _ = interval.tick() => {}
        }
        let store = service.store().clone();
        if let Ok(Err(error)) = tokio::task::spawn_blocking(move || store.flush_seen()).await {
            warn!("the last signs of life of sources could not be stored: {error}");
        }
        match trim_changes(&service).await {
            Ok(()) => {}
            Err(error) => warn!("the change log could not be trimmed: {error}"),
        }
        match tokens.sweep(&service).await {
            Ok(0) => {}
            Ok(swept) => info!("{swept} expired tokens were deleted"),
            Err(error) => warn!("expired tokens could not be deleted: {error}"),
        }
    }
}

/// Deletes changes from the change log that nothing will request any more, in short commands.
async fn trim_changes(service: &Service) -> Result<(), StoreError> {
    let counters = service.store().counters();
    let kept_for_followers = Seq(counters.last_seq.saturating_sub(KEPT_CHANGES));
    let up_to = service.search().needs_changes_after().min(kept_for_followers);
    let mut trimmed = counters.trimmed;
    while trimmed.saturating_add(CHANGES_PER_COMMAND) <= up_to.0 {
        trimmed += CHANGES_PER_COMMAND;
        let store = service.store().clone();
        tokio::task::spawn_blocking(move || store.trim_changes(Seq(trimmed)))
            .await
            .map_err(|error| StoreError::Io(error.to_string()))??;
    }
    Ok(())
}

//! Says whether changes can be stored, by trying it, for load balancers and monitoring.
//!
//! A full disk or a path that leads elsewhere is found without writing. A disk that refuses writes is found only by
//! writing, so a small file beside the data file is written and synced: only when somebody asks, unless a commit has
//! just shown that writing works. A server that nobody asks writes nothing.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{sync::Semaphore, time::timeout};

use crate::domain::{
    MonotonicTime,
    limits::{READY_KEPT_MICROS, READY_PATIENCE},
};
use crate::service::{StoreError, System};
use crate::store::{Store, WriteError};

const SLOW: &str = "the disk or the writer has not answered for a second";

/// Result of the last try. One try runs at a time, so a disk that hangs holds one thread.
pub(in crate::service) struct Readiness {
    last: Mutex<Option<(MonotonicTime, Result<(), String>)>>,
    turn: Arc<Semaphore>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self { last: Mutex::default(), turn: Arc::new(Semaphore::new(1)) }
    }
}

impl System {
    /// Returns the reason why nothing can be stored now, as one line, as it was less than a second ago. Answers within
    /// about a second, also if the disk hangs.
    pub async fn ready(&self) -> Result<(), String> {
        if let Some(kept) = self.kept() {
            return kept;
        }
        let work = {
            let system = self.clone();
            // A task of its own, which ends when the disk answers, even if the caller is gone.
            async move {
                let Ok(turn) = Arc::clone(&system.inner.readiness.turn).acquire_owned().await else { return Ok(()) };
                if let Some(kept) = system.kept() {
                    return kept;
                }
                let running = tokio::spawn(async move {
                    let result = try_writing(system.store()).await.map_err(|error| error.to_string());
                    let last = (system.moment(), result.clone());
                    *system.inner.readiness.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
                    drop(turn);
                    result
                });
                running.await.unwrap_or_else(|_| Err("trying to write ended by an internal error".to_owned()))
            }
        };
        timeout(READY_PATIENCE, work).await.unwrap_or_else(|_| Err(SLOW.to_owned()))
    }

    fn kept(&self) -> Option<Result<(), String>> {
        let last = self.inner.readiness.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        last.filter(|(at, _)| self.moment().micros_since(*at) < READY_KEPT_MICROS).map(|(_, result)| result)
    }
}

async fn try_writing(store: &Store) -> Result<(), StoreError> {
    let probing = store.clone();
    tokio::task::spawn_blocking(move || probing.probe(READY_KEPT_MICROS))
        .await
        .unwrap_or_else(|error| Err(StoreError::Io(error.to_string())))?;
    // A command that changes nothing: the writer is alive, and recovers if its last commit failed.
    store.write(None, |_| Ok::<(), StoreError>(())).await.map_err(WriteError::into_error)
}

//! The process of one configured channel: started on demand, configured, and restarted after failures with growing
//! pauses.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex as StdMutex, PoisonError},
    time::Duration,
};

use serde_json::{Map, Value};
use tokio::{sync::Mutex, time::Instant};
use tracing::{info, warn};

use super::{
    process::{CallError, Process},
    wire::Failure,
};
use crate::domain::limits::{PLUGIN_BACKOFF_FIRST, PLUGIN_BACKOFF_MAX};

pub(super) struct PluginSupervisor {
    pub kind: String,
    path: PathBuf,
    /// Time limit of one call.
    limit: Duration,
    state: Mutex<State>,
    /// Not part of `state`, because [`Self::stop`] must not wait for a call.
    latest: StdMutex<Latest>,
}

/// The process that was started last.
#[derive(Default)]
struct Latest {
    process: Option<Arc<Process>>,
    closed: bool,
}

#[derive(Default)]
struct State {
    process: Option<Arc<Process>>,
    /// Settings that were sent last, whether the plug-in accepted them or not.
    config: Map<String, Value>,
    /// Number of failures since the last answered call.
    failures: u32,
    not_before: Option<Instant>,
}

/// Reason for which a call failed. Worth a retry, unless the plug-in refused the message itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SupervisorError {
    Refused(Failure),
    Unavailable(String),
}

impl PluginSupervisor {
    pub(super) fn new(kind: String, path: PathBuf, limit: Duration) -> Self {
        Self { kind, path, limit, state: Mutex::default(), latest: StdMutex::default() }
    }

    pub(super) async fn call(
        &self,
        config: &Map<String, Value>,
        method: &str,
        params: &Value,
    ) -> Result<Value, SupervisorError> {
        let process = self.ready(config).await?;
        match process.call(method, Some(params), self.limit).await {
            Ok(result) => {
                self.state.lock().await.failures = 0;
                Ok(result)
            }
            Err(CallError::Refused(failure)) => {
                self.state.lock().await.failures = 0;
                Err(SupervisorError::Refused(failure))
            }
            Err(CallError::Gone(reason)) => {
                let mut state = self.state.lock().await;
                self.failed(&mut state, &process, &reason);
                Err(SupervisorError::Unavailable(format!("The plug-in {} failed: {reason}.", self.kind)))
            }
        }
    }

    /// Stops the process permanently, and returns at once. [`Process::ended`] of the result waits for the end.
    pub(super) fn stop(&self, reason: &str) -> Option<Arc<Process>> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.closed = true;
        let process = latest.process.take()?;
        process.stop(reason);
        Some(process)
    }

    /// Returns the running process, with these settings.
    async fn ready(&self, config: &Map<String, Value>) -> Result<Arc<Process>, SupervisorError> {
        let mut state = self.state.lock().await;
        if let Some(process) = state.process.clone().filter(|process| process.is_running()) {
            if state.config == *config {
                return Ok(process);
            }
            return self.reconfigure(&mut state, process, config).await;
        }
        if let Some(dead) = state.process.clone() {
            // It ended while no call was waiting for it.
            self.failed(&mut state, &dead, "it ended by itself");
        }
        if let Some(wait) = state.not_before.and_then(|until| until.checked_duration_since(Instant::now())) {
            let kind = &self.kind;
            let text = format!("The plug-in {kind} keeps failing; it is started again in {} s.", wait.as_secs() + 1);
            return Err(SupervisorError::Unavailable(text));
        }
        self.start(&mut state, config).await
    }

    async fn start(&self, state: &mut State, config: &Map<String, Value>) -> Result<Arc<Process>, SupervisorError> {
        if self.latest.lock().unwrap_or_else(PoisonError::into_inner).closed {
            return Err(SupervisorError::Unavailable("The channel is being stopped.".to_owned()));
        }
        let process = match Process::start(&self.path, &self.kind) {
            Ok(process) => Arc::new(process),
            Err(failure) => {
                Self::back_off(state);
                let text = format!("The plug-in {} cannot be started: {failure}.", self.kind);
                return Err(SupervisorError::Unavailable(text));
            }
        };
        self.note(&process);
        match process.call("SetConfig", Some(&Value::Object(config.clone())), self.limit).await {
            Ok(_) => {
                info!(plugin = self.kind, "a channel plug-in is running");
                state.process = Some(Arc::clone(&process));
                state.config.clone_from(config);
                Ok(process)
            }
            Err(error) => {
                let reason = match error {
                    CallError::Refused(failure) => format!("it refuses its settings: {}", failure.message),
                    CallError::Gone(reason) => reason,
                };
                process.stop(&reason);
                warn!(plugin = self.kind, "a channel plug-in does not start: {reason}");
                Self::back_off(state);
                Err(SupervisorError::Unavailable(format!("The plug-in {} does not start: {reason}.", self.kind)))
            }
        }
    }

    fn note(&self, process: &Arc<Process>) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.closed {
            process.stop("it is no longer needed");
        } else {
            latest.process = Some(Arc::clone(process));
        }
    }

    /// Sends new settings. If the plug-in refuses them, it continues with the old ones.
    async fn reconfigure(
        &self,
        state: &mut State,
        process: Arc<Process>,
        config: &Map<String, Value>,
    ) -> Result<Arc<Process>, SupervisorError> {
        match process.call("SetConfig", Some(&Value::Object(config.clone())), self.limit).await {
            Ok(_) => {}
            Err(CallError::Refused(failure)) => {
                warn!(plugin = self.kind, "refuses its new settings and keeps the old ones: {}", failure.message);
            }
            Err(CallError::Gone(reason)) => {
                self.failed(state, &process, &reason);
                return Err(SupervisorError::Unavailable(format!("The plug-in {} failed: {reason}.", self.kind)));
            }
        }
        state.config.clone_from(config);
        Ok(process)
    }

    /// Records a failure, once for each process.
    fn failed(&self, state: &mut State, process: &Arc<Process>, reason: &str) {
        if state.process.as_ref().is_some_and(|current| Arc::ptr_eq(current, process)) {
            warn!(plugin = self.kind, "a channel plug-in failed: {reason}");
            state.process = None;
            Self::back_off(state);
        }
    }

    /// Sets the pause before the next start. The first failure causes none.
    fn back_off(state: &mut State) {
        state.failures = state.failures.saturating_add(1);
        state.not_before = pause(state.failures).map(|pause| Instant::now() + pause);
    }
}

fn pause(failures: u32) -> Option<Duration> {
    let doubled = failures.checked_sub(2)?;
    Some(PLUGIN_BACKOFF_FIRST.saturating_mul(1 << doubled.min(16)).min(PLUGIN_BACKOFF_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_growing() {
        let seconds: Vec<_> = (0..5).map(|failures| pause(failures).map(|it| it.as_secs())).collect();
        assert_eq!(seconds, [None, None, Some(1), Some(2), Some(4)]);
        assert_eq!(pause(u32::MAX), Some(PLUGIN_BACKOFF_MAX));
    }
}

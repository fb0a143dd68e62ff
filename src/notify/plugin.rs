//! Channel plug-ins: executables that send messages (plug-in contract).
//!
//! Each configured channel has a process of its own, whose faults affect only messages of that channel.

mod family;
mod info;
mod output;
mod payload;
mod process;
mod supervisor;
mod wire;

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::Value;
use tracing::warn;
use uuid::Uuid;

use self::{
    process::{CallError, Process},
    supervisor::{PluginSupervisor, SupervisorError},
    wire::{INVALID_PARAMS, INVALID_REQUEST},
};
use super::{Outgoing, outgoing::ContactCard, settings::PluginSettings, text::clean};
use crate::clock::Clock;
use crate::domain::{
    AttemptOutcome, Channel, Directory, PluginInfo,
    channel::is_valid_type,
    channel_types::find,
    limits::{PLUGINS, PROVIDER_ANSWER},
};

pub(super) struct Plugins {
    settings: PluginSettings,
    clock: Arc<dyn Clock>,
    /// Supervisors by channel.
    supervisors: Mutex<PluginSupervisors>,
}

#[derive(Default)]
struct PluginSupervisors {
    by_channel: HashMap<Uuid, Arc<PluginSupervisor>>,
    /// Whether starting processes is refused, because the server stops.
    closed: bool,
}

impl Plugins {
    pub(super) fn new(settings: PluginSettings, clock: Arc<dyn Clock>) -> Self {
        Self { settings, clock, supervisors: Mutex::default() }
    }

    /// Sends a message. Takes at most twice the time limit of a call, unless the channel is still starting.
    pub(super) async fn send(&self, contact: &ContactCard, channel: &Channel, message: &Outgoing) -> AttemptOutcome {
        let Some(path) = self.path(&channel.kind) else {
            return AttemptOutcome::retry(format!("The plug-in {} is not installed on this server.", channel.kind));
        };
        let Some(supervisor) = self.supervisor(channel, path) else {
            return AttemptOutcome::retry("The server is being stopped.".to_owned());
        };
        let params = payload::notification(contact, &message.content, self.clock.now());
        let config = channel.config.clone().unwrap_or_default();
        match supervisor.call(&config, "SendNotification", &params).await {
            Ok(Value::Null) => AttemptOutcome::sent(format!("The plug-in {} took it.", channel.kind)),
            Ok(answer) => {
                let answer = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
                AttemptOutcome::sent(clean(&answer, PROVIDER_ANSWER))
            }
            Err(SupervisorError::Refused(failure)) => {
                let answer = clean(&failure.message, PROVIDER_ANSWER);
                match failure.code {
                    Some(INVALID_PARAMS | INVALID_REQUEST) => AttemptOutcome::fail(answer),
                    _ => AttemptOutcome::retry(answer),
                }
            }
            Err(SupervisorError::Unavailable(answer)) => AttemptOutcome::retry(clean(&answer, PROVIDER_ANSWER)),
        }
    }

    /// Stops the processes of channels that were deleted or have another type now, and notes what the others have
    /// started.
    pub(super) fn tend(&self, directory: &Directory) {
        drop(tokio::task::spawn_blocking(family::look));
        let gone: Vec<Arc<PluginSupervisor>> = {
            let mut supervisors = self.lock();
            let is_gone = |uuid: &Uuid, supervisor: &PluginSupervisor| {
                directory.channels.get(uuid).is_none_or(|channel| channel.kind != supervisor.kind)
            };
            supervisors
                .by_channel
                .extract_if(|uuid, supervisor| is_gone(uuid, supervisor))
                .map(|(_, supervisor)| supervisor)
                .collect()
        };
        for supervisor in gone {
            supervisor.stop("its channel was deleted");
        }
    }

    /// Stops all processes, and waits until they have ended.
    pub(super) async fn close(&self) {
        let supervisors: Vec<Arc<PluginSupervisor>> = {
            let mut supervisors = self.lock();
            supervisors.closed = true;
            supervisors.by_channel.drain().map(|(_, supervisor)| supervisor).collect()
        };
        join_all(supervisors.iter().map(|supervisor| async {
            if let Some(process) = supervisor.stop("the server is being stopped") {
                process.ended().await;
            }
        }))
        .await;
    }

    /// Lists the names of files that may be plug-ins, in order. Reads the directory.
    pub(super) fn installed(settings: &PluginSettings) -> Vec<String> {
        let Some(directory) = &settings.directory else { return Vec::new() };
        let files = match fs::read_dir(directory) {
            Ok(files) => files,
            Err(failure) => {
                if failure.kind() != std::io::ErrorKind::NotFound {
                    warn!("the directory of plug-ins cannot be read: {failure}");
                }
                return Vec::new();
            }
        };
        let names = files.flatten().filter_map(|file| file.file_name().into_string().ok());
        let mut names: Vec<String> =
            names.filter(|name| is_plugin_type(name) && is_executable(&directory.join(name))).take(PLUGINS).collect();
        names.sort_unstable();
        names
    }

    /// Asks each plug-in for its description. Returns the reason if it gives none.
    pub(super) async fn describe_all(settings: &PluginSettings) -> BTreeMap<String, Result<PluginInfo, String>> {
        let Some(directory) = &settings.directory else { return BTreeMap::new() };
        let descriptions = Self::installed(settings).into_iter().map(|kind| async {
            let described = describe(&directory.join(&kind), &kind, settings.timeout).await;
            (kind, described)
        });
        join_all(descriptions).await.into_iter().collect()
    }

    fn path(&self, kind: &str) -> Option<PathBuf> {
        let path = self.settings.directory.as_ref().filter(|_| is_plugin_type(kind))?.join(kind);
        is_executable(&path).then_some(path)
    }

    /// Returns the supervisor of a channel, created on demand. `None` after [`Plugins::close`].
    fn supervisor(&self, channel: &Channel, path: PathBuf) -> Option<Arc<PluginSupervisor>> {
        let mut supervisors = self.lock();
        if supervisors.closed {
            return None;
        }
        if let Some(supervisor) = supervisors.by_channel.get(&channel.uuid)
            && supervisor.kind == channel.kind
        {
            return Some(Arc::clone(supervisor));
        }
        // Dropping the supervisor of the former type stops its process.
        let (kind, limit) = (channel.kind.clone(), self.settings.timeout);
        let supervisor = Arc::new(PluginSupervisor::new(kind, path, limit));
        supervisors.by_channel.insert(channel.uuid, Arc::clone(&supervisor));
        Some(supervisor)
    }

    fn lock(&self) -> MutexGuard<'_, PluginSupervisors> {
        self.supervisors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether only a plug-in can have this name.
fn is_plugin_type(name: &str) -> bool {
    is_valid_type(name) && find(name).is_none()
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// Asks a plug-in for its description, in a process that is started only for this.
async fn describe(path: &Path, kind: &str, limit: Duration) -> Result<PluginInfo, String> {
    let process = Process::start(path, kind).map_err(|failure| format!("cannot be started: {failure}"))?;
    let answer = process.call("GetInfo", None, limit).await;
    process.stop("it has said what it is");
    process.ended().await;
    match answer {
        Ok(answer) => Ok(info::read(&answer)),
        Err(CallError::Refused(failure)) => Err(clean(&failure.message, PROVIDER_ANSWER)),
        Err(CallError::Gone(reason)) => Err(clean(&reason, PROVIDER_ANSWER)),
    }
}

#[cfg(test)]
mod fuzz;

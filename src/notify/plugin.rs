//! Channel plug-ins: executables that send messages (plug-in contract).
//!
//! Each configured channel has a process of its own. Whatever that process does, only its own messages suffer.

mod family;
mod info;
mod keeper;
mod output;
mod payload;
mod process;
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
    keeper::{Keeper, KeeperError},
    process::{CallError, Process},
    wire::{INVALID_PARAMS, INVALID_REQUEST},
};
use super::{Outgoing, outgoing::ContactCard, settings::PluginSettings, text::clean};
use crate::{
    clock::Clock,
    domain::{
        attempt::Outcome,
        channel::{Channel, is_valid_type},
        channel_types::find,
        directory::Directory,
        limits::{PLUGINS, PROVIDER_ANSWER},
        plugin::PluginInfo,
    },
};

pub(super) struct Plugins {
    settings: PluginSettings,
    clock: Arc<dyn Clock>,
    /// By channel.
    keepers: Mutex<Keepers>,
}

#[derive(Default)]
struct Keepers {
    by_channel: HashMap<Uuid, Arc<Keeper>>,
    /// None is started any more.
    closed: bool,
}

impl Plugins {
    pub(super) fn new(settings: PluginSettings, clock: Arc<dyn Clock>) -> Self {
        Self { settings, clock, keepers: Mutex::default() }
    }

    /// Ends within twice the time limit of a call, as long as the channel is not busy with starting.
    pub(super) async fn send(&self, contact: &ContactCard, channel: &Channel, message: &Outgoing) -> Outcome {
        let Some(path) = self.path(&channel.kind) else {
            return Outcome::retry(format!("The plug-in {} is not installed on this server.", channel.kind));
        };
        let Some(keeper) = self.keeper(channel, path) else {
            return Outcome::retry("The server is being stopped.".to_owned());
        };
        let params = payload::notification(contact, &message.content, self.clock.now());
        let config = channel.config.clone().unwrap_or_default();
        match keeper.call(&config, "SendNotification", &params).await {
            Ok(Value::Null) => Outcome::sent(format!("The plug-in {} took it.", channel.kind)),
            Ok(answer) => {
                let answer = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
                Outcome::sent(clean(&answer, PROVIDER_ANSWER))
            }
            Err(KeeperError::Refused(failure)) => {
                let answer = clean(&failure.message, PROVIDER_ANSWER);
                match failure.code {
                    Some(INVALID_PARAMS | INVALID_REQUEST) => Outcome::fail(answer),
                    _ => Outcome::retry(answer),
                }
            }
            Err(KeeperError::Unavailable(answer)) => Outcome::retry(clean(&answer, PROVIDER_ANSWER)),
        }
    }

    /// Stops the processes of channels that are gone, or have another type now, and looks at what the others started.
    pub(super) fn tend(&self, directory: &Directory) {
        drop(tokio::task::spawn_blocking(family::look));
        let gone: Vec<Arc<Keeper>> = {
            let mut keepers = self.lock();
            let is_gone = |uuid: &Uuid, keeper: &Keeper| {
                directory.channels.get(uuid).is_none_or(|channel| channel.kind != keeper.kind)
            };
            keepers.by_channel.extract_if(|uuid, keeper| is_gone(uuid, keeper)).map(|(_, keeper)| keeper).collect()
        };
        for keeper in gone {
            keeper.stop("its channel is no more");
        }
    }

    /// Stops all of them, and waits until they have ended.
    pub(super) async fn close(&self) {
        let keepers: Vec<Arc<Keeper>> = {
            let mut keepers = self.lock();
            keepers.closed = true;
            keepers.by_channel.drain().map(|(_, keeper)| keeper).collect()
        };
        join_all(keepers.iter().map(|keeper| async {
            if let Some(process) = keeper.stop("the server is being stopped") {
                process.ended().await;
            }
        }))
        .await;
    }

    /// The names of the files that may be plug-ins, in order. Reads the directory.
    pub(super) fn installed(settings: &PluginSettings) -> Vec<String> {
        let Some(directory) = &settings.directory else { return Vec::new() };
        let files = match fs::read_dir(directory) {
            Ok(files) => files,
            Err(trouble) => {
                if trouble.kind() != std::io::ErrorKind::NotFound {
                    warn!("the directory of plug-ins cannot be read: {trouble}");
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

    /// Asks each for its description, or says why there is none.
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

    /// `None` once they are closed.
    fn keeper(&self, channel: &Channel, path: PathBuf) -> Option<Arc<Keeper>> {
        let mut keepers = self.lock();
        if keepers.closed {
            return None;
        }
        if let Some(keeper) = keepers.by_channel.get(&channel.uuid)
            && keeper.kind == channel.kind
        {
            return Some(Arc::clone(keeper));
        }
        // Dropping the one of the former type stops its process.
        let (kind, limit) = (channel.kind.clone(), self.settings.timeout);
        let keeper = Arc::new(Keeper::new(kind, path, limit));
        keepers.by_channel.insert(channel.uuid, Arc::clone(&keeper));
        Some(keeper)
    }

    fn lock(&self) -> MutexGuard<'_, Keepers> {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name of which only a plug-in can be.
fn is_plugin_type(name: &str) -> bool {
    is_valid_type(name) && find(name).is_none()
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// By a process that is there only for this.
async fn describe(path: &Path, kind: &str, limit: Duration) -> Result<PluginInfo, String> {
    let process = Process::start(path, kind).map_err(|trouble| format!("cannot be started: {trouble}"))?;
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

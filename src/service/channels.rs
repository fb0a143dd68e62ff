//! Channels: made and changed by administrators.

use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Caller, Model, Service, ServiceError, contacts::removal, policy::Action};
use crate::{
    clock::random_bytes,
    domain::{
        channel::{Channel, ChannelRefusal, is_valid_type, settings},
        channel_types::address_types,
        directory::Directory,
        limits::{CHANNEL_CONFIG_BYTES, CHANNEL_NAME, CHANNELS},
    },
};

#[derive(Clone)]
pub struct NewChannel {
    /// `None`: one is made up.
    pub uuid: Option<Uuid>,
    pub name: String,
    pub kind: String,
    /// A JSON object, as text.
    pub config: Option<String>,
    pub offered: bool,
}

/// What is `None` stays.
#[derive(Clone, Default)]
pub struct ChannelChange {
    pub name: Option<String>,
    pub kind: Option<String>,
    /// A JSON object, as text, in place of all settings; a secret that is blank stays while the others lead to the same
    /// place. `None`: they stay, unless the type changes.
    pub config: Option<String>,
    pub offered: Option<bool>,
}

impl Service {
    pub async fn create_channel(&self, caller: &Caller, new: NewChannel) -> Result<Arc<Channel>, ServiceError> {
        caller.require(Action::ManageChannels)?;
        check(Some(&new.name), Some(&new.kind))?;
        let config = new.config.as_deref().map(read).transpose()?;
        if let Some(config) = &config {
            settings::check(&new.kind, config).map_err(ChannelRefusal::from)?;
        }
        let uuid = new.uuid.unwrap_or_else(|| uuid::Builder::from_random_bytes(random_bytes()).into_uuid());
        let channel = self
            .store()
            .write(Some(caller.id()), move |command| {
                let directory = command.directory();
                if directory.channels.contains_key(&uuid) {
                    return Err(ChannelRefusal::UuidTaken.into());
                }
                check_free(directory, &new.name, uuid)?;
                if directory.channels.len() >= CHANNELS {
                    return Err(ChannelRefusal::TooMany.into());
                }
                let id = command.new_channel_id();
                let channel = Channel { id, uuid, name: new.name, kind: new.kind, config, offered: new.offered };
                command.put_channel(channel.clone());
                Ok::<_, ServiceError>(channel)
            })
            .await?;
        Ok(Arc::new(channel))
    }

    pub async fn change_channel(
        &self,
        caller: &Caller,
        uuid: Uuid,
        change: ChannelChange,
    ) -> Result<Arc<Channel>, ServiceError> {
        caller.require(Action::ManageChannels)?;
        check(change.name.as_deref(), change.kind.as_deref())?;
        let config = change.config.as_deref().map(read).transpose()?;
        let service = self.clone();
        let channel = self
            .store()
            .write(Some(caller.id()), move |command| {
                let before = Arc::clone(found(command.directory(), uuid)?);
                let mut after = Channel::clone(&before);
                if let Some(name) = change.name {
                    check_free(command.directory(), &name, uuid)?;
                    after.name = name;
                }
                if let Some(kind) = change.kind {
                    after.kind = kind;
                }
                // Settings belong to a type: what was secret for one may not be for another.
                if after.kind != before.kind {
                    after.config = None;
                }
                if let Some(given) = config {
                    let is_secret = |key: &str| service.is_secret_setting(&after.kind, key);
                    let changed = settings::changed(&after.kind, after.config.as_ref(), given, is_secret)
                        .map_err(ChannelRefusal::from)?;
                    settings::check(&after.kind, &changed).map_err(ChannelRefusal::from)?;
                    after.config = Some(changed);
                }
                after.offered = change.offered.unwrap_or(after.offered);
                let addresses_differ =
                    (after.kind != before.kind || before.needs_no_address()) && !after.needs_no_address();
                if addresses_differ && command.is_default_channel(uuid)? {
                    return Err(ChannelRefusal::TypeInUse.into());
                }
                if after != *before {
                    command.put_channel(after.clone());
                }
                Ok::<_, ServiceError>(after)
            })
            .await?;
        Ok(Arc::new(channel))
    }

    /// Not while it is a contact's default (contact API contract section 7.5).
    pub async fn delete_channel(&self, caller: &Caller, uuid: Uuid) -> Result<(), ServiceError> {
        caller.require(Action::ManageChannels)?;
        self.store()
            .write(Some(caller.id()), move |command| {
                found(command.directory(), uuid)?;
                if command.is_default_channel(uuid)? {
                    return Err(ChannelRefusal::InUse.into());
                }
                removal::channel(command, uuid);
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(())
    }

    /// May contacts have addresses of this type?
    #[must_use]
    pub fn is_address_type(&self, directory: &Directory, kind: &str) -> bool {
        address_types().any(|known| known == kind)
            || self.has_plugin(kind)
            || directory.channels.values().any(|channel| channel.kind == kind)
    }
}

fn found(directory: &Directory, uuid: Uuid) -> Result<&Arc<Channel>, ServiceError> {
    directory.channels.get(&uuid).ok_or(ServiceError::NotFound(Model::Channel))
}

fn check(name: Option<&str>, kind: Option<&str>) -> Result<(), ChannelRefusal> {
    if name.is_some_and(|name| name.trim().is_empty() || name.chars().count() > CHANNEL_NAME) {
        return Err(ChannelRefusal::BadName);
    }
    if kind.is_some_and(|kind| !is_valid_type(kind)) {
        return Err(ChannelRefusal::BadType);
    }
    Ok(())
}

fn check_free(directory: &Directory, name: &str, uuid: Uuid) -> Result<(), ChannelRefusal> {
    match directory.channel_named(name) {
        Some(other) if other.uuid != uuid => Err(ChannelRefusal::NameTaken),
        _ => Ok(()),
    }
}

fn read(text: &str) -> Result<Map<String, Value>, ChannelRefusal> {
    if text.len() > CHANNEL_CONFIG_BYTES {
        return Err(ChannelRefusal::LongConfig);
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(settings)) => Ok(settings),
        Ok(_) => Err(ChannelRefusal::BadConfig(String::new())),
        // The reason, not the text: it may hold secrets.
        Err(error) => Err(ChannelRefusal::BadConfig(format!(" (line {}, column {})", error.line(), error.column()))),
    }
}

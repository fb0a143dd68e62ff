//! Drafts of channels, and the channels that result from them.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    Channel, is_valid_type,
    settings::{self, BadChannelSetting},
};
use crate::domain::{
    Action, ChannelId, Directory, Managed,
    limits::{CHANNEL_CONFIG_BYTES, NAME, THINGS_PER_KIND},
};

/// The requested values of a new or changed channel. `None`: unchanged, or the default of a new channel.
#[derive(Clone, Default)]
pub struct ChannelDraft {
    /// UUID of a new channel. `None`: a random one.
    pub uuid: Option<Uuid>,
    pub name: Option<String>,
    pub kind: Option<String>,
    /// New settings as a JSON object, which replace all settings. A blank secret keeps its value if the other settings
    /// lead to the same place. `None`: unchanged, or no settings if the type changes.
    pub config: Option<String>,
    pub offered: Option<bool>,
}

impl Managed for Channel {
    const ACTION: Action = Action::ManageChannels;
}

impl ChannelDraft {
    /// Checks the values by themselves, and returns the parsed settings.
    pub fn check(&self) -> Result<Option<Map<String, Value>>, ChannelRefusal> {
        if self
            .name
            .as_deref()
            .is_some_and(|name| name.trim().is_empty() || name.chars().count() > Channel::LONGEST_NAME)
        {
            return Err(ChannelRefusal::BadName);
        }
        if self.kind.as_deref().is_some_and(|kind| !is_valid_type(kind)) {
            return Err(ChannelRefusal::BadType);
        }
        self.config.as_deref().map(read).transpose()
    }

    /// Returns the new or changed channel. `before` is `None` for a new one. `config` is the result of [`Self::check`];
    /// `is_secret` takes a type and a setting.
    pub fn apply(
        self,
        before: Option<&Channel>,
        config: Option<Map<String, Value>>,
        directory: &Directory,
        is_secret: impl Fn(&str, &str) -> bool,
    ) -> Result<Channel, ChannelRefusal> {
        let Some(before) = before else { return self.into_new(config, directory) };
        let mut after = before.clone();
        if let Some(name) = self.name {
            check_free(directory, &name, before.uuid)?;
            after.name = name;
        }
        after.kind = self.kind.unwrap_or(after.kind);
        // Settings belong to a type. What is secret for one type may not be secret for another.
        if after.kind != before.kind {
            after.config = None;
        }
        if let Some(given) = config {
            let is_secret = |key: &str| is_secret(&after.kind, key);
            let changed = settings::changed(&after.kind, after.config.as_ref(), given, is_secret)?;
            settings::check(&after.kind, &changed)?;
            after.config = Some(changed);
        }
        after.offered = self.offered.unwrap_or(after.offered);
        Ok(after)
    }

    fn into_new(self, config: Option<Map<String, Value>>, directory: &Directory) -> Result<Channel, ChannelRefusal> {
        let name = self.name.ok_or(ChannelRefusal::BadName)?;
        let kind = self.kind.ok_or(ChannelRefusal::BadType)?;
        let uuid = self.uuid.unwrap_or_default();
        if let Some(config) = &config {
            settings::check(&kind, config)?;
        }
        if directory.channels.contains_key(&uuid) {
            return Err(ChannelRefusal::UuidTaken);
        }
        check_free(directory, &name, uuid)?;
        if directory.channels.len() >= Channel::MOST {
            return Err(ChannelRefusal::TooMany);
        }
        Ok(Channel { id: ChannelId(0), uuid, name, kind, config, offered: self.offered.unwrap_or(false) })
    }
}

/// Reasons to refuse to create, change or delete a channel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelRefusal {
    #[error("a channel's name has 1 to {NAME} characters")]
    BadName,
    #[error("a channel's type is made of letters, digits, - and _")]
    BadType,
    #[error("a channel's settings have to be a JSON object{0}")]
    BadConfig(String),
    #[error("a channel's settings may have at most {CHANNEL_CONFIG_BYTES} bytes")]
    LongConfig,
    #[error("setting {0}")]
    BadSetting(#[from] BadChannelSetting),
    #[error("there is a channel with this UUID already")]
    UuidTaken,
    #[error("there is a channel with this name already")]
    NameTaken,
    #[error("there can be at most {THINGS_PER_KIND} channels")]
    TooMany,
    #[error("the channel is the default of some contacts; give them another one first")]
    InUse,
    #[error("the channel is the default of some contacts, who may have no address for it then")]
    TypeInUse,
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
        // Only the position, because the text may contain secrets.
        Err(error) => Err(ChannelRefusal::BadConfig(format!(" (line {}, column {})", error.line(), error.column()))),
    }
}

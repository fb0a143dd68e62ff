//! Types of channels: the built-in ones, and those of installed plug-ins.

use serde_json::{Map, Value};

use crate::domain::{
    Channel, PluginInfo,
    channel_types::{CHANNEL_TYPES, find},
    setting::Setting,
};
use crate::service::Contacts;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelType {
    pub kind: String,
    pub about: AboutType,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AboutType {
    BuiltIn(&'static [Setting]),
    Plugin(PluginInfo),
    /// The plug-in has not described itself. Holds the reason.
    Silent(String),
}

impl Contacts {
    /// Lists all channel types: the built-in ones first, then plug-ins by name.
    #[must_use]
    pub fn channel_types(&self) -> Vec<ChannelType> {
        let own = CHANNEL_TYPES.iter();
        let own = own.map(|it| ChannelType { kind: it.key.to_owned(), about: AboutType::BuiltIn(it.of_channel) });
        let sender = self.inner.sender.get();
        let installed = sender.iter().flat_map(|sender| sender.plugins()).cloned();
        let plugins = installed.map(|kind| {
            let about = match sender.and_then(|sender| sender.plugin(&kind)) {
                Some(Ok(info)) => AboutType::Plugin(info),
                Some(Err(reason)) => AboutType::Silent(reason),
                None => AboutType::Silent("The plug-in has not said yet what it is.".to_owned()),
            };
            ChannelType { kind, about }
        });
        own.chain(plugins).collect()
    }

    /// Returns the settings of a channel, with blank secrets. A plug-in declares which of its settings are secret. As
    /// long as it declares none, all are.
    #[must_use]
    pub fn shown_config(&self, channel: &Channel) -> Option<Map<String, Value>> {
        match self.plugin_info(&channel.kind) {
            Some(info) => channel.config_without(|key| info.is_secret(key)),
            None => channel.shown_config(),
        }
    }

    pub(in crate::service) fn is_secret_setting(&self, kind: &str, key: &str) -> bool {
        match find(kind) {
            Some(known) => known.is_secret(key),
            None => self.plugin_info(kind).is_none_or(|info| info.is_secret(key)),
        }
    }

    /// Returns what a plug-in says about itself. `None` for types that are not from a plug-in, or if the plug-in has
    /// not described itself.
    fn plugin_info(&self, kind: &str) -> Option<PluginInfo> {
        if find(kind).is_some() {
            return None;
        }
        self.inner.sender.get()?.plugin(kind)?.ok()
    }
}

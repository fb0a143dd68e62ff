//! Media of destinations: the built-in ones, and channels that are offered to all users.

use std::collections::BTreeSet;

use crate::domain::{AnyMedium, channel_types::CHANNEL_TYPES};
use crate::service::Notifications;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedMedium {
    pub medium: AnyMedium,
    /// Display name.
    pub name: String,
    /// Whether it is offered, and its plug-in was found when the server started. True for built-in media.
    pub installed: bool,
}

impl Notifications {
    /// Lists all media: the built-in ones first, then plug-ins by type.
    #[must_use]
    pub fn media(&self) -> Vec<OfferedMedium> {
        let directory = self.directory();
        let offered = directory.channels.values().filter(|channel| channel.is_medium());
        let plugins: BTreeSet<&str> = offered.map(|channel| channel.kind.as_str()).collect();
        let own = CHANNEL_TYPES.iter().map(|known| self.medium(known.key));
        own.chain(plugins.into_iter().map(|slug| self.medium(slug))).collect()
    }

    /// Returns a medium. `None` if it is not offered for new destinations.
    #[must_use]
    pub fn offered_medium(&self, slug: &str) -> Option<OfferedMedium> {
        let medium = AnyMedium::from_slug(slug);
        let is_there =
            matches!(medium, AnyMedium::BuiltIn(_)) || self.directory().offered_channel(medium.slug()).is_some();
        is_there.then(|| self.medium(slug))
    }

    /// Returns a medium, even if it is not offered anymore, because destinations may still use it. Its name is its type
    /// then.
    #[must_use]
    pub fn medium(&self, slug: &str) -> OfferedMedium {
        match AnyMedium::from_slug(slug) {
            AnyMedium::BuiltIn(known) => {
                OfferedMedium { medium: AnyMedium::BuiltIn(known), name: known.title.to_owned(), installed: true }
            }
            AnyMedium::Plugin(kind) => {
                let directory = self.directory();
                let channel = directory.offered_channel(&kind);
                let name = channel.map_or_else(|| kind.clone(), |channel| channel.name.clone());
                let installed = channel.is_some() && self.has_plugin(&kind);
                OfferedMedium { medium: AnyMedium::Plugin(kind), name, installed }
            }
        }
    }

    /// Returns the channel types of the plug-ins that were installed when the server, or the command, started.
    #[must_use]
    pub fn plugins(&self) -> Vec<String> {
        self.inner.sender.get().map(|sender| sender.plugins().to_vec()).unwrap_or_default()
    }

    /// Returns whether a plug-in for this channel type is installed.
    pub(in crate::service) fn has_plugin(&self, kind: &str) -> bool {
        self.inner.sender.get().is_some_and(|sender| sender.plugins().iter().any(|it| it == kind))
    }
}

//! The table of built-in channel types. Destinations, channels of contacts, forms, help, JSON schemas and transports
//! are made from it. Each type has a file of its own.

use serde_json::Value;

use super::setting::{Form, Setting};

macro_rules! channel_types {
    ($($name:ident),*) => {
        $(pub mod $name;)*

        /// All built-in channel types, in the order of lists.
        pub static CHANNEL_TYPES: &[&ChannelType] = &[$(&$name::TYPE),*];
    };
}

// `cargo fmt` does not follow modules that a macro declares, so `.ci/run` checks these files by name.
channel_types!(email, sms, slack, webhook, ntfy);

/// Channel type for which contacts may have addresses, but which only a plug-in can send.
const ROCKETCHAT: &str = "rocketchat";

/// A way to notify people: a medium of destinations, and a type of channels of contacts.
#[derive(Debug)]
pub struct ChannelType {
    /// Identifier in stored destinations and channels, and in the APIs.
    pub key: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// Description of what is sent, for the operator's manual.
    pub about: &'static str,
    /// Settings of a destination. The address comes first. All except secrets are required.
    pub of_destination: &'static [Setting],
    /// Settings of a channel. All are optional.
    pub of_channel: &'static [Setting],
    /// Whether a channel can have the address (its `url`), so that contacts need none.
    pub own_address: OwnAddress,
    /// Channel settings that are sent only to the scheme, host and port of the channel's `url`.
    pub sent_along: &'static [&'static str],
    /// Templates of messages of this type, except those that other types declare.
    pub templates: &'static [Template],
    pub protocol: Protocol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnAddress {
    Never,
    /// A channel can have one, for contacts without an address of their own.
    Optional,
    /// A channel should have one.
    Expected,
}

/// Protocol by which messages of a type are sent.
#[derive(Debug)]
pub enum Protocol {
    Mail,
    Sms,
    Webhook,
    Ntfy,
    /// A text that is posted as JSON to the address.
    Post(Post),
}

/// Form of the text that is posted to services with incoming webhooks.
#[derive(Debug)]
pub struct Post {
    pub template: Template,
    pub markup: Markup,
    /// Maximum length of the text, in characters. A longer text is shortened.
    pub longest: usize,
    /// Returns the JSON body for a text.
    pub body: fn(&str) -> Value,
}

/// Escaping of values in a text, and shortening of long texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markup {
    Plain,
    Slack,
}

/// The built-in templates with one file name ending, which operators can replace by their own.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    pub ending: &'static str,
    /// File names with their contents.
    pub files: &'static [(&'static str, &'static str)],
}

/// Declares the files `KIND.ENDING` in `src/notify/templates`. Without kinds: those for events, summaries and test
/// messages.
macro_rules! template {
    ($ending:literal) => {
        template!($ending, "event", "summary", "test")
    };
    ($ending:literal, $($kind:literal),+) => {
        $crate::domain::channel_types::Template {
            ending: $ending,
            files: &[$((
                concat!($kind, ".", $ending),
                include_str!(concat!("../../notify/templates/", $kind, ".", $ending)),
            )),+],
        }
    };
}
use template;

impl ChannelType {
    /// Returns the setting that holds the address. No two destinations of a user have the same value of it.
    #[must_use]
    pub fn address(&self) -> &'static Setting {
        &self.of_destination[0]
    }

    /// Returns whether a channel's setting is secret. Unknown settings are secret, and so is the address of a webhook,
    /// since it is often all that is needed to post.
    #[must_use]
    pub fn is_secret(&self, key: &str) -> bool {
        self.of_channel.iter().find(|it| it.key == key).is_none_or(|it| it.secret)
    }

    /// Returns whether everybody who may see a destination may also see its settings. Settings of other types can
    /// contain secrets, such as a token, or an address that is all that is needed to post.
    #[must_use]
    pub fn shows_settings(&self) -> bool {
        self.of_destination.iter().all(|it| matches!(it.form, Form::MailAddress | Form::Phone))
    }
}

/// Types are equal if their keys are.
impl PartialEq for ChannelType {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for ChannelType {}

/// Returns the built-in type with this key. `None`: the key of a plug-in, or unknown.
#[must_use]
pub fn find(key: &str) -> Option<&'static ChannelType> {
    CHANNEL_TYPES.iter().copied().find(|it| it.key == key)
}

/// Returns the types for which contacts may have addresses even if there is no such channel.
pub fn address_types() -> impl Iterator<Item = &'static str> {
    CHANNEL_TYPES.iter().copied().map(|it| it.key).chain([ROCKETCHAT])
}

/// Returns the markup of the texts that a template file produces.
#[must_use]
pub fn markup_of(file: &str) -> Markup {
    let makes = |it: &Template| it.files.iter().any(|(name, _)| *name == file);
    let post = CHANNEL_TYPES.iter().copied().find_map(|it| match &it.protocol {
        Protocol::Post(post) if makes(&post.template) => Some(post),
        _ => None,
    });
    post.map_or(Markup::Plain, |post| post.markup)
}

#[cfg(test)]
mod tests;

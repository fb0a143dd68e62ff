//! The table of the channel types that the server knows itself. Destinations, channels of contacts, forms, help, JSON
//! schemas and what builds the transports are made from it; each type has a file of its own.

pub mod email;
pub mod ntfy;
pub mod slack;
pub mod sms;
pub mod webhook;

use serde_json::Value;

use super::setting::{Form, Setting};

/// In the order in which they are listed.
pub static CHANNEL_TYPES: &[&ChannelType] = &[&email::TYPE, &sms::TYPE, &slack::TYPE, &webhook::TYPE, &ntfy::TYPE];

/// A type of which contacts may have addresses, but which only a plug-in can send.
const ROCKETCHAT: &str = "rocketchat";

/// One way to notify people: as a medium of destinations, and as the type of channels of contacts.
#[derive(Debug)]
pub struct ChannelType {
    /// Stored in destinations and channels, and part of the APIs.
    pub key: &'static str,
    /// For people.
    pub title: &'static str,
    /// What is sent, for the operator's manual.
    pub about: &'static str,
    /// The settings of a destination. The address comes first; all but secrets are required.
    pub of_destination: &'static [Setting],
    /// The settings of a channel. All are optional.
    pub of_channel: &'static [Setting],
    /// Whether a channel can have the address (its `url`), so that contacts need none.
    pub own_address: OwnAddress,
    /// Channel settings that are sent only to the scheme, host and port of the channel's `url`.
    pub sent_along: &'static [&'static str],
    /// All that messages of this type are made from, except what other types declare.
    pub templates: &'static [Template],
    pub protocol: Protocol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnAddress {
    Never,
    /// For contacts that have no address of their own, if the channel has one.
    Optional,
    /// A channel is expected to have one.
    Expected,
}

/// How messages of a type are sent.
#[derive(Debug)]
pub enum Protocol {
    Mail,
    Sms,
    Webhook,
    Ntfy,
    /// A text, posted as JSON to the address.
    Post(Post),
}

/// What is posted, for services whose incoming webhooks take a text.
#[derive(Debug)]
pub struct Post {
    pub template: Template,
    pub markup: Markup,
    /// Upper bound on the text, in characters. A longer text is shortened.
    pub longest: usize,
    /// The JSON body for a text.
    pub body: fn(&str) -> Value,
}

/// How values are escaped in a text, and how a long text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Markup {
    Plain,
    Slack,
}

/// The built-in templates with one ending, by which an operator replaces them.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    pub ending: &'static str,
    /// File names and contents.
    pub files: &'static [(&'static str, &'static str)],
}

/// The files `KIND.ENDING` in `src/notify/templates`; without kinds those for events, summaries and test messages.
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
    /// The setting that says where: no two destinations of a user share its value.
    #[must_use]
    pub fn address(&self) -> &'static Setting {
        &self.of_destination[0]
    }

    /// Whether a channel's setting is secret. What is not known to be harmless is: the address of a webhook is often
    /// all that one needs to post.
    #[must_use]
    pub fn is_secret(&self, key: &str) -> bool {
        self.of_channel.iter().find(|it| it.key == key).is_none_or(|it| it.secret)
    }

    /// Whether the settings of a destination may be shown to whoever may see that it exists. Those of other types can
    /// hold secrets: an address that is all one needs to post, a token.
    #[must_use]
    pub fn shows_settings(&self) -> bool {
        self.of_destination.iter().all(|it| matches!(it.form, Form::MailAddress | Form::Phone))
    }
}

/// Types are the same if their keys are.
impl PartialEq for ChannelType {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for ChannelType {}

/// `None`: the key is a plug-in's, or unknown.
#[must_use]
pub fn find(key: &str) -> Option<&'static ChannelType> {
    CHANNEL_TYPES.iter().copied().find(|it| it.key == key)
}

/// Types of which contacts may have addresses whether or not there is such a channel.
pub fn address_types() -> impl Iterator<Item = &'static str> {
    CHANNEL_TYPES.iter().copied().map(|it| it.key).chain([ROCKETCHAT])
}

/// The markup of the texts that a template file makes.
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

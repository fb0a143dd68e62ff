//! Channel type `ntfy`: a push message to a topic of an ntfy server.

use super::{ChannelType, OwnAddress, Protocol, Template, template};
use crate::domain::{
    destination::DESTINATION_URL,
    setting::{Form, Setting},
};

pub const TEXT: Template = template!("ntfy.txt");

pub static TYPE: ChannelType = ChannelType {
    key: "ntfy",
    title: "ntfy",
    about: "a push message to a topic, such as `https://ntfy.example.org/alerts`",
    of_destination: &[
        Setting::new(DESTINATION_URL, "Topic", Form::TopicUrl, "The URL of the topic on an ntfy server."),
        Setting::secret(
            "token",
            "Access token",
            Form::Ascii,
            "For topics that not everybody may publish to. Never shown again.",
        ),
    ],
    of_channel: &[
        Setting::secret("url", "Topic", Form::TopicUrl, "Of an ntfy server, for contacts that have none of their own."),
        Setting::secret(
            "token",
            "Access token",
            Form::Line,
            "Sent along, but only to the scheme, host and port of the topic.",
        ),
    ],
    own_address: OwnAddress::Optional,
    sent_along: &["token"],
    templates: &[TEXT],
    protocol: Protocol::Ntfy,
};

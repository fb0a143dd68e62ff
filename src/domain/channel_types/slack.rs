//! Channel type `slack`: an incoming webhook of Slack or of a compatible program, such as Mattermost or Rocket.Chat.

use serde_json::json;

use super::{ChannelType, Markup, OwnAddress, Post, Protocol, Template, template};
use crate::domain::{
    destination::DESTINATION_URL,
    setting::{Form, Setting},
};

pub const TEXT: Template = template!("slack.txt");

pub static TYPE: ChannelType = ChannelType {
    key: "slack",
    title: "Slack",
    about: "an incoming webhook of Slack, Mattermost or Rocket.Chat",
    of_destination: &[Setting::new(
        DESTINATION_URL,
        "Slack Webhook",
        Form::HookUrl,
        "Also of Mattermost and Rocket.Chat.",
    )],
    of_channel: &[Setting::secret(
        "url",
        "Incoming webhook",
        Form::HookUrl,
        "Of Slack, Mattermost or Rocket.Chat, for contacts that have none of their own.",
    )],
    own_address: OwnAddress::Optional,
    sent_along: &[],
    templates: &[TEXT],
    protocol: Protocol::Post(Post {
        template: TEXT,
        markup: Markup::Slack,
        // Slack truncates longer texts.
        longest: 12_000,
        body: |text| json!({"text": text}),
    }),
};

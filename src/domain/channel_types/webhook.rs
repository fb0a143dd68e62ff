//! Channel type `webhook`: the event and the incident as JSON, signed.

use super::{ChannelType, OwnAddress, Protocol};
use crate::domain::{
    destination::DESTINATION_URL,
    setting::{Form, Setting},
};

pub static TYPE: ChannelType = ChannelType {
    key: "webhook",
    title: "Webhook",
    about: "a POST of JSON, see below",
    of_destination: &[
        Setting::new(DESTINATION_URL, "URL", Form::HttpUrl, "Where events are posted to, as JSON."),
        Setting::secret("secret", "Secret", Form::Ascii, "Signs what is posted. Never shown again."),
    ],
    of_channel: &[
        Setting::secret(
            "url",
            "URL",
            Form::HttpUrl,
            "Where events are posted to, as JSON, for contacts that have none of their own.",
        ),
        Setting::secret("secret", "Secret", Form::Line, "Signs what is posted."),
        Setting::secret(
            "headers",
            "Headers",
            Form::Headers,
            "Sent along, but only to the scheme, host and port of the URL.",
        ),
    ],
    own_address: OwnAddress::Expected,
    sent_along: &["headers"],
    templates: &[],
    protocol: Protocol::Webhook,
};

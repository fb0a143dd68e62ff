//! Channels on the wire (contact API contract section 7.3), without their secrets.

use serde_json::{Value, json};

use crate::domain::channel::Channel;

pub(super) fn shown(channel: &Channel) -> Value {
    json!({
        "id": channel.uuid.to_string(),
        "name": channel.name,
        "type": channel.kind,
        "config": channel.shown_config(),
    })
}

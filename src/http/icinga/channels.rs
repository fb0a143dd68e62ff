//! Wire shape of channels (contact API contract section 7.3). It has no secrets.

use serde_json::{Value, json};

use crate::domain::Channel;
use crate::service::Service;

pub(super) fn shown(channel: &Channel, service: &Service) -> Value {
    json!({
        "id": channel.uuid.to_string(),
        "name": channel.name,
        "type": channel.kind,
        "config": service.contacts().shown_config(channel),
    })
}

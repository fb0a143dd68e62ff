//! Stored channels, by UUID.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Kind, Record, kept_in, known_as};
use crate::domain::{Channel, ChannelId};
use crate::store::{
    StoreError,
    codec::{decode_v1, encode, under_its_key},
};

const V1: u8 = 1;

#[derive(Serialize, Deserialize)]
struct ChannelV1 {
    id: u64,
    /// UUID, which is also in the record because the key of a version is the id.
    uuid: [u8; 16],
    name: String,
    kind: String,
    /// Settings as a JSON object.
    config: Option<String>,
    offered: bool,
}

impl Record for Channel {
    known_as!(Channel, "channel");

    fn logged_key(&self) -> String {
        self.uuid.to_string()
    }

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let as_text = |config| serde_json::to_string(config).map_err(|error| StoreError::Io(error.to_string()));
        let record = ChannelV1 {
            id: self.id.0,
            uuid: self.uuid.into_bytes(),
            name: self.name.clone(),
            kind: self.kind.clone(),
            config: self.config.as_ref().map(as_text).transpose()?,
            offered: self.offered,
        };
        encode(V1, &record)
    }

    fn without_secrets(&self) -> Option<Self> {
        Some(Channel::without_secrets(self))
    }

    /// Contains only the names of settings, since any of them may be secret.
    fn audit(&self) -> Value {
        let names = self.config.as_ref().map(|config| config.keys().collect::<Vec<_>>());
        json!({ "name": self.name, "type": self.kind, "settings": names, "offered": self.offered })
    }
}

impl Kind for Channel {
    kept_in!("channel_uuid_to_channel", uuid: Uuid => channels);

    fn decode(uuid: Uuid, value: &[u8]) -> Result<Self, StoreError> {
        let channel = Self::decode_version(0, value)?;
        under_its_key(channel.uuid == uuid, "channel", uuid).map(|()| channel)
    }

    /// Decodes the record alone, which contains id and UUID.
    fn decode_version(_: u64, value: &[u8]) -> Result<Self, StoreError> {
        let record: ChannelV1 = decode_v1("channel", value)?;
        let no_json =
            |error| StoreError::Damaged(format!("the settings of channel {} are no JSON: {error}", record.name));
        Ok(Self {
            id: ChannelId(record.id),
            uuid: Uuid::from_bytes(record.uuid),
            config: record.config.as_deref().map(serde_json::from_str).transpose().map_err(no_json)?,
            name: record.name,
            kind: record.kind,
            offered: record.offered,
        })
    }
}

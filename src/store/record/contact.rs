//! Stored channels, contacts and contact groups.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::configuration::decode_v1;
use crate::{
    domain::{
        channel::Channel,
        contact::{Contact, ContactGroup},
        ids::{ChannelId, ContactGroupId, ContactId},
    },
    store::{StoreError, codec::encode},
};

const V1: u8 = 1;

#[derive(Serialize, Deserialize)]
struct ChannelV1 {
    id: u64,
    /// Again, since versions are not found by it.
    uuid: [u8; 16],
    name: String,
    kind: String,
    /// A JSON object.
    config: Option<String>,
    offered: bool,
}

pub fn encode_channel(channel: &Channel) -> Result<Vec<u8>, StoreError> {
    let as_text = |config| serde_json::to_string(config).map_err(|error| StoreError::Io(error.to_string()));
    let record = ChannelV1 {
        id: channel.id.0,
        uuid: channel.uuid.into_bytes(),
        name: channel.name.clone(),
        kind: channel.kind.clone(),
        config: channel.config.as_ref().map(as_text).transpose()?,
        offered: channel.offered,
    };
    encode(V1, &record)
}

pub fn decode_channel_version(value: &[u8]) -> Result<Channel, StoreError> {
    let record: ChannelV1 = decode_v1("channel", value)?;
    let no_json = |error| StoreError::Damaged(format!("the settings of channel {} are no JSON: {error}", record.name));
    Ok(Channel {
        id: ChannelId(record.id),
        uuid: Uuid::from_bytes(record.uuid),
        config: record.config.as_deref().map(serde_json::from_str).transpose().map_err(no_json)?,
        name: record.name,
        kind: record.kind,
        offered: record.offered,
    })
}

pub fn decode_channel(uuid: Uuid, value: &[u8]) -> Result<Channel, StoreError> {
    let channel = decode_channel_version(value)?;
    under_its_key(channel.uuid == uuid, "channel", uuid).map(|()| channel)
}

#[derive(Serialize, Deserialize)]
struct ContactV1 {
    id: u64,
    uuid: [u8; 16],
    full_name: String,
    username: Option<String>,
    default_channel: [u8; 16],
    groups: Vec<[u8; 16]>,
    addresses: BTreeMap<String, String>,
    origin: Option<String>,
}

pub fn encode_contact(contact: &Contact) -> Result<Vec<u8>, StoreError> {
    let record = ContactV1 {
        id: contact.id.0,
        uuid: contact.uuid.into_bytes(),
        full_name: contact.full_name.clone(),
        username: contact.username.clone(),
        default_channel: contact.default_channel.into_bytes(),
        groups: contact.groups.iter().map(|group| group.into_bytes()).collect(),
        addresses: contact.addresses.clone(),
        origin: contact.origin.clone(),
    };
    encode(V1, &record)
}

pub fn decode_contact_version(value: &[u8]) -> Result<Contact, StoreError> {
    let record: ContactV1 = decode_v1("contact", value)?;
    Ok(Contact {
        id: ContactId(record.id),
        uuid: Uuid::from_bytes(record.uuid),
        full_name: record.full_name,
        username: record.username,
        default_channel: Uuid::from_bytes(record.default_channel),
        groups: record.groups.into_iter().map(Uuid::from_bytes).collect(),
        addresses: record.addresses,
        origin: record.origin,
    })
}

pub fn decode_contact(uuid: Uuid, value: &[u8]) -> Result<Contact, StoreError> {
    let contact = decode_contact_version(value)?;
    under_its_key(contact.uuid == uuid, "contact", uuid).map(|()| contact)
}

#[derive(Serialize, Deserialize)]
struct GroupV1 {
    id: u64,
    uuid: [u8; 16],
    name: String,
    origin: Option<String>,
}

pub fn encode_group(group: &ContactGroup) -> Result<Vec<u8>, StoreError> {
    let record = GroupV1 {
        id: group.id.0,
        uuid: group.uuid.into_bytes(),
        name: group.name.clone(),
        origin: group.origin.clone(),
    };
    encode(V1, &record)
}

pub fn decode_group(uuid: Uuid, value: &[u8]) -> Result<ContactGroup, StoreError> {
    let record: GroupV1 = decode_v1("contact group", value)?;
    under_its_key(record.uuid == uuid.into_bytes(), "contact group", uuid)?;
    Ok(ContactGroup { id: ContactGroupId(record.id), uuid, name: record.name, origin: record.origin })
}

fn under_its_key(is: bool, what: &str, uuid: Uuid) -> Result<(), StoreError> {
    if is { Ok(()) } else { Err(StoreError::Damaged(format!("{what} {uuid} is stored under another's key"))) }
}

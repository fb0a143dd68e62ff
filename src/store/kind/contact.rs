//! Stored contacts and contact groups, by UUID.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Record, known_as};
use crate::{
    domain::{
        contact::{Contact, ContactGroup},
        ids::{ContactGroupId, ContactId},
    },
    store::{
        StoreError,
        codec::{decode_v1, encode, under_its_key},
    },
};

const V1: u8 = 1;

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

impl Record for Contact {
    known_as!(Contact, "contact");

    fn logged_key(&self) -> String {
        self.uuid.to_string()
    }

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let record = ContactV1 {
            id: self.id.0,
            uuid: self.uuid.into_bytes(),
            full_name: self.full_name.clone(),
            username: self.username.clone(),
            default_channel: self.default_channel.into_bytes(),
            groups: self.groups.iter().map(|group| group.into_bytes()).collect(),
            addresses: self.addresses.clone(),
            origin: self.origin.clone(),
        };
        encode(V1, &record)
    }

    fn audit(&self) -> Value {
        json!({
            "full_name": self.full_name,
            "username": self.username,
            "default_channel": self.default_channel.to_string(),
            "groups": self.groups.iter().map(Uuid::to_string).collect::<Vec<_>>(),
            "addresses": self.addresses,
            "origin": self.origin,
        })
    }
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

impl Record for ContactGroup {
    known_as!(ContactGroup, "contact group");

    fn logged_key(&self) -> String {
        self.uuid.to_string()
    }

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let record = GroupV1 {
            id: self.id.0,
            uuid: self.uuid.into_bytes(),
            name: self.name.clone(),
            origin: self.origin.clone(),
        };
        encode(V1, &record)
    }

    /// Does not contain the members, which are part of each contact.
    fn audit(&self) -> Value {
        json!({ "name": self.name, "origin": self.origin })
    }
}

pub fn decode_group(uuid: Uuid, value: &[u8]) -> Result<ContactGroup, StoreError> {
    let record: GroupV1 = decode_v1("contact group", value)?;
    under_its_key(record.uuid == uuid.into_bytes(), "contact group", uuid)?;
    Ok(ContactGroup { id: ContactGroupId(record.id), uuid, name: record.name, origin: record.origin })
}

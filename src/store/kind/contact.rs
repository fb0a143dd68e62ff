//! Stored contacts and contact groups, by UUID.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{
    Record, known_as,
    stored::{audited, stored},
};
use crate::domain::{Contact, ContactGroup, ContactGroupId, ContactId};
use crate::store::{
    StoreError,
    codec::{decode_v1, under_its_key},
};

stored! {
    ContactV1 of Contact {
        id: ContactId,
        uuid: Uuid,
        full_name: String,
        username: Option<String>,
        default_channel: Uuid,
        groups: BTreeSet<Uuid>,
        addresses: BTreeMap<String, String>,
        origin: Option<String>,
    }
}

impl Record for Contact {
    known_as!(Contact, "contact" as ContactV1);
    audited!(full_name, username, default_channel, groups, addresses, origin);

    fn logged_key(&self) -> String {
        self.uuid.to_string()
    }
}

pub fn decode_contact_version(value: &[u8]) -> Result<Contact, StoreError> {
    decode_v1::<ContactV1>(Contact::NAME, value)?.restore()
}

pub fn decode_contact(uuid: Uuid, value: &[u8]) -> Result<Contact, StoreError> {
    let contact = decode_contact_version(value)?;
    under_its_key(contact.uuid == uuid, Contact::NAME, uuid).map(|()| contact)
}

stored! {
    GroupV1 of ContactGroup {
        id: ContactGroupId,
        uuid: Uuid,
        name: String,
        origin: Option<String>,
    }
}

/// The audit text of each contact names its groups.
impl Record for ContactGroup {
    known_as!(ContactGroup, "contact group" as GroupV1);
    audited!(name, origin);

    fn logged_key(&self) -> String {
        self.uuid.to_string()
    }
}

pub fn decode_group(uuid: Uuid, value: &[u8]) -> Result<ContactGroup, StoreError> {
    let group = decode_v1::<GroupV1>(ContactGroup::NAME, value)?.restore()?;
    under_its_key(group.uuid == uuid, ContactGroup::NAME, uuid).map(|()| group)
}

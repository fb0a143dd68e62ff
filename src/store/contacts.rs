//! Contacts and contact groups in the data file, with their indexes. They are read from the file and are not in the
//! directory in memory, because there can be a hundred thousand of them.

use std::collections::BTreeSet;

use redb::ReadableTable;
use uuid::Uuid;

use super::{
    Snapshot, StoreError,
    codec::{key_uuid_pair, pairs_of, uuid_pair_key, version_key},
    configure::change,
    index::Applier,
    kind::{Record, decode_contact, decode_contact_version, decode_group},
    schema::{
        CONTACT_UUID_TO_CONTACT, GROUP_CONTACT, GROUP_UUID_TO_GROUP, NAME_TO_GROUP_UUID, USERNAME_TO_CONTACT_UUID,
        UuidKey, UuidPairKey, VERSION,
    },
    tables::Reads,
};
use crate::domain::{ConfigurationChange, Contact, ContactGroup, ContactId, Seq, directory::Subject, filter::fold};

impl Snapshot {
    pub fn contact(&self, uuid: Uuid) -> Result<Option<Contact>, StoreError> {
        contact(&self.txn.open_table(CONTACT_UUID_TO_CONTACT)?, uuid)
    }

    /// Returns the contact with this username, regardless of case.
    pub fn contact_named(&self, username: &str) -> Result<Option<Uuid>, StoreError> {
        named(&self.txn.open_table(USERNAME_TO_CONTACT_UUID)?, username)
    }

    pub fn contact_group(&self, uuid: Uuid) -> Result<Option<ContactGroup>, StoreError> {
        contact_group(&self.txn.open_table(GROUP_UUID_TO_GROUP)?, uuid)
    }

    /// Returns the contact group with this name, regardless of case.
    pub fn contact_group_named(&self, name: &str) -> Result<Option<Uuid>, StoreError> {
        named(&self.txn.open_table(NAME_TO_GROUP_UUID)?, name)
    }

    /// Returns the members of a contact group, sorted by UUID.
    pub fn members_of(&self, group: Uuid) -> Result<Vec<Uuid>, StoreError> {
        members_of(&self.txn.open_table(GROUP_CONTACT)?, group)
    }

    /// Returns contacts whose UUID is greater than `after`, sorted by UUID.
    pub fn contacts(&self, after: Option<Uuid>, limit: usize) -> Result<Vec<Contact>, StoreError> {
        let table = self.txn.open_table(CONTACT_UUID_TO_CONTACT)?;
        behind(&table, after, limit, decode_contact)
    }

    /// Returns contact groups whose UUID is greater than `after`, sorted by UUID.
    pub fn contact_groups(&self, after: Option<Uuid>, limit: usize) -> Result<Vec<ContactGroup>, StoreError> {
        let table = self.txn.open_table(GROUP_UUID_TO_GROUP)?;
        behind(&table, after, limit, decode_group)
    }

    /// Returns a contact with its groups, as they were after change `seq`.
    pub fn contact_at(&self, id: ContactId, seq: Seq) -> Result<Option<Contact>, StoreError> {
        let versions = self.txn.open_table(VERSION)?;
        let until = version_key(Subject::Contact, id.0, 0)..=version_key(Subject::Contact, id.0, seq.0);
        match versions.range(until)?.next_back().transpose()? {
            Some((_, record)) if !record.value().is_empty() => decode_contact_version(record.value()).map(Some),
            _ => Ok(None),
        }
    }

    /// Returns the contact that had this UUID after change `seq`. If it was deleted since, all versions of contacts are
    /// read.
    pub fn contact_with_uuid_at(&self, uuid: Uuid, seq: Seq) -> Result<Option<Contact>, StoreError> {
        if let Some(contact) = self.contact(uuid)?
            && let Some(then) = self.contact_at(contact.id, seq)?
        {
            return Ok(Some(then));
        }
        let versions = self.txn.open_table(VERSION)?;
        let all = version_key(Subject::Contact, 0, 0)..=version_key(Subject::Contact, u64::MAX, u64::MAX);
        let mut others = BTreeSet::new();
        for row in versions.range(all)? {
            let (_, record) = row?;
            if !record.value().is_empty() {
                let contact = decode_contact_version(record.value())?;
                others.extend((contact.uuid == uuid).then_some(contact.id));
            }
        }
        for id in others {
            if let Some(then) = self.contact_at(id, seq)? {
                return Ok(Some(then));
            }
        }
        Ok(None)
    }
}

impl Applier<'_, '_> {
    pub(super) fn put_contact(&mut self, contact: &Contact) -> Result<ConfigurationChange, StoreError> {
        let uuid = contact.uuid;
        let before = self.tables.contact(uuid)?;
        self.tables.contacts.insert(uuid.into_bytes(), contact.encode()?.as_slice())?;
        self.keep_version(contact)?;
        self.index_contact(before.as_ref(), Some(contact))?;
        Ok(change(before.as_ref(), Some(contact)))
    }

    pub(super) fn delete_contact(&mut self, uuid: Uuid) -> Result<Option<ConfigurationChange>, StoreError> {
        let Some(before) = self.tables.contact(uuid)? else { return Ok(None) };
        self.tables.contacts.remove(uuid.into_bytes())?;
        self.keep_deletion(&before)?;
        self.index_contact(Some(&before), None)?;
        Ok(Some(change(Some(&before), None)))
    }

    pub(super) fn put_contact_group(&mut self, group: &ContactGroup) -> Result<ConfigurationChange, StoreError> {
        let uuid = group.uuid;
        let before = self.tables.contact_group(uuid)?;
        self.tables.groups.insert(uuid.into_bytes(), group.encode()?.as_slice())?;
        self.keep_version(group)?;
        if let Some(before) = before.as_ref().filter(|before| before.name != group.name) {
            self.tables.group_names.remove(fold(&before.name).as_str())?;
        }
        let holder = self.tables.group_names.insert(fold(&group.name).as_str(), uuid.into_bytes())?;
        unique(holder.is_none_or(|holder| holder.value() == uuid.into_bytes()), "the name of a contact group")?;
        Ok(change(before.as_ref(), Some(group)))
    }

    pub(super) fn delete_contact_group(&mut self, uuid: Uuid) -> Result<Option<ConfigurationChange>, StoreError> {
        let Some(before) = self.tables.contact_group(uuid)? else { return Ok(None) };
        self.tables.groups.remove(uuid.into_bytes())?;
        self.tables.group_names.remove(fold(&before.name).as_str())?;
        self.keep_deletion(&before)?;
        Ok(Some(change(Some(&before), None)))
    }

    fn index_contact(&mut self, before: Option<&Contact>, after: Option<&Contact>) -> Result<(), StoreError> {
        if let Some(before) = before {
            let stays = |group: &Uuid| after.is_some_and(|after| after.groups.contains(group));
            for group in before.groups.iter().filter(|group| !stays(group)) {
                self.tables.group_contacts.remove(uuid_pair_key(*group, before.uuid))?;
            }
            if after.is_none_or(|after| after.default_channel != before.default_channel) {
                self.tables.channel_contacts.remove(uuid_pair_key(before.default_channel, before.uuid))?;
            }
            if let Some(name) =
                before.username.as_ref().filter(|_| after.is_none_or(|it| it.username != before.username))
            {
                self.tables.contact_usernames.remove(fold(name).as_str())?;
            }
        }
        if let Some(after) = after {
            let was_there = |group: &Uuid| before.is_some_and(|before| before.groups.contains(group));
            for group in after.groups.iter().filter(|group| !was_there(group)) {
                self.tables.group_contacts.insert(uuid_pair_key(*group, after.uuid), ())?;
            }
            if before.is_none_or(|before| before.default_channel != after.default_channel) {
                self.tables.channel_contacts.insert(uuid_pair_key(after.default_channel, after.uuid), ())?;
            }
            if let Some(name) =
                after.username.as_ref().filter(|_| before.is_none_or(|it| it.username != after.username))
            {
                let holder = self.tables.contact_usernames.insert(fold(name).as_str(), after.uuid.into_bytes())?;
                unique(holder.is_none(), "the username of a contact")?;
            }
        }
        Ok(())
    }
}

pub fn contact(table: &impl ReadableTable<UuidKey, &'static [u8]>, uuid: Uuid) -> Result<Option<Contact>, StoreError> {
    table.get(uuid.into_bytes())?.map(|value| decode_contact(uuid, value.value())).transpose()
}

pub fn contact_group(
    table: &impl ReadableTable<UuidKey, &'static [u8]>,
    uuid: Uuid,
) -> Result<Option<ContactGroup>, StoreError> {
    table.get(uuid.into_bytes())?.map(|value| decode_group(uuid, value.value())).transpose()
}

/// Returns the UUID that is indexed under this name, regardless of case.
pub fn named(table: &impl ReadableTable<&'static str, UuidKey>, name: &str) -> Result<Option<Uuid>, StoreError> {
    Ok(table.get(fold(name).as_str())?.map(|uuid| Uuid::from_bytes(uuid.value())))
}

/// Returns the members of a contact group, sorted by UUID.
pub fn members_of(table: &impl ReadableTable<UuidPairKey, ()>, group: Uuid) -> Result<Vec<Uuid>, StoreError> {
    table.range(pairs_of(group))?.map(|row| Ok(key_uuid_pair(row?.0.value()).1)).collect()
}

fn behind<T>(
    table: &impl ReadableTable<UuidKey, &'static [u8]>,
    after: Option<Uuid>,
    limit: usize,
    decode: impl Fn(Uuid, &[u8]) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    use std::ops::Bound;
    let from = after.map_or(Bound::Unbounded, |uuid| Bound::Excluded(uuid.into_bytes()));
    let mut rows = Vec::new();
    for row in table.range::<UuidKey>((from, Bound::Unbounded))?.take(limit) {
        let (key, value) = row?;
        rows.push(decode(Uuid::from_bytes(key.value()), value.value())?);
    }
    Ok(rows)
}

fn unique(is: bool, what: &str) -> Result<(), StoreError> {
    if is { Ok(()) } else { Err(StoreError::Damaged(format!("a command gave {what} to a second one"))) }
}

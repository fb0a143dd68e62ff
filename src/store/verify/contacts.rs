//! Checks of channels, contacts and contact groups against their indexes.

use uuid::Uuid;

use super::Findings;
use crate::domain::{Contact, Directory, directory::Subject, filter::fold};
use crate::store::{
    Snapshot, StoreError,
    codec::{key_uuid_pair, uuid_pair_key, version_key},
    contacts::{contact, contact_group, named},
    kind::{decode_contact, decode_group},
    schema::{
        CHANNEL_CONTACT, CONTACT_UUID_TO_CONTACT, GROUP_CONTACT, GROUP_UUID_TO_GROUP, NAME_TO_GROUP_UUID,
        USERNAME_TO_CONTACT_UUID, UuidKey, UuidPairKey, VERSION,
    },
};

pub(super) fn verify(snapshot: &Snapshot, directory: &Directory, findings: &mut Findings) -> Result<(), StoreError> {
    let last = snapshot.counters()?.last_channel;
    for channel in directory.channels.values() {
        findings.check(channel.id.0 <= last, || format!("channel {} has an id not given out yet", channel.uuid));
    }
    contacts(snapshot, directory, findings)?;
    groups(snapshot, findings)?;
    usernames(snapshot, findings)?;
    names(snapshot, findings)?;
    pairs(snapshot, findings)
}

fn contacts(snapshot: &Snapshot, directory: &Directory, findings: &mut Findings) -> Result<(), StoreError> {
    let groups = snapshot.txn.open_table(GROUP_UUID_TO_GROUP)?;
    let members = snapshot.txn.open_table(GROUP_CONTACT)?;
    let defaults = snapshot.txn.open_table(CHANNEL_CONTACT)?;
    let usernames = snapshot.txn.open_table(USERNAME_TO_CONTACT_UUID)?;
    let last = snapshot.counters()?.last_contact;
    for row in snapshot.txn.open_table(CONTACT_UUID_TO_CONTACT)?.range::<UuidKey>(..)? {
        let (key, value) = row?;
        let uuid = Uuid::from_bytes(key.value());
        let contact = match decode_contact(uuid, value.value()) {
            Ok(contact) => contact,
            Err(error) => {
                findings.add(format!("contact {uuid}: {error}"));
                continue;
            }
        };
        findings.check(contact.id.0 <= last, || format!("contact {uuid} has an id not given out yet"));
        let version = last_version(snapshot, Subject::Contact, contact.id.0)?;
        findings.check(version.as_deref() == Some(value.value()), || {
            format!("the last version of contact {uuid} differs from the record")
        });
        findings.check(directory.channels.contains_key(&contact.default_channel), || {
            format!("contact {uuid} has the unknown default channel {}", contact.default_channel)
        });
        findings.check(defaults.get(uuid_pair_key(contact.default_channel, uuid))?.is_some(), || {
            format!("contact {uuid} is missing in the index by default channel")
        });
        for group in &contact.groups {
            findings.check(groups.get(group.into_bytes())?.is_some(), || {
                format!("contact {uuid} is in the unknown group {group}")
            });
            findings.check(members.get(uuid_pair_key(*group, uuid))?.is_some(), || {
                format!("contact {uuid} is missing among the members of group {group}")
            });
        }
        if let Some(username) = &contact.username {
            let found = named(&usernames, username)?;
            findings
                .check(found == Some(uuid), || format!("contact {uuid} is not found by its username, but {found:?}"));
        }
    }
    Ok(())
}

fn groups(snapshot: &Snapshot, findings: &mut Findings) -> Result<(), StoreError> {
    let names = snapshot.txn.open_table(NAME_TO_GROUP_UUID)?;
    let last = snapshot.counters()?.last_contact_group;
    for row in snapshot.txn.open_table(GROUP_UUID_TO_GROUP)?.range::<UuidKey>(..)? {
        let (key, value) = row?;
        let uuid = Uuid::from_bytes(key.value());
        match decode_group(uuid, value.value()) {
            Ok(group) => {
                let found = named(&names, &group.name)?;
                let version = last_version(snapshot, Subject::ContactGroup, group.id.0)?;
                findings.check(version.as_deref() == Some(value.value()), || {
                    format!("the last version of contact group {uuid} differs from the record")
                });
                findings.check(group.id.0 <= last, || format!("contact group {uuid} has an id not given out yet"));
                findings.check(found == Some(uuid), || {
                    format!("contact group {uuid} is not found by its name, but {found:?}")
                });
            }
            Err(error) => findings.add(format!("contact group {uuid}: {error}")),
        }
    }
    Ok(())
}

fn last_version(snapshot: &Snapshot, subject: Subject, id: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let versions = version_key(subject, id, 0)..=version_key(subject, id, u64::MAX);
    let last = snapshot.txn.open_table(VERSION)?.range(versions)?.next_back().transpose()?;
    Ok(last.map(|(_, record)| record.value().to_vec()))
}

fn usernames(snapshot: &Snapshot, findings: &mut Findings) -> Result<(), StoreError> {
    let contacts = snapshot.txn.open_table(CONTACT_UUID_TO_CONTACT)?;
    for row in snapshot.txn.open_table(USERNAME_TO_CONTACT_UUID)?.range::<&str>(..)? {
        let (key, value) = row?;
        let uuid = Uuid::from_bytes(value.value());
        let name = contact(&contacts, uuid).ok().flatten().and_then(|contact| contact.username);
        findings.check(name.is_some_and(|name| fold(&name) == key.value()), || {
            format!("the index by username has a row without a contact: {uuid}")
        });
    }
    Ok(())
}

fn names(snapshot: &Snapshot, findings: &mut Findings) -> Result<(), StoreError> {
    let groups = snapshot.txn.open_table(GROUP_UUID_TO_GROUP)?;
    for row in snapshot.txn.open_table(NAME_TO_GROUP_UUID)?.range::<&str>(..)? {
        let (key, value) = row?;
        let uuid = Uuid::from_bytes(value.value());
        let name = contact_group(&groups, uuid).ok().flatten().map(|group| group.name);
        findings.check(name.is_some_and(|name| fold(&name) == key.value()), || {
            format!("the index by name has a row without a contact group: {uuid}")
        });
    }
    Ok(())
}

fn pairs(snapshot: &Snapshot, findings: &mut Findings) -> Result<(), StoreError> {
    let contacts = snapshot.txn.open_table(CONTACT_UUID_TO_CONTACT)?;
    let of = |uuid| contact(&contacts, uuid).ok().flatten();
    let is_member = |contact: &Contact, group| contact.groups.contains(&group);
    for row in snapshot.txn.open_table(GROUP_CONTACT)?.range::<UuidPairKey>(..)? {
        let (group, uuid) = key_uuid_pair(row?.0.value());
        findings.check(of(uuid).is_some_and(|contact| is_member(&contact, group)), || {
            format!("group {group} has a member that does not know of it: {uuid}")
        });
    }
    for row in snapshot.txn.open_table(CHANNEL_CONTACT)?.range::<UuidPairKey>(..)? {
        let (channel, uuid) = key_uuid_pair(row?.0.value());
        findings.check(of(uuid).is_some_and(|contact| contact.default_channel == channel), || {
            format!("the index by default channel has a row without a contact: {uuid}")
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use redb::WriteTransaction;

    use super::*;
    use crate::{
        clock::ManualClock,
        domain::{channel::Channel, contact::ContactGroup, time::Timestamp},
        store::{Options, Store, kind::Record, verify::verify_file},
    };

    const CHANNEL: Uuid = Uuid::from_u128(1);
    const GROUP: Uuid = Uuid::from_u128(2);
    const CONTACT: Uuid = Uuid::from_u128(3);

    fn findings_after(damage: impl FnOnce(&WriteTransaction)) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("argusd.redb");
        let clock = Arc::new(ManualClock::new(Timestamp::saturating_from_micros(0)));
        let store = Store::open(&path, Options::default(), clock).unwrap();
        store
            .write_blocking(None, |command| {
                let id = command.new_channel_id();
                let (name, kind) = ("Hook".to_owned(), "webhook".to_owned());
                command.put_channel(Channel { id, uuid: CHANNEL, name, kind, config: None, offered: false });
                let id = command.new_contact_group_id();
                command.put_contact_group(ContactGroup { id, uuid: GROUP, name: "Group".to_owned(), origin: None });
                let id = command.new_contact_id();
                command.put_contact(ann(id));
                Ok::<(), StoreError>(())
            })
            .unwrap();
        store.close().unwrap();
        assert_eq!(verify_file(&path).unwrap(), Vec::<String>::new());
        let database = redb::Database::create(&path).unwrap();
        let txn = database.begin_write().unwrap();
        damage(&txn);
        txn.commit().unwrap();
        drop(database);
        verify_file(&path).unwrap()
    }

    fn ann(id: crate::domain::ids::ContactId) -> Contact {
        Contact {
            id,
            uuid: CONTACT,
            full_name: "Ann".to_owned(),
            username: Some("Ann".to_owned()),
            default_channel: CHANNEL,
            groups: BTreeSet::from([GROUP]),
            addresses: std::collections::BTreeMap::new(),
            origin: None,
        }
    }

    #[test]
    fn finds_a_missing_row_in_each_index() {
        let findings = findings_after(|txn| {
            txn.open_table(USERNAME_TO_CONTACT_UUID).unwrap().remove("ann").unwrap();
            txn.open_table(NAME_TO_GROUP_UUID).unwrap().remove("group").unwrap();
            txn.open_table(GROUP_CONTACT).unwrap().remove(uuid_pair_key(GROUP, CONTACT)).unwrap();
            txn.open_table(CHANNEL_CONTACT).unwrap().remove(uuid_pair_key(CHANNEL, CONTACT)).unwrap();
        });
        assert_eq!(
            findings,
            [
                format!("contact {CONTACT} is missing in the index by default channel"),
                format!("contact {CONTACT} is missing among the members of group {GROUP}"),
                format!("contact {CONTACT} is not found by its username, but None"),
                format!("contact group {GROUP} is not found by its name, but None"),
            ]
        );
    }

    #[test]
    fn finds_index_rows_without_a_record() {
        let findings = findings_after(|txn| {
            txn.open_table(CONTACT_UUID_TO_CONTACT).unwrap().remove(CONTACT.into_bytes()).unwrap();
            txn.open_table(GROUP_UUID_TO_GROUP).unwrap().remove(GROUP.into_bytes()).unwrap();
        });
        assert_eq!(
            findings,
            [
                format!("the index by username has a row without a contact: {CONTACT}"),
                format!("the index by name has a row without a contact group: {GROUP}"),
                format!("group {GROUP} has a member that does not know of it: {CONTACT}"),
                format!("the index by default channel has a row without a contact: {CONTACT}"),
            ]
        );
    }

    #[test]
    fn finds_references_to_nothing() {
        let findings = findings_after(|txn| {
            let contact = Contact { default_channel: Uuid::nil(), ..ann(crate::domain::ids::ContactId(9)) };
            let mut contacts = txn.open_table(CONTACT_UUID_TO_CONTACT).unwrap();
            contacts.insert(CONTACT.into_bytes(), contact.encode().unwrap().as_slice()).unwrap();
        });
        assert_eq!(findings.len(), 5, "{findings:?}");
        assert_eq!(findings[0], format!("contact {CONTACT} has an id not given out yet"));
        assert_eq!(findings[1], format!("the last version of contact {CONTACT} differs from the record"));
        assert_eq!(findings[2], format!("contact {CONTACT} has the unknown default channel {}", Uuid::nil()));
    }
}

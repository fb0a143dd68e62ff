//! Creates, replaces and deletes contact groups, each in one command.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::domain::GroupDraft;
use crate::service::{
    Action, Caller, ContactRefusal, Contacts, GroupWithUsers, WriteMode, WriteResult,
    contacts::contact::removal::{self, Memberships},
};
use crate::store::{Command, StoreError};

impl Contacts {
    pub async fn contact_group(&self, uuid: Uuid) -> Result<Option<GroupWithUsers>, StoreError> {
        let read = move |snapshot: &crate::store::Snapshot| {
            let Some(group) = snapshot.contact_group(uuid)? else { return Ok(None) };
            Ok(Some(GroupWithUsers { group, users: snapshot.members_of(uuid)? }))
        };
        self.store().read_few(read).await
    }

    /// Stores a contact group. Checks are in the order of contact API contract section 4.
    pub async fn store_contact_group(
        &self,
        caller: &Caller,
        way: WriteMode,
        draft: GroupDraft,
    ) -> Result<WriteResult, ContactRefusal> {
        caller.require(Action::ManageContacts)?;
        self.write(Some(caller.id()), move |command| store(command, way, &draft)).await
    }

    /// Adds a contact to a group or removes it, without any other change.
    pub async fn set_membership(
        &self,
        caller: &Caller,
        contact: Uuid,
        group: Uuid,
        is_member: bool,
    ) -> Result<(), ContactRefusal> {
        caller.require(Action::ManageContacts)?;
        self.write(Some(caller.id()), move |command| {
            if command.contact_group(group)?.is_none() {
                return Err(ContactRefusal::UnknownGroup(group));
            }
            let mut memberships = Memberships::default();
            if is_member {
                memberships.join(command, contact, group)?;
            } else {
                memberships.leave(command, contact, group)?;
            }
            memberships.stage(command);
            Ok(())
        })
        .await
    }

    pub async fn delete_contact_group(&self, caller: &Caller, uuid: Uuid) -> Result<(), ContactRefusal> {
        caller.require(Action::ManageContacts)?;
        self.write(Some(caller.id()), move |command| {
            let group = command.contact_group(uuid)?.ok_or(ContactRefusal::NotFound)?;
            let mut memberships = Memberships::default();
            removal::group(command, &group, &mut memberships)?;
            memberships.stage(command);
            Ok(())
        })
        .await
    }
}

fn store(command: &mut Command<'_>, way: WriteMode, draft: &GroupDraft) -> Result<WriteResult, ContactRefusal> {
    let replaced = match way {
        WriteMode::Replace(other) => Some(command.contact_group(other)?.ok_or(ContactRefusal::NotFound)?),
        WriteMode::Create | WriteMode::Put => None,
    };
    let before = command.contact_group(draft.uuid)?;
    if way != WriteMode::Put && before.is_some() {
        return Err(ContactRefusal::Exists);
    }
    let holder = command.contact_group_named(&draft.name)?;
    let own = [Some(draft.uuid), replaced.as_ref().map(|group| group.uuid)];
    if holder.is_some() && !own.contains(&holder) {
        return Err(ContactRefusal::NameTaken(draft.name.clone()));
    }
    let mut memberships = Memberships::default();
    if let Some(users) = &draft.users {
        let before: BTreeSet<Uuid> = command.members_of(draft.uuid)?.into_iter().collect();
        for user in users.iter().filter(|user| !before.contains(*user)) {
            memberships.join(command, *user, draft.uuid)?;
        }
        let after: BTreeSet<Uuid> = users.iter().copied().collect();
        for user in before.difference(&after) {
            memberships.leave(command, *user, draft.uuid)?;
        }
    }
    if let Some(replaced) = &replaced {
        removal::group(command, replaced, &mut memberships)?;
    }
    let after = match &before {
        Some(before) => draft.to_group(before.id, Some(before)),
        None => draft.to_group(command.new_contact_group_id(), None),
    };
    if before.as_ref() != Some(&after) {
        command.put_contact_group(after);
    }
    memberships.stage(command);
    Ok(if before.is_some() { WriteResult::Updated } else { WriteResult::Created })
}

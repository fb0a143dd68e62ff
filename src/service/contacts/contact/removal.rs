//! Deletes contacts, groups and channels together with the references to them. No other module does so (contact API
//! contract section 7.5).

use std::{collections::BTreeMap, sync::Arc};

use uuid::Uuid;

use super::ContactRefusal;
use crate::domain::{Contact, ContactGroup, Rule, limits::GROUPS_PER_CONTACT, rule::Gone};
use crate::store::{Command, StoreError};

/// Deletes a contact with its memberships, and removes it from rules. Also used when it is replaced by another one.
pub fn contact(command: &mut Command<'_>, contact: &Contact) {
    leave_rules(command, Gone::Contact(contact.uuid));
    command.delete_contact(contact.uuid);
}

/// Deletes a group, and removes it from its members and from rules. Also used when it is replaced by another one.
pub fn group(
    command: &mut Command<'_>,
    group: &ContactGroup,
    memberships: &mut Memberships,
) -> Result<(), ContactRefusal> {
    for member in command.members_of(group.uuid)? {
        memberships.leave(command, member, group.uuid)?;
    }
    leave_rules(command, Gone::Group(group.uuid));
    command.delete_contact_group(group.uuid);
    Ok(())
}

/// Deletes a channel, and removes it from rules. It must not be the default channel of a contact.
pub fn channel(command: &mut Command<'_>, uuid: Uuid) {
    leave_rules(command, Gone::Channel(uuid));
    command.delete_channel(uuid);
}

/// Removes `gone` from all rules. At most once in a command, which does not see what it staged. A rule without
/// recipients is kept, with the time since when.
fn leave_rules(command: &mut Command<'_>, gone: Gone) {
    let now = command.now();
    let left = |rule: &Arc<Rule>| rule.without(gone, now);
    let changed: Vec<Rule> = command.directory().rules.values().filter_map(left).collect();
    for rule in changed {
        command.put_rule(rule);
    }
}

/// Contacts whose groups change in one command. A command does not see what it staged, so all changes of a contact are
/// combined before they are staged.
#[derive(Default)]
pub struct Memberships(BTreeMap<Uuid, Contact>);

impl Memberships {
    pub fn join(&mut self, command: &Command<'_>, contact: Uuid, group: Uuid) -> Result<(), ContactRefusal> {
        let contact = self.contact(command, contact)?.ok_or(ContactRefusal::UnknownContact(contact))?;
        contact.groups.insert(group);
        if contact.groups.len() > GROUPS_PER_CONTACT {
            return Err(ContactRefusal::TooManyGroups(contact.uuid));
        }
        Ok(())
    }

    pub fn leave(&mut self, command: &Command<'_>, contact: Uuid, group: Uuid) -> Result<(), StoreError> {
        if let Some(contact) = self.contact(command, contact)? {
            contact.groups.remove(&group);
        }
        Ok(())
    }

    pub fn stage(self, command: &mut Command<'_>) {
        for contact in self.0.into_values() {
            command.put_contact(contact);
        }
    }

    fn contact(&mut self, command: &Command<'_>, uuid: Uuid) -> Result<Option<&mut Contact>, StoreError> {
        if !self.0.contains_key(&uuid)
            && let Some(contact) = command.contact(uuid)?
        {
            self.0.insert(uuid, contact);
        }
        Ok(self.0.get_mut(&uuid))
    }
}

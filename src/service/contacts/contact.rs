//! Creates, replaces and deletes contacts, each in one command.

pub mod removal;

use uuid::Uuid;

use crate::domain::{Contact, ContactDraft, Directory};
use crate::service::{Action, Caller, Contacts};
use crate::store::{Command, StoreError};

/// How an object is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// Creates the object. Refused if one with this UUID exists.
    Create,
    /// Creates the object in place of another one, which must exist. Refused if one with this UUID exists.
    Replace(Uuid),
    /// Creates the object, or changes the one with this UUID.
    Put,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteResult {
    Created,
    Updated,
}

/// Reason for which a contact or a group is not stored or deleted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ContactRefusal {
    #[error("this user may not do that")]
    Forbidden,
    #[error("there is none with this UUID")]
    NotFound,
    #[error("there is one with this UUID already")]
    Exists,
    #[error("there is no channel {0}")]
    UnknownChannel(Uuid),
    /// Holds the channel type of the missing address.
    #[error("an address for {0} is missing")]
    AddressRequired(String),
    #[error("username {0} is taken")]
    UsernameTaken(String),
    #[error("name {0} is taken")]
    NameTaken(String),
    #[error("there is no contact group {0}")]
    UnknownGroup(Uuid),
    #[error("there is no contact {0}")]
    UnknownContact(Uuid),
    #[error("contact {0} is in too many groups")]
    TooManyGroups(Uuid),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Contacts {
    pub async fn contact(&self, uuid: Uuid) -> Result<Option<Contact>, StoreError> {
        self.store().read_few(move |snapshot| snapshot.contact(uuid)).await
    }

    /// Stores a contact. Checks are in the order of contact API contract section 4.
    pub async fn store_contact(
        &self,
        caller: &Caller,
        way: WriteMode,
        draft: ContactDraft,
    ) -> Result<WriteResult, ContactRefusal> {
        caller.require(Action::ManageContacts)?;
        self.write(Some(caller.id()), move |command| store(command, way, draft)).await
    }

    pub async fn delete_contact(&self, caller: &Caller, uuid: Uuid) -> Result<(), ContactRefusal> {
        caller.require(Action::ManageContacts)?;
        self.write(Some(caller.id()), move |command| {
            let contact = command.contact(uuid)?.ok_or(ContactRefusal::NotFound)?;
            removal::contact(command, &contact);
            Ok(())
        })
        .await
    }
}

fn store(command: &mut Command<'_>, way: WriteMode, draft: ContactDraft) -> Result<WriteResult, ContactRefusal> {
    check_channel(command.directory(), draft.default_channel, |kind| {
        draft.addresses.get(kind).is_some_and(|address| !address.is_empty())
    })?;
    let replaced = match way {
        WriteMode::Replace(other) => Some(command.contact(other)?.ok_or(ContactRefusal::NotFound)?),
        WriteMode::Create | WriteMode::Put => None,
    };
    let before = command.contact(draft.uuid)?;
    if way != WriteMode::Put && before.is_some() {
        return Err(ContactRefusal::Exists);
    }
    if let Some(username) = &draft.username {
        let holder = command.contact_named(username)?;
        let own = [Some(draft.uuid), replaced.as_ref().map(|contact| contact.uuid)];
        if holder.is_some() && !own.contains(&holder) {
            return Err(ContactRefusal::UsernameTaken(username.clone()));
        }
    }
    for group in draft.groups.iter().flatten() {
        if command.contact_group(*group)?.is_none() {
            return Err(ContactRefusal::UnknownGroup(*group));
        }
    }
    if let Some(replaced) = replaced {
        removal::contact(command, &replaced);
    }
    let Some(before) = before else {
        let id = command.new_contact_id();
        command.put_contact(draft.into_contact(id, None));
        return Ok(WriteResult::Created);
    };
    let after = draft.into_contact(before.id, Some(&before));
    if after != before {
        command.put_contact(after);
    }
    Ok(WriteResult::Updated)
}

/// Checks that the default channel exists and that the contact has an address for it, if it needs one. `has_address`
/// receives the channel type. Handlers of requests check the same earlier, to keep the order of answers; it is checked
/// again in the command because channels may have been deleted since.
pub fn check_channel(
    directory: &Directory,
    channel: Uuid,
    has_address: impl FnOnce(&str) -> bool,
) -> Result<(), ContactRefusal> {
    let channel = directory.channels.get(&channel).ok_or(ContactRefusal::UnknownChannel(channel))?;
    if channel.needs_no_address() || has_address(&channel.kind) {
        return Ok(());
    }
    Err(ContactRefusal::AddressRequired(channel.kind.clone()))
}

//! Creates, changes and deactivates users (contract sections 2.5, 13 and 16.3).

use std::{collections::BTreeMap, sync::Arc};

use secrecy::ExposeSecret;

use crate::domain::{
    Destination, TokenKind, TokenOrigin, User, UserDraft, UserId,
    destination::{EMAIL, EMAIL_ADDRESS, SyncStep, sync_email},
    timeslot::all_the_time,
    user::{check_email, is_valid_username},
};
use crate::service::{
    Caller, Credential, Model, People, Refusal, ServiceError, notifications::destinations::forget_destination,
    policy::Action,
};
use crate::store::Command;

impl People {
    pub async fn create_user(&self, caller: &Caller, draft: UserDraft) -> Result<Arc<User>, ServiceError> {
        caller.require(Action::ManageUsers)?;
        let username = draft.username.clone().unwrap_or_default();
        if !is_valid_username(&username) {
            return Err(Refusal::BadUsername.into());
        }
        draft.check()?;
        check_email(draft.email.as_deref().unwrap_or_default())?;
        let password_hash = match &draft.password {
            Some(password) => Some(self.hash_password(password.expose_secret()).await?),
            None => None,
        };
        let manager = caller.clone();
        self.write(Some(caller.id()), move |command| {
            still_may_manage(command, &manager)?;
            if command.directory().user_named(&username).is_some() {
                return Err(Refusal::UsernameTaken.into());
            }
            Ok(Arc::new(put_new_user(command, draft, password_hash)))
        })
        .await
    }

    /// Changes a user, and keeps the synced destination in step with the e-mail address.
    pub async fn change_user(&self, caller: &Caller, id: UserId, draft: UserDraft) -> Result<Arc<User>, ServiceError> {
        caller.require(Action::ManageUsers)?;
        let gives_up = draft.is_superuser == Some(false) || draft.is_active == Some(false);
        if gives_up && caller.id() == id && caller.credential != Credential::Local {
            return Err(Refusal::OwnRights.into());
        }
        draft.check()?;
        self.update_user(caller, id, move |user| draft.apply(user)).await
    }

    /// Sets a password. Ends the sessions of that user, and the tokens that were obtained with the old password.
    pub async fn set_password(&self, caller: &Caller, id: UserId, password: &str) -> Result<(), ServiceError> {
        caller.require(Action::ManageUsers)?;
        let hash = self.hash_password(password).await?;
        let manager = caller.clone();
        self.write(Some(caller.id()), move |command| {
            still_may_manage(command, &manager)?;
            let changed = command.edit_user(id, |user| user.password_hash = Some(hash));
            changed.map(|_| ()).ok_or(ServiceError::NotFound(Model::User))
        })
        .await
    }

    /// Ends the sessions of a user, and the tokens that were obtained with a password.
    pub async fn end_sessions_of(&self, caller: &Caller, id: UserId) -> Result<(), ServiceError> {
        caller.require(Action::ManageUsers)?;
        self.delete_tokens_of(caller, id, |token| {
            token.kind == TokenKind::Session || token.origin == TokenOrigin::Password
        })
        .await
    }

    /// Deactivates a user and ends their sessions. Tokens stay, but are refused while the user is inactive.
    pub async fn deactivate(&self, caller: &Caller, id: UserId) -> Result<Arc<User>, ServiceError> {
        let draft = UserDraft { is_active: Some(false), ..UserDraft::default() };
        self.change_user(caller, id, draft).await
    }

    pub(in crate::service) async fn update_user(
        &self,
        caller: &Caller,
        id: UserId,
        update: impl FnOnce(&mut User) + Send + 'static,
    ) -> Result<Arc<User>, ServiceError> {
        self.write(Some(caller.id()), move |command| {
            let before = command.directory().user(id).ok_or(ServiceError::NotFound(Model::User))?.email.clone();
            let user = command.edit_user(id, update).ok_or(ServiceError::NotFound(Model::User))?;
            // An invalid address that is stored already may stay.
            if user.email != before {
                check_email(&user.email)?;
            }
            keep_email_in_step(command, &user);
            Ok(Arc::new(user))
        })
        .await
    }
}

/// Stages a user, with a timeslot and the synced destination. The username must be free.
pub(crate) fn put_new_user(command: &mut Command<'_>, mut draft: UserDraft, password_hash: Option<String>) -> User {
    let mut user = User {
        id: UserId(0),
        username: draft.username.take().unwrap_or_default(),
        password_hash,
        first_name: String::new(),
        last_name: String::new(),
        email: String::new(),
        is_staff: false,
        is_superuser: false,
        is_active: true,
        created: command.now(),
        grants: Vec::new(),
    };
    draft.apply(&mut user);
    let user = command.add_user(user);
    let timeslot = all_the_time(command.new_timeslot_id(), user.id);
    command.put_timeslot(timeslot);
    keep_email_in_step(command, &user);
    user
}

fn keep_email_in_step(command: &mut Command<'_>, user: &User) {
    let owned: Vec<Arc<Destination>> = command.directory().destinations_of(user.id).into_iter().cloned().collect();
    for step in sync_email(&user.email, &owned.iter().map(Arc::as_ref).collect::<Vec<_>>()) {
        match step {
            SyncStep::Delete(id) => forget_destination(command, id),
            SyncStep::SetSynced(id, synced) => {
                if let Some(destination) = owned.iter().find(|destination| destination.id == id) {
                    command.put_destination(Destination { synced, ..Destination::clone(destination) });
                }
            }
            SyncStep::Create(address) => {
                let id = command.new_destination_id();
                command.put_destination(Destination {
                    id,
                    owner: user.id,
                    medium: EMAIL.to_owned(),
                    label: None,
                    settings: BTreeMap::from([(EMAIL_ADDRESS.to_owned(), address)]),
                    synced: true,
                });
            }
        }
    }
}

/// Checks that the caller still has the right, because time has passed while a password was hashed.
fn still_may_manage(command: &Command<'_>, caller: &Caller) -> Result<(), ServiceError> {
    let caller = caller.still(command.directory()).ok_or(ServiceError::Forbidden)?;
    Ok(caller.require(Action::ManageUsers)?)
}

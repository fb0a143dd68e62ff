//! People: created, changed, deactivated (contract sections 2.5, 13 and 16.3).

use std::{collections::BTreeMap, sync::Arc};

use secrecy::{ExposeSecret, SecretString};

use super::{
    Caller, Credential, Model, Refusal, Service, ServiceError, destinations::forget_destination, policy::Action,
};
use crate::{
    domain::{
        destination::{Destination, EMAIL, EMAIL_ADDRESS, SyncStep, sync_email},
        draft::check_length,
        email,
        ids::UserId,
        limits::{EMAIL as EMAIL_LENGTH, PERSON_NAME},
        timeslot::all_the_time,
        token::{TokenKind, TokenOrigin},
        user::{User, is_valid_username},
    },
    store::Command,
};

/// A person to be added.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    pub username: String,
    /// `None`: cannot log in with a password.
    pub password: Option<SecretString>,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub is_staff: bool,
    pub is_superuser: bool,
    pub grants: Vec<String>,
}

/// What is to be changed; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
    pub is_staff: Option<bool>,
    pub is_superuser: Option<bool>,
    pub is_active: Option<bool>,
    /// All that the user shall have.
    pub grants: Option<Vec<String>>,
    /// To be given beside those that the user has.
    pub grant: Vec<String>,
    /// To be taken away first.
    pub revoke: Vec<String>,
}

impl Service {
    pub async fn create_user(&self, caller: &Caller, new: NewUser) -> Result<Arc<User>, ServiceError> {
        caller.require(Action::ManageUsers)?;
        if !is_valid_username(&new.username) {
            return Err(Refusal::BadUsername.into());
        }
        check_lengths(Some(&new.first_name), Some(&new.last_name), Some(&new.email))?;
        check_email(&new.email)?;
        let password_hash = match &new.password {
            Some(password) => Some(self.hash_password(password.expose_secret()).await?),
            None => None,
        };
        let manager = caller.clone();
        let user = self
            .store()
            .write(Some(caller.id()), move |command| {
                still_may_manage(command, &manager)?;
                if command.directory().user_named(&new.username).is_some() {
                    return Err(Refusal::UsernameTaken.into());
                }
                let account = Account { password_hash, ..Account::from(new) };
                Ok::<_, ServiceError>(put_new_user(command, account))
            })
            .await?;
        Ok(Arc::new(user))
    }

    /// Keeps the e-mail destination in step with the address.
    pub async fn change_user(
        &self,
        caller: &Caller,
        id: UserId,
        change: UserChange,
    ) -> Result<Arc<User>, ServiceError> {
        caller.require(Action::ManageUsers)?;
        let gives_up = change.is_superuser == Some(false) || change.is_active == Some(false);
        if gives_up && caller.id() == id && caller.credential != Credential::Local {
            return Err(Refusal::OwnRights.into());
        }
        check_lengths(change.first_name.as_deref(), change.last_name.as_deref(), change.email.as_deref())?;
        self.update_user(caller, id, move |user| {
            set(&mut user.first_name, change.first_name);
            set(&mut user.last_name, change.last_name);
            set(&mut user.email, change.email);
            set(&mut user.is_staff, change.is_staff);
            set(&mut user.is_superuser, change.is_superuser);
            set(&mut user.is_active, change.is_active);
            set(&mut user.grants, change.grants);
            user.grants.retain(|grant| !change.revoke.contains(grant));
            for grant in change.grant {
                if !user.grants.contains(&grant) {
                    user.grants.push(grant);
                }
            }
        })
        .await
    }

    /// Ends the sessions of that user, and the tokens that were obtained with the old password.
    pub async fn set_password(&self, caller: &Caller, id: UserId, password: &str) -> Result<(), ServiceError> {
        caller.require(Action::ManageUsers)?;
        let hash = self.hash_password(password).await?;
        let manager = caller.clone();
        self.store()
            .write(Some(caller.id()), move |command| {
                still_may_manage(command, &manager)?;
                let changed = command.edit_user(id, |user| user.password_hash = Some(hash));
                changed.map(|_| ()).ok_or(ServiceError::NotFound(Model::User))
            })
            .await?;
        Ok(())
    }

    /// Ends the sessions of that user, and the tokens that were obtained with a password.
    pub async fn end_sessions_of(&self, caller: &Caller, id: UserId) -> Result<(), ServiceError> {
        caller.require(Action::ManageUsers)?;
        self.delete_tokens_of(caller, id, |token| {
            token.kind == TokenKind::Session || token.origin == TokenOrigin::Password
        })
        .await
    }

    /// Ends the sessions. Tokens stay, but are of no use while the user is inactive.
    pub async fn deactivate(&self, caller: &Caller, id: UserId) -> Result<Arc<User>, ServiceError> {
        let change = UserChange { is_active: Some(false), ..UserChange::default() };
        self.change_user(caller, id, change).await
    }

    pub(super) async fn update_user(
        &self,
        caller: &Caller,
        id: UserId,
        update: impl FnOnce(&mut User) + Send + 'static,
    ) -> Result<Arc<User>, ServiceError> {
        let user = self
            .store()
            .write(Some(caller.id()), move |command| {
                let before = command.directory().user(id).ok_or(ServiceError::NotFound(Model::User))?.email.clone();
                let user = command.edit_user(id, update).ok_or(ServiceError::NotFound(Model::User))?;
                // What is stored already may stay.
                if user.email != before {
                    check_email(&user.email)?;
                }
                keep_email_in_step(command, &user);
                Ok::<_, ServiceError>(user)
            })
            .await?;
        Ok(Arc::new(user))
    }
}

/// An account to be made, whoever it is for.
#[derive(Default)]
pub(crate) struct Account {
    pub username: String,
    pub password_hash: Option<String>,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub is_staff: bool,
    pub is_superuser: bool,
    pub grants: Vec<String>,
}

impl From<NewUser> for Account {
    fn from(new: NewUser) -> Self {
        Self {
            username: new.username,
            password_hash: None,
            first_name: new.first_name,
            last_name: new.last_name,
            email: new.email,
            is_staff: new.is_staff,
            is_superuser: new.is_superuser,
            grants: new.grants,
        }
    }
}

/// Stages a user with what every user has from the start. The username is known to be free.
pub(crate) fn put_new_user(command: &mut Command<'_>, account: Account) -> User {
    let user = User {
        id: UserId(0),
        username: account.username,
        password_hash: account.password_hash,
        first_name: account.first_name,
        last_name: account.last_name,
        email: account.email,
        is_staff: account.is_staff,
        is_superuser: account.is_superuser,
        is_active: true,
        created: command.now(),
        grants: account.grants,
    };
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

/// Whether the caller may still do it, now that a password has been hashed.
fn still_may_manage(command: &Command<'_>, caller: &Caller) -> Result<(), ServiceError> {
    let caller = caller.still(command.directory()).ok_or(ServiceError::Forbidden)?;
    Ok(caller.require(Action::ManageUsers)?)
}

fn check_lengths(first_name: Option<&str>, last_name: Option<&str>, email: Option<&str>) -> Result<(), Refusal> {
    check_length("first_name", PERSON_NAME, first_name)?;
    check_length("last_name", PERSON_NAME, last_name)?;
    check_length("email", EMAIL_LENGTH, email)
}

/// Empty: none.
fn check_email(address: &str) -> Result<(), Refusal> {
    if address.is_empty() || email::is_valid(address) { Ok(()) } else { Err(Refusal::BadEmail(address.to_owned())) }
}

fn set<T>(field: &mut T, wanted: Option<T>) {
    if let Some(wanted) = wanted {
        *field = wanted;
    }
}

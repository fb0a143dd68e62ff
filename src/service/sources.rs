//! Sources, their types and signs of life (contract section 4).

use std::sync::Arc;

use super::{
    Caller, Model, Refusal, Service, ServiceError,
    policy::Action,
    users::{Account, put_new_user},
};
use crate::{
    clock::random_bytes,
    domain::{
        directory::Directory,
        draft::{check_length, check_name},
        ids::{SourceId, UserId},
        limits::{HEARTBEAT_FREQUENCY, SOURCE_NAME, SOURCE_TYPE_NAME, SOURCE_TYPE_NAMES, SOURCE_TYPES, URL},
        source::Source,
        user::is_valid_username,
    },
    store::Command,
};

/// What is put behind a username that is taken: `_` and six digits.
const SUFFIX: usize = 7;
const USERNAME: usize = 150;

/// A source to be created, with an account of its own.
#[derive(Clone, Debug)]
pub struct NewSource {
    pub name: String,
    pub source_type: String,
    pub base_url: String,
    /// `None`: the source's name.
    pub username: Option<String>,
}

/// What is to be changed; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct SourceEdit {
    pub name: Option<String>,
    pub base_url: Option<String>,
    /// See [`Source::heartbeat_frequency`].
    pub heartbeat_frequency: Option<Option<u32>>,
}

impl Service {
    pub async fn create_source(&self, caller: &Caller, new: NewSource) -> Result<Arc<Source>, ServiceError> {
        self.create_source_with_type(caller, new, false).await
    }

    /// `makes_type`: the type is made with it if there is none of that name.
    pub async fn create_source_with_type(
        &self,
        caller: &Caller,
        new: NewSource,
        makes_type: bool,
    ) -> Result<Arc<Source>, ServiceError> {
        caller.require(Action::ManageSources)?;
        check_name(SOURCE_NAME, Some(&new.name))?;
        check_length("base_url", URL, Some(&new.base_url))?;
        if makes_type {
            check_type(&new.source_type)?;
        }
        let source = self
            .store()
            .write(Some(caller.id()), move |command| {
                let directory = command.directory();
                let has_type = directory.source_types.contains(&new.source_type);
                if !has_type && !makes_type {
                    return Err(Refusal::UnknownSourceType);
                }
                if directory.source_named(&new.source_type, &new.name).is_some() {
                    return Err(Refusal::SourceExists);
                }
                let wanted = new.username.as_deref().unwrap_or(&new.name);
                if !is_valid_username(wanted) {
                    return Err(Refusal::BadUsername);
                }
                let username = free_username(directory, wanted);
                if !has_type {
                    check_room_for_type(directory, &new.source_type)?;
                    command.put_source_type(new.source_type.clone());
                }
                let user = put_new_user(command, Account { username, ..Account::default() });
                Ok(put_new_source(command, user.id, new.name, new.source_type, new.base_url))
            })
            .await
            .map_err(super::error::refused)?;
        Ok(Arc::new(source))
    }

    pub async fn edit_source(
        &self,
        caller: &Caller,
        id: SourceId,
        edit: SourceEdit,
    ) -> Result<Arc<Source>, ServiceError> {
        caller.require(Action::ManageSources)?;
        check_name(SOURCE_NAME, edit.name.as_deref())?;
        check_length("base_url", URL, edit.base_url.as_deref())?;
        check_frequency(edit.heartbeat_frequency.flatten())?;
        let source = self
            .store()
            .write(Some(caller.id()), move |command| {
                let directory = command.directory();
                let before = directory.source(id).cloned().ok_or(ServiceError::NotFound(Model::Source))?;
                let mut after = Source::clone(&before);
                if let Some(name) = edit.name {
                    let holder = directory.source_named(&before.source_type, &name);
                    if holder.is_some_and(|holder| holder.id != id) {
                        return Err(Refusal::SourceExists.into());
                    }
                    after.name = name;
                }
                after.base_url = edit.base_url.unwrap_or(after.base_url);
                after.heartbeat_frequency = edit.heartbeat_frequency.unwrap_or(after.heartbeat_frequency);
                if after == *before {
                    return Ok(before);
                }
                command.put_source(after.clone());
                Ok::<_, ServiceError>(Arc::new(after))
            })
            .await?;
        Ok(source)
    }

    pub async fn rename_source(
        &self,
        caller: &Caller,
        id: SourceId,
        name: String,
    ) -> Result<Arc<Source>, ServiceError> {
        caller.require(Action::ManageSources)?;
        let source = self
            .store()
            .write(Some(caller.id()), move |command| {
                let directory = command.directory();
                let before = directory.source(id).cloned().ok_or(ServiceError::NotFound(Model::Source))?;
                if before.name == name {
                    return Ok(before);
                }
                check_name(SOURCE_NAME, Some(&name))?;
                if directory.source_named(&before.source_type, &name).is_some() {
                    return Err(Refusal::SourceExists.into());
                }
                let after = Source { name, ..Source::clone(&before) };
                command.put_source(after.clone());
                Ok::<_, ServiceError>(Arc::new(after))
            })
            .await?;
        Ok(source)
    }

    /// How often the source has to show a sign of life; `None`: it is not watched.
    pub async fn watch_source(
        &self,
        caller: &Caller,
        id: SourceId,
        frequency: Option<u32>,
    ) -> Result<(), ServiceError> {
        caller.require(Action::ManageSources)?;
        check_frequency(frequency)?;
        self.store()
            .write(Some(caller.id()), move |command| {
                let before = command.directory().source(id).ok_or(ServiceError::NotFound(Model::Source))?;
                if before.heartbeat_frequency != frequency {
                    let after = Source { heartbeat_frequency: frequency, ..Source::clone(before) };
                    command.put_source(after);
                }
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(())
    }

    /// Open to everybody.
    pub async fn create_source_type(&self, caller: &Caller, name: String) -> Result<(), ServiceError> {
        check_type(&name)?;
        self.store()
            .write(Some(caller.id()), move |command| {
                if command.directory().source_types.contains(&name) {
                    return Err(Refusal::SourceTypeExists);
                }
                check_room_for_type(command.directory(), &name)?;
                command.put_source_type(name);
                Ok(())
            })
            .await
            .map_err(super::error::refused)
    }

    /// Forbidden to all but sources.
    pub fn heartbeat(&self, caller: &Caller) -> Result<(), ServiceError> {
        if caller.source.is_none() {
            return Err(ServiceError::Forbidden);
        }
        self.note_seen(caller);
        Ok(())
    }

    /// Remembers that the caller's source, if any, is alive; for every call below `incidents/`.
    pub fn note_seen(&self, caller: &Caller) {
        if let Some(source) = &caller.source {
            self.store().seen(source.id);
        }
    }
}

fn check_type(name: &str) -> Result<(), Refusal> {
    check_name(SOURCE_TYPE_NAME, Some(name))?;
    if name == name.to_lowercase() { Ok(()) } else { Err(Refusal::NotLowercase(name.to_owned())) }
}

fn check_room_for_type(directory: &Directory, name: &str) -> Result<(), Refusal> {
    let types = &directory.source_types;
    if types.len() >= SOURCE_TYPES {
        return Err(Refusal::TooManyInAll { field: "name", what: "source types", limit: SOURCE_TYPES });
    }
    let characters: usize = types.iter().map(|name| name.chars().count()).sum();
    if characters + name.chars().count() > SOURCE_TYPE_NAMES {
        let what = "characters in the names of all source types together";
        return Err(Refusal::TooManyInAll { field: "name", what, limit: SOURCE_TYPE_NAMES });
    }
    Ok(())
}

fn check_frequency(frequency: Option<u32>) -> Result<(), Refusal> {
    match frequency {
        Some(seconds) if !HEARTBEAT_FREQUENCY.contains(&seconds) => Err(Refusal::BadHeartbeatFrequency),
        _ => Ok(()),
    }
}

/// Stages a source; name and type are known to be free.
pub(crate) fn put_new_source(
    command: &mut Command<'_>,
    user: UserId,
    name: String,
    source_type: String,
    base_url: String,
) -> Source {
    let id = command.new_source_id();
    let source = Source { id, name, source_type, user, base_url, heartbeat_frequency: None };
    command.put_source(source.clone());
    source
}

/// The wanted name, or one like it.
fn free_username(directory: &Directory, wanted: &str) -> String {
    let mut name = wanted.to_owned();
    while directory.user_named(&name).is_some() {
        let stem: String = wanted.chars().take(USERNAME - SUFFIX).collect();
        name = format!("{stem}_{}", hex::encode_upper(random_bytes::<3>()));
    }
    name
}

//! Sources: the monitoring systems that post incidents (contract section 4).
//!
//! When a source was last seen changes with every request, so the store keeps it beside the record.

use std::sync::Arc;

use super::{
    Action, Directory, Managed, Refusal, SourceId, StoredFilter, Timestamp, UserId,
    draft::{check_length, check_name, require},
    limits::{HEARTBEAT_FREQUENCY, SOURCE_NAME, SOURCE_TYPE_NAME, SOURCE_TYPE_NAMES, SOURCE_TYPES, URL},
    urls,
    user::is_valid_username,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub id: SourceId,
    /// Name, unique together with `source_type`.
    pub name: String,
    /// Name of its type, in lower case.
    pub source_type: String,
    /// The account that posts for it.
    pub user: UserId,
    /// Base URL of relative `details_url`s. It is not checked and may be empty.
    pub base_url: String,
    /// Heartbeat interval in seconds. `None`: not watched.
    pub heartbeat_frequency: Option<u32>,
}

/// The requested values of a new or changed source. `None`: unchanged, or the default of a new source.
#[derive(Clone, Debug, Default)]
pub struct SourceDraft {
    pub name: Option<String>,
    /// Type of a new source. Ignored for an existing one.
    pub source_type: Option<String>,
    pub base_url: Option<String>,
    /// Name of the account of a new source. `None`: the name of the source.
    pub username: Option<String>,
    /// See [`Source::heartbeat_frequency`].
    pub heartbeat_frequency: Option<Option<u32>>,
}

impl Managed for Source {
    const ACTION: Action = Action::ManageSources;

    /// Does not know whether the source has incidents.
    fn check_deletion(&self, directory: &Directory, _: Timestamp) -> Result<(), Refusal> {
        if directory.is_own_source(self.id) {
            return Err(Refusal::OwnSource);
        }
        let names_it = |filter: &&Arc<StoredFilter>| filter.blob.source_ids.iter().flatten().any(|id| *id == self.id);
        match directory.filters.values().find(names_it) {
            None => Ok(()),
            Some(filter) => {
                let owner = directory.user(filter.owner).map(|user| user.username.clone()).unwrap_or_default();
                Err(Refusal::SourceInFilter { name: filter.name.clone(), owner })
            }
        }
    }
}

impl SourceDraft {
    pub fn check(&self) -> Result<(), Refusal> {
        check_name(SOURCE_NAME, self.name.as_deref())?;
        check_length("base_url", URL, self.base_url.as_deref())?;
        check_frequency(self.heartbeat_frequency.flatten())
    }

    /// Returns the changed source.
    pub fn apply(self, before: &Source, directory: &Directory) -> Result<Source, Refusal> {
        let mut after = before.clone();
        if let Some(name) = self.name {
            let holder = directory.source_named(&before.source_type, &name);
            if holder.is_some_and(|holder| holder.id != before.id) {
                return Err(Refusal::SourceExists);
            }
            after.name = name;
        }
        after.base_url = self.base_url.unwrap_or(after.base_url);
        after.heartbeat_frequency = self.heartbeat_frequency.unwrap_or(after.heartbeat_frequency);
        Ok(after)
    }

    /// Returns a new source, which has no account yet.
    pub fn into_new(self, directory: &Directory, makes_type: bool) -> Result<Source, Refusal> {
        let name = require("name", self.name)?;
        let source_type = require("type", self.source_type)?;
        let has_type = directory.source_types.contains(&source_type);
        if !has_type && !makes_type {
            return Err(Refusal::UnknownSourceType);
        }
        if directory.source_named(&source_type, &name).is_some() {
            return Err(Refusal::SourceExists);
        }
        if !is_valid_username(self.username.as_deref().unwrap_or(&name)) {
            return Err(Refusal::BadUsername);
        }
        if !has_type {
            check_room_for_type(directory, &source_type)?;
        }
        let (base_url, heartbeat_frequency) = (self.base_url.unwrap_or_default(), self.heartbeat_frequency.flatten());
        Ok(Source { id: SourceId(0), name, source_type, user: UserId(0), base_url, heartbeat_frequency })
    }
}

pub fn check_type(name: &str) -> Result<(), Refusal> {
    check_name(SOURCE_TYPE_NAME, Some(name))?;
    if name == name.to_lowercase() { Ok(()) } else { Err(Refusal::NotLowercase(name.to_owned())) }
}

pub fn check_room_for_type(directory: &Directory, name: &str) -> Result<(), Refusal> {
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

/// Returns whether a source can have this base URL: none, or a complete address. Bodies of the API may have any text
/// (contract section 4).
#[must_use]
pub fn is_base_url(text: &str) -> bool {
    text.is_empty() || urls::is_valid(text)
}

fn check_frequency(frequency: Option<u32>) -> Result<(), Refusal> {
    match frequency {
        Some(seconds) if !HEARTBEAT_FREQUENCY.contains(&seconds) => Err(Refusal::BadHeartbeatFrequency),
        _ => Ok(()),
    }
}

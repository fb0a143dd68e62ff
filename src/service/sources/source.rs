//! Sources, source types and heartbeats (contract section 4).

use std::sync::Arc;

use crate::clock::random_bytes;
use crate::domain::{
    Criteria, Directory, IncidentId, Source, SourceDraft, SourceId, UserDraft, UserId,
    source::{check_room_for_type, check_type},
};
use crate::service::{
    Caller, Model, Refusal, ServiceError, Sources, configuration::stage, people::users::put_new_user, policy::Action,
};
use crate::store::Command;

/// Length of the suffix for a username that is taken: `_` and six hex digits.
const SUFFIX: usize = 7;
const USERNAME: usize = 150;

impl Sources {
    pub async fn create_source(&self, caller: &Caller, draft: SourceDraft) -> Result<Arc<Source>, ServiceError> {
        self.create_source_with_type(caller, draft, false).await
    }

    /// Creates a source with its user. With `makes_type`, creates its type if that does not exist.
    pub async fn create_source_with_type(
        &self,
        caller: &Caller,
        draft: SourceDraft,
        makes_type: bool,
    ) -> Result<Arc<Source>, ServiceError> {
        caller.require(Action::ManageSources)?;
        draft.check()?;
        if makes_type {
            check_type(draft.source_type.as_deref().unwrap_or_default())?;
        }
        let wanted = draft.username.clone().or_else(|| draft.name.clone()).unwrap_or_default();
        let stage = move |command: &mut Command<'_>, _: Option<&Source>, source: &mut Source| {
            let directory = command.directory();
            let username = Some(free_username(directory, &wanted));
            let account = UserDraft { username, ..UserDraft::default() };
            if !directory.source_types.contains(&source.source_type) {
                command.put_source_type(source.source_type.clone());
            }
            source.user = put_new_user(command, account, None).id;
            command.put_source(source.clone());
        };
        let apply =
            move |_: Option<&Source>, command: &Command<'_>| Ok(draft.into_new(command.directory(), makes_type)?);
        self.put_with(caller, None, apply, stage).await
    }

    pub async fn edit_source(
        &self,
        caller: &Caller,
        id: SourceId,
        draft: SourceDraft,
    ) -> Result<Arc<Source>, ServiceError> {
        caller.require(Action::ManageSources)?;
        draft.check()?;
        let apply = move |before: Option<&Source>, command: &Command<'_>| {
            let before = before.ok_or(ServiceError::NotFound(Model::Source))?;
            Ok(draft.apply(before, command.directory())?)
        };
        self.put_with(caller, Some(id), apply, stage).await
    }

    pub async fn rename_source(
        &self,
        caller: &Caller,
        id: SourceId,
        name: String,
    ) -> Result<Arc<Source>, ServiceError> {
        caller.require(Action::ManageSources)?;
        let apply = move |before: Option<&Source>, command: &Command<'_>| {
            let before = before.ok_or(ServiceError::NotFound(Model::Source))?;
            if before.name == name {
                return Ok(before.clone());
            }
            let draft = SourceDraft { name: Some(name), ..SourceDraft::default() };
            draft.check()?;
            Ok(draft.apply(before, command.directory())?)
        };
        self.put_with(caller, Some(id), apply, stage).await
    }

    /// Deletes a source that has no incidents and is in no saved filter. Its user is deactivated and loses all tokens.
    pub async fn delete_source(&self, caller: &Caller, id: SourceId) -> Result<(), ServiceError> {
        let service = self.clone();
        let more = move |source: &Source, command: &mut Command<'_>| {
            let incidents = service.incidents_of(source.id, command)?;
            if incidents > 0 {
                return Err(Refusal::SourceHasIncidents(incidents).into());
            }
            let tokens = command.directory().tokens_of(source.user).into_iter().map(|token| token.hash);
            for hash in tokens.collect::<Vec<_>>() {
                command.delete_token(hash);
            }
            command.edit_user(source.user, |user| user.is_active = false);
            Ok(())
        };
        self.delete_with::<Source>(caller, id, more).await
    }

    /// Counts the incidents of a source. Runs on the writer thread, where the search knows all commits before the
    /// current batch; incidents that the batch itself created are read.
    fn incidents_of(&self, id: SourceId, command: &Command<'_>) -> Result<u64, ServiceError> {
        let criteria = Criteria { sources: Some([id].into()), ..Criteria::default() };
        let mut count = self.search().count(&criteria, command.now())?;
        for incident in self.store().counters().last_incident + 1..=command.last_incident_id().0 {
            let incident = command.incident(IncidentId(incident))?;
            count += u64::from(incident.is_some_and(|incident| incident.source == id));
        }
        Ok(count)
    }

    /// Sets the interval in seconds at which the source must show a sign of life. `None`: it is not watched.
    pub async fn watch_source(
        &self,
        caller: &Caller,
        id: SourceId,
        frequency: Option<u32>,
    ) -> Result<(), ServiceError> {
        let draft = SourceDraft { heartbeat_frequency: Some(frequency), ..SourceDraft::default() };
        self.edit_source(caller, id, draft).await.map(|_| ())
    }

    /// Creates a source type. Every user may do so.
    pub async fn create_source_type(&self, caller: &Caller, name: String) -> Result<(), ServiceError> {
        check_type(&name)?;
        self.write(Some(caller.id()), move |command| {
            if command.directory().source_types.contains(&name) {
                return Err(Refusal::SourceTypeExists.into());
            }
            check_room_for_type(command.directory(), &name)?;
            command.put_source_type(name);
            Ok(())
        })
        .await
    }

    /// Records a sign of life of the caller's source. Forbidden for callers without a source.
    pub fn heartbeat(&self, caller: &Caller) -> Result<(), ServiceError> {
        if caller.source.is_none() {
            return Err(ServiceError::Forbidden);
        }
        self.note_seen(caller);
        Ok(())
    }

    /// Records a sign of life of the caller's source, if any. Used for every request below `incidents/`.
    pub fn note_seen(&self, caller: &Caller) {
        if let Some(source) = &caller.source {
            self.store().seen(source.id);
        }
    }
}

/// Stages a source. Its name must be free within its type.
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

/// Returns the wanted username, or one like it that is free.
fn free_username(directory: &Directory, wanted: &str) -> String {
    let mut name = wanted.to_owned();
    while directory.user_named(&name).is_some() {
        let stem: String = wanted.chars().take(USERNAME - SUFFIX).collect();
        name = format!("{stem}_{}", hex::encode_upper(random_bytes::<3>()));
    }
    name
}

//! Stored filters: everybody's own, and those that others made public (contract section 14).

use std::sync::Arc;

use super::{Caller, Model, NotificationRefusal, ProfileLabel, Refusal, Service, ServiceError, rules::rules_where};
use crate::domain::{
    directory::Directory,
    draft::check_name,
    event_filter::CompiledLists,
    ids::{FilterId, UserId},
    limits::{FILTER_BYTES, FILTER_BYTES_PER_USER, FILTER_NAME, FILTERS_PER_USER},
    stored_filter::{FilterBlob, StoredFilter},
};

/// A filter to be created, for the caller.
#[derive(Clone, Debug)]
pub struct NewFilter {
    pub name: String,
    pub public: bool,
    pub blob: FilterBlob,
}

/// What is to become of a filter, decided from what it is then.
#[derive(Clone, Debug, Default)]
pub struct FilterEdit {
    /// `None` stays.
    pub name: Option<String>,
    pub public: Option<bool>,
    pub blob: Option<BlobEdit>,
}

/// Two versions of the API know different criteria: what a caller cannot see is not taken away.
#[derive(Clone, Debug)]
pub enum BlobEdit {
    /// All criteria.
    Whole(FilterBlob),
    /// All but source types, event types and `hide_closed_acked`.
    Plain(FilterBlob),
    /// Only sources and tags.
    SourcesAndTags(FilterBlob),
}

impl BlobEdit {
    pub fn apply(self, to: &mut FilterBlob) {
        match self {
            Self::Whole(blob) => *to = blob,
            Self::Plain(blob) => {
                let FilterBlob { source_types, event_types, hide_closed_acked, .. } = std::mem::take(to);
                *to = FilterBlob { source_types, event_types, hide_closed_acked, ..blob };
            }
            Self::SourcesAndTags(blob) => (to.source_ids, to.tags) = (blob.source_ids, blob.tags),
        }
    }
}

impl Service {
    pub async fn create_filter(&self, caller: &Caller, new: NewFilter) -> Result<Arc<StoredFilter>, ServiceError> {
        check_name(FILTER_NAME, &new.name)?;
        check_size(&new.blob, 0)?;
        let owner = caller.id();
        let compiled = Arc::new(CompiledLists::new(&new.blob));
        let filter = self
            .store()
            .write(Some(owner), move |command| {
                let directory = command.directory();
                check_free(directory, owner, &new.name)?;
                if directory.filters_of(owner).len() >= FILTERS_PER_USER {
                    return Err(Refusal::TooMany { what: "filters", limit: FILTERS_PER_USER });
                }
                check_sum(directory, owner, None, &new.blob)?;
                let NewFilter { name, public, blob } = new;
                let filter = StoredFilter { id: command.new_filter_id(), owner, name, public, blob };
                command.put_compiled_filter(filter.clone(), compiled);
                Ok(filter)
            })
            .await
            .map_err(super::error::refused)?;
        Ok(Arc::new(filter))
    }

    pub async fn edit_filter(
        &self,
        caller: &Caller,
        id: FilterId,
        edit: FilterEdit,
    ) -> Result<Arc<StoredFilter>, ServiceError> {
        if let Some(name) = &edit.name {
            check_name(FILTER_NAME, name)?;
        }
        let owner = caller.id();
        // Compiled here, so that the writer does not have to, unless somebody else changes the filter just now.
        let foreseen = edit.blob.clone().and_then(|edit| {
            let mut blob = self.directory().filter_of(owner, id)?.blob.clone();
            edit.apply(&mut blob);
            Some((Arc::new(CompiledLists::new(&blob)), blob))
        });
        let filter = self
            .store()
            .write(Some(owner), move |command| {
                let directory = command.directory();
                let before = directory.filter_of(owner, id).cloned().ok_or(ServiceError::NotFound(Model::Filter))?;
                let mut after = StoredFilter::clone(&before);
                if let Some(name) = edit.name.filter(|name| *name != before.name) {
                    check_free(directory, owner, &name)?;
                    after.name = name;
                }
                after.public = edit.public.unwrap_or(before.public);
                if let Some(blob) = edit.blob {
                    blob.apply(&mut after.blob);
                }
                if after == *before {
                    return Ok(before);
                }
                check_size(&after.blob, before.blob.bytes())?;
                check_sum(directory, owner, Some(&before), &after.blob)?;
                match foreseen.filter(|(_, blob)| *blob == after.blob) {
                    Some((compiled, _)) => command.put_compiled_filter(after.clone(), compiled),
                    None => command.put_filter(after.clone()),
                }
                Ok::<_, ServiceError>(Arc::new(after))
            })
            .await?;
        Ok(filter)
    }

    pub async fn delete_filter(&self, caller: &Caller, id: FilterId) -> Result<(), ServiceError> {
        let owner = caller.id();
        self.store()
            .write(Some(owner), move |command| {
                let directory = command.directory();
                directory.filter_of(owner, id).ok_or(ServiceError::NotFound(Model::Filter))?;
                check_unused(directory, owner, id)?;
                command.delete_filter(id);
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(())
    }
}

/// `before`: its size so far, which may be beyond a bound that came later; it may stay as large as it is.
pub(super) fn check_size(blob: &FilterBlob, before: usize) -> Result<(), Refusal> {
    let (bytes, limit) = (blob.bytes(), FILTER_BYTES);
    if bytes > limit && bytes > before { Err(Refusal::FilterTooLarge { bytes, limit }) } else { Ok(()) }
}

/// All filters of a user together.
fn check_sum(
    directory: &Directory,
    owner: UserId,
    before: Option<&StoredFilter>,
    blob: &FilterBlob,
) -> Result<(), Refusal> {
    let (before, after) = (before.map_or(0, |before| before.blob.bytes()), blob.bytes());
    let all: usize = directory.filters_of(owner).iter().map(|filter| filter.blob.bytes()).sum();
    if after > before && all - before + after > FILTER_BYTES_PER_USER {
        let what = "bytes in all filters of a user together";
        return Err(Refusal::TooManyInAll { field: "filter", what, limit: FILTER_BYTES_PER_USER });
    }
    Ok(())
}

/// A filter that somebody's profile, a rule or a planned maintenance names has to stay.
fn check_unused(directory: &Directory, owner: UserId, id: FilterId) -> Result<(), NotificationRefusal> {
    let profiles = ProfileLabel::of_users(directory, owner, |profile| profile.filters.contains(&id));
    if !profiles.is_empty() {
        return Err(NotificationRefusal::FilterInProfiles(profiles));
    }
    let rules = rules_where(directory, |rule| rule.filters.contains(&id));
    if !rules.is_empty() {
        return Err(NotificationRefusal::FilterInRules(rules));
    }
    let maintenances = directory.maintenances_sorted().into_iter().filter(|it| it.filters.contains(&id));
    let maintenances: Vec<_> = maintenances.map(|it| it.id).collect();
    if maintenances.is_empty() { Ok(()) } else { Err(NotificationRefusal::FilterInMaintenance(maintenances)) }
}

fn check_free(directory: &Directory, owner: UserId, name: &str) -> Result<(), Refusal> {
    if directory.filters_of(owner).iter().all(|filter| filter.name != name) {
        return Ok(());
    }
    let owner = directory.user(owner).map(|user| user.username.clone()).unwrap_or_default();
    Err(Refusal::FilterExists { name: name.to_owned(), owner })
}

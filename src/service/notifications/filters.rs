//! Stored filters: everybody's own, and those that others made public (contract section 14).

use std::sync::Arc;

use crate::{
    domain::{
        directory::Directory,
        event_filter::CompiledLists,
        ids::{FilterId, UserId},
        stored_filter::{FilterBlob, FilterDraft, StoredFilter, check_size},
    },
    service::{
        Caller, Model, NotificationRefusal, Notifications, ProfileLabel, ServiceError, configuration::Drafted,
        notifications::rules::rules_where,
    },
};

impl Drafted for StoredFilter {
    const MODEL: Model = Model::Filter;
    const IS_PERSONAL: bool = true;
}

impl Notifications {
    pub async fn create_filter(&self, caller: &Caller, draft: FilterDraft) -> Result<Arc<StoredFilter>, ServiceError> {
        self.put_filter(caller, None, draft).await
    }

    pub async fn edit_filter(
        &self,
        caller: &Caller,
        id: FilterId,
        draft: FilterDraft,
    ) -> Result<Arc<StoredFilter>, ServiceError> {
        self.put_filter(caller, Some(id), draft).await
    }

    async fn put_filter(
        &self,
        caller: &Caller,
        id: Option<FilterId>,
        draft: FilterDraft,
    ) -> Result<Arc<StoredFilter>, ServiceError> {
        draft.check()?;
        let owner = caller.id();
        // Compiled here, so that the writer does not have to, unless somebody else changes the filter just now.
        let before = match id {
            None => Some(FilterBlob::default()),
            Some(id) => self.directory().filter_of(owner, id).map(|filter| filter.blob.clone()),
        };
        let mut foreseen = None;
        if let (Some(edit), Some(mut blob)) = (draft.blob.clone(), before) {
            edit.apply(&mut blob);
            if id.is_none() {
                check_size(&blob, 0)?;
            }
            foreseen = Some((Arc::new(CompiledLists::new(&blob)), blob));
        }
        self.put_by(
            caller,
            id,
            move |before, command| Ok(draft.apply(before, owner, command.directory())?),
            |command, _, after| match foreseen.filter(|(_, blob)| *blob == after.blob) {
                Some((compiled, _)) => command.put_compiled_filter(after.clone(), compiled),
                None => command.put_filter(after.clone()),
            },
        )
        .await
    }

    pub async fn delete_filter(&self, caller: &Caller, id: FilterId) -> Result<(), ServiceError> {
        let owner = caller.id();
        self.delete::<StoredFilter>(caller, id, move |_, command| Ok(check_unused(command.directory(), owner, id)?))
            .await
    }
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

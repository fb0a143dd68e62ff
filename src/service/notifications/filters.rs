//! Saved filters: the user's own, and public ones of others (contract section 14).

use std::sync::Arc;

use crate::domain::{
    FilterBlob, FilterDraft, FilterId, StoredFilter, event_filter::CompiledCriteria, stored_filter::check_size,
};
use crate::service::{Caller, Notifications, ServiceError};

impl Notifications {
    pub async fn put_filter(
        &self,
        caller: &Caller,
        id: Option<FilterId>,
        draft: FilterDraft,
    ) -> Result<Arc<StoredFilter>, ServiceError> {
        draft.check()?;
        let owner = caller.id();
        // Compiled here, so that the writer need not do it. It still does if another request changes the filter in
        // between.
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
            foreseen = Some((Arc::new(CompiledCriteria::new(&blob)), blob));
        }
        self.put_with(
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
}

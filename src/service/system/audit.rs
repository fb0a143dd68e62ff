//! The audit trail: who changed the configuration and when, with both values.

use std::ops::ControlFlow;

use crate::domain::{
    Change, ChangeKind, Seq, SizeBudget, UserId,
    directory::Subject,
    limits::{AUDIT_LOOKS, PAGE_BYTES, PAGE_SIZE_MAX},
};
use crate::service::{Caller, ServiceError, System, policy::Action};

/// Criteria of the audit trail. `None` permits any value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    pub subject: Option<Subject>,
    /// `Some(None)`: the server itself.
    pub actor: Option<Option<UserId>>,
    pub key: Option<String>,
}

/// Changes of the configuration, newest first.
#[derive(Clone, Debug)]
pub struct AuditPage {
    pub rows: Vec<Change>,
    /// Number of the change before which the next page starts. `None`: there are no older changes.
    pub next: Option<Seq>,
    /// Whether the search ended at the limit of [`AUDIT_LOOKS`] changes before the page was full.
    pub stopped_early: bool,
}

impl AuditFilter {
    fn matches(&self, change: &Change) -> bool {
        let ChangeKind::Configuration(configuration) = &change.kind else { return false };
        self.subject.is_none_or(|subject| subject == configuration.subject)
            && self.actor.is_none_or(|actor| actor == change.actor)
            && self.key.as_ref().is_none_or(|key| *key == configuration.key)
    }
}

impl System {
    /// Returns a page of the changes before `before`. Reads a limited number of changes. The page has fewer than `size`
    /// rows if they would take more than [`PAGE_BYTES`].
    pub async fn audit(
        &self,
        caller: &Caller,
        filter: AuditFilter,
        before: Option<Seq>,
        size: usize,
    ) -> Result<AuditPage, ServiceError> {
        caller.require(Action::SeeAdministration)?;
        let size = size.clamp(1, PAGE_SIZE_MAX);
        self.store()
            .read(move |snapshot| {
                let (mut rows, mut looked, mut stopped_at) = (Vec::new(), 0_usize, None);
                let (mut room, mut more) = (SizeBudget::new(PAGE_BYTES), false);
                snapshot.for_each_change_back(before, &mut |change| {
                    if looked >= AUDIT_LOOKS {
                        return ControlFlow::Break(());
                    }
                    looked += 1;
                    stopped_at = (looked >= AUDIT_LOOKS).then_some(change.seq);
                    if filter.matches(&change) {
                        if rows.len() >= size || !room.takes(&change) {
                            more = true;
                            return ControlFlow::Break(());
                        }
                        rows.push(change);
                    }
                    ControlFlow::Continue(())
                })?;
                let next = if more { rows.last().map(|change: &Change| change.seq) } else { stopped_at };
                Ok(AuditPage { next, stopped_early: !more && stopped_at.is_some(), rows })
            })
            .await
    }
}

//! Rules that notify contacts: administrators create them, staff may read them.

use std::sync::Arc;

use crate::domain::{Addressee, Managed, Rule, RuleDraft, RuleId};
use crate::service::{Caller, Notifications, ServiceError, configuration::stage};
use crate::store::Command;

impl Notifications {
    /// Creates or changes a rule. The caller becomes the owner of a new rule.
    pub async fn put_rule(
        &self,
        caller: &Caller,
        id: Option<RuleId>,
        draft: RuleDraft,
    ) -> Result<Arc<Rule>, ServiceError> {
        caller.require(Rule::ACTION)?;
        draft.check()?;
        let owner = caller.id();
        let apply = move |before: Option<&Rule>, command: &Command<'_>| {
            draft.apply(before, owner, (command.directory(), command.now()), |who| match who {
                Addressee::Contact(uuid) => Ok(command.contact(uuid)?.is_some()),
                Addressee::Group(uuid) => Ok(command.contact_group(uuid)?.is_some()),
            })
        };
        self.put_with(caller, id, apply, stage).await
    }
}

//! Rules by which contacts are told: administrators make them, staff may read them.

use std::sync::Arc;

use crate::{
    domain::{
        directory::Directory,
        ids::RuleId,
        rule::{Addressee, Rule, RuleDraft},
    },
    service::{Caller, Model, Notifications, ServiceError, configuration::Drafted, policy::Action},
};

impl Drafted for Rule {
    const MODEL: Model = Model::Rule;
}

impl Notifications {
    /// The caller is the owner of what is created.
    pub async fn create_rule(&self, caller: &Caller, draft: RuleDraft) -> Result<Arc<Rule>, ServiceError> {
        self.put_rule(caller, None, draft).await
    }

    pub async fn edit_rule(&self, caller: &Caller, id: RuleId, draft: RuleDraft) -> Result<Arc<Rule>, ServiceError> {
        self.put_rule(caller, Some(id), draft).await
    }

    async fn put_rule(&self, caller: &Caller, id: Option<RuleId>, draft: RuleDraft) -> Result<Arc<Rule>, ServiceError> {
        caller.require(Action::ManageRules)?;
        draft.check()?;
        let owner = caller.id();
        self.put(caller, id, move |before, command| {
            draft.apply(before, owner, (command.directory(), command.now()), |who| match who {
                Addressee::Contact(uuid) => Ok(command.contact(uuid)?.is_some()),
                Addressee::Group(uuid) => Ok(command.contact_group(uuid)?.is_some()),
            })
        })
        .await
    }

    pub async fn delete_rule(&self, caller: &Caller, id: RuleId) -> Result<(), ServiceError> {
        caller.require(Action::ManageRules)?;
        self.delete::<Rule>(caller, id, |_, _| Ok(())).await
    }
}

/// Names of the rules that are meant.
pub(in crate::service) fn rules_where(directory: &Directory, is_meant: impl Fn(&Rule) -> bool) -> Vec<String> {
    let rules = directory.rules_sorted().into_iter().filter(|rule| is_meant(rule));
    rules.map(|rule| rule.name.clone()).collect()
}

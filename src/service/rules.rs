//! Rules by which contacts are told: administrators make them, staff may read them.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    Caller, Model, NotificationRefusal, Refusal, Service, ServiceError, policy::Action, profiles::check_uses,
    users::check_length,
};
use crate::{
    domain::{
        directory::Directory,
        filter::fold,
        ids::{FilterId, RuleId, TimeslotId},
        limits::{FILTER_USES_IN_RULES, RULE_NAME, RULES},
        rule::{Addressee, Recipient, Rule},
    },
    store::Command,
};

/// A rule to be created, whose owner is the caller.
#[derive(Clone, Debug)]
pub struct NewRule {
    pub name: String,
    pub timeslot: TimeslotId,
    pub filters: Vec<FilterId>,
    pub recipients: Vec<Recipient>,
    pub active: bool,
}

/// What is `None` stays, and so does the owner.
#[derive(Clone, Debug, Default)]
pub struct RuleEdit {
    pub name: Option<String>,
    pub timeslot: Option<TimeslotId>,
    pub filters: Option<Vec<FilterId>>,
    pub recipients: Option<Vec<Recipient>>,
    pub active: Option<bool>,
}

impl Service {
    pub async fn create_rule(&self, caller: &Caller, new: NewRule) -> Result<Arc<Rule>, ServiceError> {
        caller.require(Action::ManageRules)?;
        check_length("name", RULE_NAME, Some(&new.name))?;
        let owner = caller.id();
        let rule = self
            .store()
            .write(Some(owner), move |command| {
                if command.directory().rules.len() >= RULES {
                    return Err(NotificationRefusal::TooManyRules.into());
                }
                let mut rule = Rule {
                    id: RuleId(0),
                    owner,
                    name: String::new(),
                    timeslot: new.timeslot,
                    filters: Vec::new(),
                    recipients: Vec::new(),
                    active: new.active,
                    empty_since: None,
                };
                let edit = RuleEdit {
                    name: Some(new.name),
                    timeslot: Some(new.timeslot),
                    filters: Some(new.filters),
                    recipients: Some(new.recipients),
                    active: None,
                };
                apply(edit, &mut rule, command)?;
                rule.id = command.new_rule_id();
                command.put_rule(rule.clone());
                Ok::<_, ServiceError>(rule)
            })
            .await?;
        Ok(Arc::new(rule))
    }

    pub async fn edit_rule(&self, caller: &Caller, id: RuleId, edit: RuleEdit) -> Result<Arc<Rule>, ServiceError> {
        caller.require(Action::ManageRules)?;
        check_length("name", RULE_NAME, edit.name.as_deref())?;
        let rule = self
            .store()
            .write(Some(caller.id()), move |command| {
                let before = Arc::clone(found(command.directory(), id)?);
                let mut after = Rule::clone(&before);
                apply(edit, &mut after, command)?;
                if after == *before {
                    return Ok(before);
                }
                command.put_rule(after.clone());
                Ok::<_, ServiceError>(Arc::new(after))
            })
            .await?;
        Ok(rule)
    }

    pub async fn delete_rule(&self, caller: &Caller, id: RuleId) -> Result<(), ServiceError> {
        caller.require(Action::ManageRules)?;
        self.store()
            .write(Some(caller.id()), move |command| {
                found(command.directory(), id)?;
                command.delete_rule(id);
                Ok::<_, ServiceError>(())
            })
            .await?;
        Ok(())
    }
}

/// Names of the rules that are meant.
pub(super) fn rules_where(directory: &Directory, is_meant: impl Fn(&Rule) -> bool) -> Vec<String> {
    let rules = directory.rules_sorted().into_iter().filter(|rule| is_meant(rule));
    rules.map(|rule| rule.name.clone()).collect()
}

fn found(directory: &Directory, id: RuleId) -> Result<&Arc<Rule>, ServiceError> {
    directory.rules.get(&id).ok_or(ServiceError::NotFound(Model::Rule))
}

fn apply(edit: RuleEdit, rule: &mut Rule, command: &Command<'_>) -> Result<(), ServiceError> {
    let directory = command.directory();
    if let Some(name) = edit.name {
        if name.is_empty() {
            return Err(Refusal::Empty("name").into());
        }
        let folded = fold(&name);
        if directory.rules.values().any(|other| other.id != rule.id && fold(&other.name) == folded) {
            return Err(NotificationRefusal::RuleExists.into());
        }
        rule.name = name;
    }
    if let Some(timeslot) = edit.timeslot {
        match directory.timeslots.get(&timeslot) {
            Some(it) if it.owner == rule.owner => rule.timeslot = timeslot,
            Some(_) => return Err(NotificationRefusal::ForeignTimeslot.into()),
            None => return Err(Refusal::UnknownKey { field: "timeslot", pk: timeslot.0 }.into()),
        }
    }
    if let Some(filters) = edit.filters {
        let mut known: Vec<FilterId> = Vec::with_capacity(filters.len());
        for id in filters {
            // One that its owner does not share any more may stay where it is.
            if !rule.filters.contains(&id) && directory.usable_filter(rule.owner, id).is_none() {
                return Err(Refusal::UnknownKey { field: "filters", pk: id.0 }.into());
            }
            if !known.contains(&id) {
                known.push(id);
            }
        }
        let all: usize = directory.rules.values().map(|rule| rule.filters.len()).sum();
        let what = "filters in all rules together";
        check_uses(all, rule.filters.len(), known.len(), (what, FILTER_USES_IN_RULES))?;
        rule.filters = known;
    }
    if let Some(recipients) = edit.recipients {
        for recipient in &recipients {
            check_recipient(recipient, command)?;
        }
        rule.set_recipients(recipients, command.now());
    }
    rule.active = edit.active.unwrap_or(rule.active);
    Ok(())
}

fn check_recipient(recipient: &Recipient, command: &Command<'_>) -> Result<(), ServiceError> {
    let (what, uuid, is_known) = match recipient.who {
        Addressee::Contact(uuid) => ("contact", uuid, command.contact(uuid)?.is_some()),
        Addressee::Group(uuid) => ("contact group", uuid, command.contact_group(uuid)?.is_some()),
    };
    if !is_known {
        return Err(unknown(what, uuid));
    }
    match recipient.channel {
        Some(channel) if !command.directory().channels.contains_key(&channel) => Err(unknown("channel", channel)),
        _ => Ok(()),
    }
}

fn unknown(what: &'static str, uuid: Uuid) -> ServiceError {
    NotificationRefusal::UnknownRecipient { what, uuid }.into()
}

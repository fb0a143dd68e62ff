//! Rules: when, about what and via which channels contacts are notified. Administrators create them.

use uuid::Uuid;

use super::{
    Action, Directory, FilterId, Managed, NotificationRefusal, Refusal, RuleId, TimeslotId, Timestamp, UserId,
    draft::{check_length, check_timeslot, check_uses, require, without_repetitions},
    filter::fold,
    limits::FILTER_USES_IN_RULES,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub id: RuleId,
    /// User who created the rule. The rule stays in force if the account is deactivated, since rules are not personal.
    pub owner: UserId,
    /// Name, unique among rules regardless of case.
    pub name: String,
    /// A timeslot of the owner.
    pub timeslot: TimeslotId,
    /// Filters, at least one, without duplicates. They are the owner's, or were public when they were added.
    pub filters: Vec<FilterId>,
    /// Recipients without duplicates.
    pub recipients: Vec<Recipient>,
    pub active: bool,
    /// Time since which the rule has no recipients. `None`: it has recipients.
    pub empty_since: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Recipient {
    pub who: Addressee,
    /// UUID of the channel. `None`: the default channel of each contact.
    pub channel: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Addressee {
    Contact(Uuid),
    /// A group, which stands for its members at the time of the event.
    Group(Uuid),
}

/// A deleted contact, group or channel that rules may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    Contact(Uuid),
    Group(Uuid),
    Channel(Uuid),
}

/// An event with more contacts than a rule may notify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow {
    pub rule: RuleId,
    pub at: Timestamp,
    pub notified: u32,
    pub left_out: u32,
}

/// The requested values of a new or changed rule. `None`: unchanged, or the default of a new rule.
#[derive(Clone, Debug, Default)]
pub struct RuleDraft {
    pub name: Option<String>,
    pub timeslot: Option<TimeslotId>,
    pub filters: Option<Vec<FilterId>>,
    pub recipients: Option<Vec<Recipient>>,
    pub active: Option<bool>,
}

impl Managed for Rule {
    const ACTION: Action = Action::ManageRules;
}

impl RuleDraft {
    pub fn check(&self) -> Result<(), Refusal> {
        check_length("name", Rule::LONGEST_NAME, self.name.as_deref())
    }

    /// Returns the new or changed rule. `before` is `None` for a new one of `owner`. `exists` says whether a contact or
    /// group exists.
    pub fn apply<E: From<Refusal>>(
        self,
        before: Option<&Rule>,
        owner: UserId,
        (directory, now): (&Directory, Timestamp),
        exists: impl Fn(Addressee) -> Result<bool, E>,
    ) -> Result<Rule, E> {
        let mut rule = match before {
            Some(before) => before.clone(),
            None => self.blank(owner, directory, now)?,
        };
        if let Some(name) = self.name {
            if name.is_empty() {
                return Err(Refusal::Empty("name").into());
            }
            let folded = fold(&name);
            if directory.rules.values().any(|other| other.id != rule.id && fold(&other.name) == folded) {
                return Err(Refusal::from(NotificationRefusal::RuleExists).into());
            }
            rule.name = name;
        }
        if let Some(timeslot) = self.timeslot {
            check_timeslot(timeslot, rule.owner, directory)?;
            rule.timeslot = timeslot;
        }
        if let Some(filters) = self.filters {
            // A filter that its owner stopped sharing may stay in use.
            let may_use = |id| rule.filters.contains(id) || directory.usable_filter(rule.owner, *id).is_some();
            if let Some(unknown) = filters.iter().find(|id| !may_use(id)) {
                return Err(Refusal::UnknownKey { field: "filters", pk: unknown.0 }.into());
            }
            let filters = without_repetitions(filters);
            let all: usize = directory.rules.values().map(|rule| rule.filters.len()).sum();
            let what = "filters in all rules together";
            check_uses(all, rule.filters.len(), filters.len(), (what, FILTER_USES_IN_RULES))?;
            rule.filters = filters;
        }
        if let Some(recipients) = self.recipients {
            for recipient in &recipients {
                let unknown = |what, uuid| Refusal::from(NotificationRefusal::UnknownRecipient { what, uuid });
                let (what, uuid) = match recipient.who {
                    Addressee::Contact(uuid) => ("contact", uuid),
                    Addressee::Group(uuid) => ("contact group", uuid),
                };
                if !exists(recipient.who)? {
                    return Err(unknown(what, uuid).into());
                }
                if let Some(channel) = recipient.channel.filter(|uuid| !directory.channels.contains_key(uuid)) {
                    return Err(unknown("channel", channel).into());
                }
            }
            rule.set_recipients(recipients, now);
        }
        rule.active = self.active.unwrap_or(rule.active);
        Ok(rule)
    }

    fn blank(&self, owner: UserId, directory: &Directory, now: Timestamp) -> Result<Rule, Refusal> {
        if directory.rules.len() >= Rule::MOST {
            return Err(NotificationRefusal::TooManyRules.into());
        }
        require("name", self.name.as_ref())?;
        let timeslot = require("timeslot", self.timeslot)?;
        require("filters", self.filters.as_ref())?;
        Ok(Rule {
            id: RuleId(0),
            owner,
            name: String::new(),
            timeslot,
            filters: Vec::new(),
            recipients: Vec::new(),
            active: true,
            empty_since: Some(now),
        })
    }
}

impl Rule {
    pub fn set_recipients(&mut self, recipients: Vec<Recipient>, now: Timestamp) {
        self.recipients.clear();
        for recipient in recipients {
            if !self.recipients.contains(&recipient) {
                self.recipients.push(recipient);
            }
        }
        self.empty_since = self.recipients.is_empty().then(|| self.empty_since.unwrap_or(now));
    }

    /// Returns the rule without a deleted recipient or channel. `None`: the rule does not name it.
    #[must_use]
    pub fn without(&self, gone: Gone, now: Timestamp) -> Option<Self> {
        let stays = |recipient: &&Recipient| match gone {
            Gone::Contact(uuid) => recipient.who != Addressee::Contact(uuid),
            Gone::Group(uuid) => recipient.who != Addressee::Group(uuid),
            Gone::Channel(uuid) => recipient.channel != Some(uuid),
        };
        let left: Vec<Recipient> = self.recipients.iter().filter(stays).copied().collect();
        (left.len() < self.recipients.len()).then(|| {
            let mut rule = self.clone();
            rule.set_recipients(left, now);
            rule
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_leaves_the_rule_and_says_since_when_nobody_is_left() {
        let (ann, net, mail) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
        let at = Timestamp::saturating_from_micros;
        let mut rule = Rule {
            id: RuleId(1),
            owner: UserId(1),
            name: "r".to_owned(),
            timeslot: TimeslotId(1),
            filters: vec![FilterId(1)],
            recipients: Vec::new(),
            active: true,
            empty_since: None,
        };
        let contact = |channel| Recipient { who: Addressee::Contact(ann), channel };
        let group = Recipient { who: Addressee::Group(net), channel: None };
        rule.set_recipients(vec![contact(None), contact(Some(mail)), group, contact(None)], at(1));
        assert_eq!((rule.recipients.len(), rule.empty_since), (3, None));
        assert_eq!(rule.without(Gone::Contact(net), at(2)), None, "a group is no contact");
        let rule = rule.without(Gone::Channel(mail), at(2)).unwrap();
        assert_eq!(rule.recipients, [contact(None), group]);
        let rule = rule.without(Gone::Group(net), at(3)).unwrap();
        let mut rule = rule.without(Gone::Contact(ann), at(4)).unwrap();
        assert_eq!((rule.recipients.len(), rule.empty_since), (0, Some(at(4))));
        rule.set_recipients(Vec::new(), at(5));
        assert_eq!(rule.empty_since, Some(at(4)));
        rule.set_recipients(vec![group], at(6));
        assert_eq!(rule.empty_since, None);
    }
}

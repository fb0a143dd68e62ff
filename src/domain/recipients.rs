//! Which contacts a rule leads to, by which channel and address, and what stands against it. Pure: contacts are read by
//! whoever calls.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use uuid::Uuid;

use super::{
    channel::Channel,
    channel_types::{ChannelType, find},
    contact::Contact,
    destination::{Destination, EMAIL},
    directory::Directory,
    filter::fold,
    ids::{ChannelId, ContactId, ProfileId, RuleId, UserId},
    plan::{NearReason, NotificationCause},
    rule::{Addressee, Rule},
};

/// A contact is to be told.
#[derive(Clone, Debug)]
pub struct ContactCall {
    pub contact: Arc<Contact>,
    pub channel: Arc<Channel>,
}

/// A contact and the channel that a rule uses; `None`: the channel was deleted.
pub type ContactChannel = (Arc<Contact>, Option<Arc<Channel>>);

/// Reads contacts as they are at the moment of the decision.
pub trait Contacts {
    type Error;
    fn contact(&mut self, uuid: Uuid) -> Result<Option<Arc<Contact>>, Self::Error>;
    fn members_of(&mut self, group: Uuid) -> Result<Vec<Uuid>, Self::Error>;
}

/// Who was told of one event already, over what.
#[derive(Debug, Default)]
pub struct NotifiedAlready {
    /// Folded username, type of channel and comparable address.
    by_profile: FxHashMap<(String, &'static str, String), ProfileId>,
    by_rule: FxHashMap<(ContactId, ChannelId), RuleId>,
}

impl NotifiedAlready {
    /// By e-mail or to a number; what else there is cannot be compared.
    pub fn add_profile(&mut self, directory: &Directory, user: UserId, profile: ProfileId, to: &Destination) {
        let Some(user) = directory.user(user) else { return };
        let Some(known) = compared(&to.medium) else { return };
        let Some(address) = to.settings.get(known.address().key) else { return };
        let key = (fold(&user.username), known.key, comparable(known.key, address));
        self.by_profile.entry(key).or_insert(profile);
    }

    /// What stands against telling `contact` by `rule` over `channel`; if nothing does, it counts as told.
    pub fn call(&mut self, rule: RuleId, contact: &Contact, channel: &Channel) -> Option<NearReason> {
        let reason = self.against(contact, channel);
        if reason.is_none() {
            self.by_rule.insert((contact.id, channel.id), rule);
        }
        reason
    }

    /// What stands against telling `contact` over `channel`.
    #[must_use]
    pub fn against(&self, contact: &Contact, channel: &Channel) -> Option<NearReason> {
        let Some(address) = channel.address_of(contact) else { return Some(NearReason::NoDestination) };
        if let Some(other) = self.by_rule.get(&(contact.id, channel.id)) {
            return Some(NearReason::Covered(NotificationCause::Rule(*other)));
        }
        let profile = self.profile_of(contact, &channel.kind, &address)?;
        Some(NearReason::Covered(NotificationCause::Profile(profile)))
    }

    fn profile_of(&self, contact: &Contact, kind: &str, address: &str) -> Option<ProfileId> {
        if self.by_profile.is_empty() {
            return None;
        }
        let kind = compared(kind)?.key;
        let key = (fold(contact.username.as_ref()?), kind, comparable(kind, address));
        self.by_profile.get(&key).copied()
    }
}

/// Types whose addresses name one person, whether a destination or a contact has them.
fn compared(kind: &str) -> Option<&'static ChannelType> {
    find(kind).filter(|known| known.shows_settings())
}

/// Numbers are written in many ways.
fn comparable(kind: &str, address: &str) -> String {
    if kind == EMAIL { fold(address) } else { address.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect() }
}

/// Whom a rule leads to.
#[derive(Debug, Default)]
pub struct ExpandedRule {
    pub ways: Vec<ContactChannel>,
    /// Number of pairs that were not examined because there were too many.
    pub left_out: usize,
}

/// Each contact with each channel that the rule leads to, once, in the order of recipients, up to so many. Those that do
/// not exist are left out.
pub fn expand<C: Contacts>(
    rule: &Rule,
    directory: &Directory,
    contacts: &mut C,
    room: usize,
) -> Result<ExpandedRule, C::Error> {
    let mut found = ExpandedRule::default();
    let mut met = FxHashSet::default();
    let mut seen = FxHashSet::default();
    for recipient in &rule.recipients {
        let uuids = match recipient.who {
            Addressee::Contact(uuid) => vec![uuid],
            Addressee::Group(group) => contacts.members_of(group)?,
        };
        for uuid in uuids {
            if !met.insert((uuid, recipient.channel)) {
                continue;
            }
            if found.ways.len() >= room {
                found.left_out = found.left_out.saturating_add(1);
                continue;
            }
            let Some(contact) = contacts.contact(uuid)? else { continue };
            let channel = recipient.channel.unwrap_or(contact.default_channel);
            if seen.insert((contact.id, channel)) {
                found.ways.push((contact, directory.channels.get(&channel).cloned()));
            }
        }
    }
    Ok(found)
}

/// The channels by which a rule leads to one contact, as [`expand`] has them; empty: it is none of its recipients.
#[must_use]
pub fn channels_to(rule: &Rule, contact: &Contact) -> Vec<Uuid> {
    let mut channels = Vec::new();
    for recipient in &rule.recipients {
        let is_meant = match recipient.who {
            Addressee::Contact(uuid) => uuid == contact.uuid,
            Addressee::Group(group) => contact.groups.contains(&group),
        };
        let channel = recipient.channel.unwrap_or(contact.default_channel);
        if is_meant && !channels.contains(&channel) {
            channels.push(channel);
        }
    }
    channels
}

#[cfg(test)]
mod tests;

//! Finds the contacts that a rule leads to, with channel and address, and what prevents a notification. Pure: the
//! caller reads the contacts.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use uuid::Uuid;

use super::{
    Addressee, Channel, ChannelId, Contact, ContactId, Destination, Directory, ProfileId, Rule, RuleId, UserId,
    channel_types::{ChannelType, find},
    destination::EMAIL,
    filter::fold,
    plan::{NearReason, NotificationCause},
};

/// A notification of a contact via a channel.
#[derive(Clone, Debug)]
pub struct ContactCall {
    pub contact: Arc<Contact>,
    pub channel: Arc<Channel>,
}

/// A contact with the channel that a rule uses. `None`: the channel was deleted.
pub type ContactChannel = (Arc<Contact>, Option<Arc<Channel>>);

/// Access to contacts as they are at the time of the decision.
pub trait Contacts {
    type Error;
    fn contact(&mut self, uuid: Uuid) -> Result<Option<Arc<Contact>>, Self::Error>;
    fn members_of(&mut self, group: Uuid) -> Result<Vec<Uuid>, Self::Error>;
}

/// Recipients of an event so far, with the addresses at which they are notified.
#[derive(Debug, Default)]
pub struct NotifiedAlready {
    /// Notifications by profiles, by folded username, channel type and comparable address.
    by_profile: FxHashMap<(String, &'static str, String), ProfileId>,
    by_rule: FxHashMap<(ContactId, ChannelId), RuleId>,
}

impl NotifiedAlready {
    /// Adds a notification by a profile. Only e-mail addresses and phone numbers can be compared; others are ignored.
    pub fn add_profile(&mut self, directory: &Directory, user: UserId, profile: ProfileId, to: &Destination) {
        let Some(user) = directory.user(user) else { return };
        let Some(known) = compared(&to.medium) else { return };
        let Some(address) = to.settings.get(known.address().key) else { return };
        let key = (fold(&user.username), known.key, comparable(known.key, address));
        self.by_profile.entry(key).or_insert(profile);
    }

    /// Returns what prevents `rule` from notifying `contact` via `channel`. If nothing does, the notification is added.
    pub fn call(&mut self, rule: RuleId, contact: &Contact, channel: &Channel) -> Option<NearReason> {
        let reason = self.against(contact, channel);
        if reason.is_none() {
            self.by_rule.insert((contact.id, channel.id), rule);
        }
        reason
    }

    /// Returns what prevents notifying `contact` via `channel`.
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

/// Returns the built-in type if its addresses identify one person, both in destinations and for contacts.
fn compared(kind: &str) -> Option<&'static ChannelType> {
    find(kind).filter(|known| known.shows_settings())
}

/// Returns an address in the form in which it is compared. Phone numbers are reduced to digits and plus signs.
fn comparable(kind: &str, address: &str) -> String {
    if kind == EMAIL { fold(address) } else { address.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect() }
}

/// Contacts and channels that a rule leads to.
#[derive(Debug, Default)]
pub struct ExpandedRule {
    pub ways: Vec<ContactChannel>,
    /// Number of pairs that were not examined because there were too many.
    pub left_out: usize,
}

/// Returns each pair of contact and channel that the rule leads to once, in the order of its recipients, at most `room`
/// of them. Contacts and groups that do not exist are left out.
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

/// Returns the channels via which a rule leads to one contact, as in [`expand`]. Empty: the contact is not a recipient.
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

//! Contacts, groups, channels and rules, that come, change and go meanwhile.

use std::collections::BTreeMap;

use argusd::{
    domain::{
        channel::ChannelDraft,
        contact::{Contact, ContactDraft, GroupDraft, OriginEdit},
        ids::{FilterId, RuleId, TimeslotId},
        rule::{Addressee, Recipient, Rule},
    },
    service::WriteMode,
};
use uuid::Uuid;

use super::world::{USERS, World, sorted};

const CHANNELS: [u128; 3] = [0xA1, 0xA2, 0xA3];
const GROUPS: [u128; 3] = [0xB1, 0xB2, 0xB3];
pub(super) const CONTACTS: [u128; 6] = [0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6];

impl World {
    pub(super) async fn hire(&mut self) {
        for uuid in CHANNELS {
            self.put_channel(Uuid::from_u128(uuid)).await;
        }
        for uuid in GROUPS {
            self.put_group(Uuid::from_u128(uuid)).await;
        }
        for uuid in CONTACTS {
            self.put_contact(Uuid::from_u128(uuid)).await;
        }
        for _ in 0..4 {
            self.put_rule(None).await;
        }
    }

    /// Some of it is refused, such as deleting a channel that is somebody's default.
    pub(super) async fn change_people(&mut self) {
        let local = self.local();
        match self.dice.below(100) {
            0..30 => {
                let uuid = self.one_of(&CONTACTS);
                self.put_contact(uuid).await;
            }
            30..36 => {
                let uuid = self.one_of(&CONTACTS);
                let _ = self.service.contacts().delete_contact(&local, uuid).await;
            }
            36..50 => {
                let uuid = self.one_of(&GROUPS);
                self.put_group(uuid).await;
            }
            50..54 => {
                let uuid = self.one_of(&GROUPS);
                let _ = self.service.contacts().delete_contact_group(&local, uuid).await;
            }
            54..60 => {
                let uuid = self.one_of(&CHANNELS);
                let _ = self.service.contacts().delete_channel(&local, uuid).await;
            }
            60..68 => {
                let uuid = self.one_of(&CHANNELS);
                self.put_channel(uuid).await;
            }
            68..74 => {
                let (uuid, kind) = (self.one_of(&CHANNELS), self.kind());
                let change = ChannelDraft { kind: Some(kind), ..ChannelDraft::default() };
                let _ = self.service.contacts().put_channel(&local, Some(uuid), change).await;
            }
            74..80 => {
                let rules: Vec<RuleId> = sorted(self.service.directory().rules.keys());
                if rules.len() > 2 {
                    let id = *self.dice.pick(&rules);
                    self.service.delete::<Rule>(&local, id).await.unwrap();
                }
            }
            _ => self.change_rule().await,
        }
    }

    pub(super) async fn change_rule(&mut self) {
        let rules: Vec<RuleId> = sorted(self.service.directory().rules.keys());
        let id = (rules.len() > 6 || self.dice.percent(60)).then(|| self.dice.pick(&rules.clone()).to_owned());
        self.put_rule(id.filter(|_| !rules.is_empty())).await;
    }

    /// All that there are.
    pub(super) fn contacts(&self) -> Vec<Contact> {
        let snapshot = self.service.store().snapshot().unwrap();
        CONTACTS.iter().filter_map(|uuid| snapshot.contact(Uuid::from_u128(*uuid)).unwrap()).collect()
    }

    fn one_of(&mut self, uuids: &[u128]) -> Uuid {
        Uuid::from_u128(*self.dice.pick(uuids))
    }

    fn kind(&mut self) -> String {
        (*self.dice.pick(&["email", "email", "email", "sms"])).to_owned()
    }

    async fn put_channel(&mut self, uuid: Uuid) {
        let (local, kind) = (self.local(), self.kind());
        let new = ChannelDraft {
            uuid: Some(uuid),
            name: Some(uuid.to_string()),
            kind: Some(kind),
            ..ChannelDraft::default()
        };
        let _ = self.service.contacts().put_channel(&local, None, new).await;
    }

    async fn put_contact(&mut self, uuid: Uuid) {
        let local = self.local();
        let linked = self.dice.percent(40).then(|| *self.dice.pick(&USERS));
        let address = match linked {
            Some(user) if self.dice.percent(70) => format!("{}@Example.org", user.to_uppercase()),
            _ => format!("c{}@example.org", self.dice.below(4)),
        };
        let mut addresses = BTreeMap::new();
        if self.dice.percent(90) {
            addresses.insert("email".to_owned(), address);
        }
        if self.dice.percent(60) {
            addresses.insert("sms".to_owned(), format!("+479999999{}", self.dice.below(4)));
        }
        let groups = self.dice.some(&GROUPS, 45).into_iter().map(Uuid::from_u128).collect();
        let draft = ContactDraft {
            uuid,
            full_name: uuid.to_string(),
            username: linked.map(str::to_uppercase),
            default_channel: self.one_of(&CHANNELS),
            groups: Some(groups),
            addresses,
            origin: OriginEdit::Keep,
        };
        let _ = self.service.contacts().store_contact(&local, WriteMode::Put, draft).await;
    }

    async fn put_group(&mut self, uuid: Uuid) {
        let local = self.local();
        let there: Vec<Uuid> = self.contacts().iter().map(|contact| contact.uuid).collect();
        let users = self.dice.percent(70).then(|| self.dice.some(&there, 50));
        let draft = GroupDraft { uuid, name: uuid.to_string(), users, origin: OriginEdit::Keep };
        self.service.contacts().store_contact_group(&local, WriteMode::Put, draft).await.unwrap();
    }

    async fn put_rule(&mut self, id: Option<RuleId>) {
        let directory = self.service.directory();
        let owner = id.map_or_else(|| self.user(), |id| directory.rules[&id].owner);
        let timeslots: Vec<TimeslotId> = sorted(directory.timeslots_of(owner).into_iter().map(|it| &it.id));
        // Of those that have one.
        let Some(timeslot) = (!timeslots.is_empty()).then(|| *self.dice.pick(&timeslots)) else { return };
        let filters: Vec<FilterId> = sorted(directory.filters.keys());
        let mut chosen = vec![*self.dice.pick(&filters)];
        if self.dice.percent(20) {
            chosen.push(*self.dice.pick(&filters));
            chosen.dedup();
        }
        let channels: Vec<Uuid> = sorted(directory.channels.keys());
        let recipients = self.recipients(&channels);
        let active = self.dice.percent(90);
        self.write(move |command| {
            let now = command.now();
            let id = id.unwrap_or_else(|| command.new_rule_id());
            let mut rule = Rule {
                id,
                owner,
                name: format!("r{id}"),
                timeslot,
                filters: chosen,
                recipients: Vec::new(),
                active,
                empty_since: None,
            };
            rule.set_recipients(recipients, now);
            command.put_rule(rule);
        })
        .await;
    }

    fn recipients(&mut self, channels: &[Uuid]) -> Vec<Recipient> {
        let snapshot = self.service.store().snapshot().unwrap();
        let contacts = CONTACTS.iter().filter(|uuid| snapshot.contact(Uuid::from_u128(**uuid)).unwrap().is_some());
        let groups = GROUPS.iter().filter(|uuid| snapshot.contact_group(Uuid::from_u128(**uuid)).unwrap().is_some());
        let everybody: Vec<Addressee> = contacts
            .map(|uuid| Addressee::Contact(Uuid::from_u128(*uuid)))
            .chain(groups.map(|uuid| Addressee::Group(Uuid::from_u128(*uuid))))
            .collect();
        let mut recipients = Vec::new();
        for who in self.dice.some(&everybody, 35) {
            let channel = (!channels.is_empty() && self.dice.percent(40)).then(|| *self.dice.pick(channels));
            recipients.push(Recipient { who, channel });
        }
        recipients
    }
}

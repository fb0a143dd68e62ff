//! Demo data for notifications: profiles and what they require, planned maintenance, contacts and a rule.

use std::collections::{BTreeMap, BTreeSet};

use uuid::{Builder, Uuid};

use super::{PEOPLE, story};
use crate::domain::{
    Addressee, Channel, Contact, ContactGroup, Destination, DestinationId, EventType, FilterBlob, FilterId, Level,
    Maintenance, Profile, Recipient, Recurrence, Rule, SourceId, StoredFilter, TimeOfDay, Timeslot, TimeslotId, UserId,
    destination, timeslot::all_the_time,
};
use crate::generate::dice::Dice;
use crate::service::{Command, ServiceError};

const HOUR: i64 = 3_600_000_000;
/// A number that the British regulator reserves for films. Nobody has it.
const NOBODYS_NUMBER: &str = "+447700900123";
const ORIGIN: &str = "demo";

/// Creates all of it. `host` is the tag of the host for which current maintenance is planned.
pub(super) fn put(
    command: &mut Command<'_>,
    dice: &mut Dice,
    maker: UserId,
    people: [UserId; story::PEOPLE],
    sources: [SourceId; story::SYSTEMS],
    host: String,
) -> Result<(), ServiceError> {
    let [kari, ola, amina] = people;
    let [network, servers, apps, _] = sources;
    let mut world = DemoWorld { command, dice };

    let urgent = FilterBlob { max_level: Some(Level::HIGH), open: Some(true), ..FilterBlob::default() };
    let urgent = world.filter(kari, "Urgent and open", true, urgent);
    let from = |source| FilterBlob { source_ids: Some(vec![source]), ..FilterBlob::default() };
    let of_network = world.filter(kari, "The network", true, from(network));
    let tags = |tags: Vec<String>| FilterBlob { tags: Some(tags), ..FilterBlob::default() };
    let disks = world.filter(
        ola,
        "Disks of the servers",
        false,
        FilterBlob { source_ids: Some(vec![servers]), ..tags(vec!["problem_type=disk".to_owned()]) },
    );
    let kinds = Some(vec![EventType::Start, EventType::Restart, EventType::End]);
    let of_apps =
        world.filter(amina, "Comings and goings of apps", false, FilterBlob { event_types: kinds, ..from(apps) });
    let repaired = world.filter(kari, "What is being repaired", true, tags(vec![host]));
    let halls = ["location=bergen-datacentre", "location=bergen-main"].map(str::to_owned).to_vec();
    let in_bergen = world.filter(kari, "Bergen", true, tags(halls));

    let office = world.timeslot(kari, "Office hours", vec![(1..=5, 8, 16)]);
    let free = world.timeslot(kari, "Nights and weekends", vec![(1..=5, 0, 8), (1..=5, 16, 24), (6..=7, 0, 24)]);
    let days = world.timeslot(ola, "Working days", vec![(1..=5, 7, 17)]);
    let always = world.timeslot(amina, "On call this month", vec![(1..=7, 0, 24)]);

    let desk = world.email(kari, "Network desk", "network-desk");
    let phone = world.destination(kari, destination::SMS, "Phone on call", destination::PHONE_NUMBER, NOBODYS_NUMBER);
    let list = world.email(ola, "Server list", "servers");
    let pager = world.email(amina, "Pager", "amina.pager");

    world.profile(kari, "The network by day", office, vec![of_network], vec![desk]);
    world.profile(kari, "What cannot wait", free, vec![urgent], vec![desk, phone]);
    world.profile(ola, "Disks", days, vec![disks], vec![list]);
    world.profile(amina, "On call for apps", always, vec![of_apps, urgent], vec![pager]);

    world.maintenance(kari, (-2, 4), "The box is being replaced, spare parts are on site", repaired);
    world.maintenance(kari, (30, 36), "Power work in both halls in Bergen", in_bergen);
    world.maintenance(kari, (-60, -54), "New software on the core routers", of_network);
    world.contacts(maker, vec![urgent])
}

struct DemoWorld<'a, 'c> {
    command: &'a mut Command<'c>,
    dice: &'a mut Dice,
}

type Hours = (std::ops::RangeInclusive<u8>, u64, u64);

impl DemoWorld<'_, '_> {
    fn filter(&mut self, owner: UserId, name: &str, public: bool, blob: FilterBlob) -> FilterId {
        let id = self.command.new_filter_id();
        self.command.put_filter(StoredFilter { id, owner, name: name.to_owned(), public, blob });
        id
    }

    fn timeslot(&mut self, owner: UserId, name: &str, hours: Vec<Hours>) -> TimeslotId {
        let id = self.command.new_timeslot_id();
        let at = |hour: u64| if hour == 24 { TimeOfDay::LAST } else { TimeOfDay(hour * HOUR as u64) };
        let recurrences = hours
            .into_iter()
            .map(|(days, start, end)| Recurrence { days: days.collect(), start: at(start), end: at(end) })
            .collect();
        self.command.put_timeslot(Timeslot { id, owner, name: name.to_owned(), recurrences });
        id
    }

    fn email(&mut self, owner: UserId, label: &str, mailbox: &str) -> DestinationId {
        let address = format!("{mailbox}@example.org");
        self.destination(owner, destination::EMAIL, label, destination::EMAIL_ADDRESS, &address)
    }

    fn destination(&mut self, owner: UserId, medium: &str, label: &str, key: &str, value: &str) -> DestinationId {
        let id = self.command.new_destination_id();
        self.command.put_destination(Destination {
            id,
            owner,
            medium: medium.to_owned(),
            label: Some(label.to_owned()),
            settings: BTreeMap::from([(key.to_owned(), value.to_owned())]),
            synced: false,
        });
        id
    }

    fn profile(
        &mut self,
        owner: UserId,
        name: &str,
        timeslot: TimeslotId,
        filters: Vec<FilterId>,
        destinations: Vec<DestinationId>,
    ) {
        let id = self.command.new_profile_id();
        let name = Some(name.to_owned());
        self.command.put_profile(Profile { id, owner, name, timeslot, filters, destinations, active: false });
    }

    /// Plans maintenance. Start and end are in hours from now.
    fn maintenance(&mut self, by: UserId, (from, until): (i64, i64), description: &str, filter: FilterId) {
        let now = self.command.now();
        let start = now.saturating_add_micros(from * HOUR);
        let id = self.command.new_maintenance_id();
        self.command.put_maintenance(Maintenance {
            id,
            created_by: by,
            created: start.saturating_add_micros(-HOUR).min(now),
            start,
            end: Some(now.saturating_add_micros(until * HOUR)),
            description: description.to_owned(),
            filters: vec![filter],
        });
    }

    /// Creates the users as contacts in a group, one more contact that is not a user, and a rule that notifies the
    /// group.
    fn contacts(&mut self, maker: UserId, filters: Vec<FilterId>) -> Result<(), ServiceError> {
        const GROUP: &str = "Operations on call";
        const CHANNEL: &str = "Mail (demo)";
        const RULE: &str = "Whatever is urgent goes to operations";
        let directory = self.command.directory();
        let is_taken = directory.channel_named(CHANNEL).is_some()
            || directory.rules.values().any(|rule| rule.name == RULE)
            || self.command.contact_group_named(GROUP)?.is_some();
        if is_taken {
            return Ok(());
        }
        let channel = Channel {
            id: self.command.new_channel_id(),
            uuid: self.uuid(),
            name: CHANNEL.to_owned(),
            kind: destination::EMAIL.to_owned(),
            config: None,
            offered: false,
        };
        self.command.put_channel(channel.clone());
        let group = self.uuid();
        let id = self.command.new_contact_group_id();
        let origin = Some(ORIGIN.to_owned());
        self.command.put_contact_group(ContactGroup {
            id,
            uuid: group,
            name: GROUP.to_owned(),
            origin: origin.clone(),
        });
        let known = PEOPLE.iter().map(|it| (it.full_name(), Some(it.username), it.email()));
        let guard = ("The night guard".to_owned(), None, "guard@example.org".to_owned());
        for (full_name, username, address) in known.chain([guard]) {
            // A contact with this username may exist already.
            let username = match username {
                Some(name) if self.command.contact_named(name)?.is_none() => Some(name.to_owned()),
                _ => None,
            };
            let contact = Contact {
                id: self.command.new_contact_id(),
                uuid: self.uuid(),
                full_name,
                username,
                default_channel: channel.uuid,
                groups: BTreeSet::from([group]),
                addresses: BTreeMap::from([(destination::EMAIL.to_owned(), address)]),
                origin: origin.clone(),
            };
            self.command.put_contact(contact);
        }
        let timeslot = self.own_timeslot(maker);
        let id = self.command.new_rule_id();
        self.command.put_rule(Rule {
            id,
            owner: maker,
            name: RULE.to_owned(),
            timeslot,
            filters,
            recipients: vec![Recipient { who: Addressee::Group(group), channel: None }],
            active: false,
            empty_since: None,
        });
        Ok(())
    }

    fn own_timeslot(&mut self, owner: UserId) -> TimeslotId {
        if let Some(own) = self.command.directory().timeslots_of(owner).first() {
            return own.id;
        }
        let timeslot = all_the_time(self.command.new_timeslot_id(), owner);
        let id = timeslot.id;
        self.command.put_timeslot(timeslot);
        id
    }

    fn uuid(&mut self) -> Uuid {
        let bytes = (u128::from(self.dice.roll()) << 64) | u128::from(self.dice.roll());
        Builder::from_random_bytes(bytes.to_be_bytes()).into_uuid()
    }
}

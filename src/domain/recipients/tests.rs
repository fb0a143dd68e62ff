//! Tests that each recipient is notified once, and not if a profile notified the same person.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
};

use super::*;
use crate::domain::{
    destination::{EMAIL_ADDRESS, PHONE_NUMBER},
    ids::{FilterId, TimeslotId},
    rule::Recipient,
    time::Timestamp,
    user::User,
};

const MAIL: Uuid = Uuid::from_u128(1);
const SMS: Uuid = Uuid::from_u128(2);
const NET: Uuid = Uuid::from_u128(3);

struct Book(Vec<Arc<Contact>>);

impl Contacts for Book {
    type Error = Infallible;

    fn contact(&mut self, uuid: Uuid) -> Result<Option<Arc<Contact>>, Infallible> {
        Ok(self.0.iter().find(|it| it.uuid == uuid).cloned())
    }

    fn members_of(&mut self, group: Uuid) -> Result<Vec<Uuid>, Infallible> {
        Ok(self.0.iter().filter(|it| it.groups.contains(&group)).map(|it| it.uuid).collect())
    }
}

fn contact(n: u64, groups: &[Uuid]) -> Arc<Contact> {
    let addresses = [("email", format!("c{n}@example.org")), ("sms", format!("+47 {n}"))];
    Arc::new(Contact {
        id: ContactId(n),
        uuid: Uuid::from_u128(100 + u128::from(n)),
        full_name: format!("Contact {n}"),
        username: Some(format!("C{n}")),
        default_channel: MAIL,
        groups: groups.iter().copied().collect::<BTreeSet<_>>(),
        addresses: addresses.map(|(kind, address)| (kind.to_owned(), address)).into(),
        origin: None,
    })
}

fn channel(id: u64, uuid: Uuid, kind: &str) -> Arc<Channel> {
    let (kind, name) = (kind.to_owned(), kind.to_owned());
    Arc::new(Channel { id: ChannelId(id), uuid, name, kind, config: None, offered: false })
}

fn directory() -> Directory {
    let mut directory = Directory::default();
    directory.channels.insert(MAIL, channel(1, MAIL, "email"));
    directory.channels.insert(SMS, channel(2, SMS, "sms"));
    directory.put_user(User {
        id: UserId(1),
        username: "c1".to_owned(),
        password_hash: None,
        first_name: String::new(),
        last_name: String::new(),
        email: String::new(),
        is_staff: false,
        is_superuser: false,
        is_active: true,
        created: Timestamp::MIN,
        grants: Vec::new(),
    });
    directory
}

fn rule(recipients: Vec<Recipient>) -> Rule {
    Rule {
        id: RuleId(1),
        owner: UserId(1),
        name: "r".to_owned(),
        timeslot: TimeslotId(1),
        filters: vec![FilterId(1)],
        recipients,
        active: true,
        empty_since: None,
    }
}

#[test]
fn groups_are_their_members_and_nobody_is_there_twice() {
    let people = vec![contact(1, &[NET]), contact(2, &[NET]), contact(3, &[])];
    let one = people[0].uuid;
    let gone = Uuid::from_u128(7);
    let rule = rule(vec![
        Recipient { who: Addressee::Contact(one), channel: None },
        Recipient { who: Addressee::Group(NET), channel: None },
        Recipient { who: Addressee::Group(NET), channel: Some(SMS) },
        Recipient { who: Addressee::Contact(gone), channel: None },
        Recipient { who: Addressee::Contact(one), channel: Some(gone) },
    ]);
    let expanded = |room| expand(&rule, &directory(), &mut Book(people.clone()), room).unwrap();
    let ways = expanded(usize::MAX).ways;
    let shown: Vec<_> = ways.iter().map(|(who, by)| (who.id.0, by.as_ref().map(|it| it.id.0))).collect();
    assert_eq!(shown, [(1, Some(1)), (2, Some(1)), (1, Some(2)), (2, Some(2)), (1, None)]);
    for room in 0..ways.len() {
        let few = expanded(room);
        assert!(few.ways.len() == room && few.left_out >= ways.len() - room, "{room}: {few:?}");
    }
    assert_eq!(expanded(ways.len()).ways.len(), ways.len());
    for person in &people {
        let by_rule = ways.iter().filter(|(who, _)| who.id == person.id).count();
        assert_eq!(channels_to(&rule, person).len(), by_rule, "both see the same");
    }
}

#[test]
fn what_a_profile_told_is_not_told_again() {
    let destination = |medium: &str, key: &str, address: &str| Destination {
        id: crate::domain::ids::DestinationId(1),
        owner: UserId(1),
        medium: medium.to_owned(),
        label: None,
        settings: BTreeMap::from([(key.to_owned(), address.to_owned())]),
        synced: false,
    };
    let (directory, person) = (directory(), contact(1, &[]));
    let (mail, sms) = (&directory.channels[&MAIL], &directory.channels[&SMS]);
    let mut notified = NotifiedAlready::default();
    notified.add_profile(&directory, UserId(1), ProfileId(4), &destination("sms", PHONE_NUMBER, "+471"));
    let covered = Some(NearReason::Covered(NotificationCause::Profile(ProfileId(4))));
    assert_eq!(notified.call(RuleId(1), &person, sms), covered);
    assert_eq!(notified.call(RuleId(1), &contact(2, &[]), sms), None, "somebody else's number");
    assert_eq!(notified.call(RuleId(1), &person, mail), None);
    assert_eq!(notified.call(RuleId(2), &person, mail), Some(NearReason::Covered(NotificationCause::Rule(RuleId(1)))));
    let mut notified = NotifiedAlready::default();
    notified.add_profile(&directory, UserId(1), ProfileId(4), &destination("email", EMAIL_ADDRESS, "C1@Example.org"));
    assert_eq!(notified.call(RuleId(1), &person, mail), covered);
}

#[test]
fn without_an_address_there_is_no_way() {
    let mut person = Contact::clone(&contact(1, &[]));
    person.addresses.clear();
    let mail = channel(1, MAIL, "email");
    assert_eq!(NotifiedAlready::default().call(RuleId(1), &person, &mail), Some(NearReason::NoDestination));
    let mut hook = Channel::clone(&channel(3, NET, "webhook"));
    assert_eq!(NotifiedAlready::default().call(RuleId(1), &person, &hook), Some(NearReason::NoDestination));
    hook.config = Some([("url".to_owned(), "https://x".into())].into_iter().collect());
    assert_eq!(NotifiedAlready::default().call(RuleId(1), &person, &hook), None);
    assert_eq!(
        NotifiedAlready::default().call(RuleId(1), &person, &hook.without_secrets()),
        None,
        "versions say the same"
    );
}

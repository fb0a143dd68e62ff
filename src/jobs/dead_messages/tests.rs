//! Tests of which failed messages count: they are added, sent, checked and removed.

use super::*;
use crate::domain::{
    ids::{EventId, IncidentId, ProfileId, RuleId, UserId},
    message::MessageSubject,
};

const MAIL: ChannelId = ChannelId(7);
const ALICE: DestinationId = DestinationId(1);

const fn at(micros: i64) -> Timestamp {
    Timestamp::saturating_from_micros(micros)
}

fn message(id: u64, destination: DestinationId, state: MessageState) -> Arc<Message> {
    Arc::new(Message {
        id: MessageId(id),
        created: at(0),
        about: MessageSubject::Event { incident: IncidentId(1), event: EventId(1) },
        route: Route::Destination { user: UserId(1), profile: ProfileId(1), destination, medium: "email".to_owned() },
        address: String::new(),
        state,
        attempts: 1,
        last_attempt: None,
        answer: String::new(),
    })
}

fn dead(id: u64, micros: i64) -> Arc<Message> {
    message(id, ALICE, MessageState::Dead { at: at(micros) })
}

fn delivered(id: u64, micros: i64) -> Arc<Message> {
    message(id, ALICE, MessageState::Delivered { at: at(micros) })
}

#[test]
fn a_destination_is_stuck_until_something_is_delivered_to_it() {
    let known = DeadMessages::default();
    assert!(known.note(&[dead(1, 10), dead(2, 20)]));
    assert_eq!(known.stuck(), [(ALICE, 2, at(20))]);
    assert!(!known.note(&[message(9, DestinationId(2), MessageState::Delivered { at: at(25) })]));
    assert_eq!(known.stuck(), [(ALICE, 2, at(20))], "somebody else's");
    assert!(known.note(&[delivered(3, 30)]));
    assert_eq!(known.stuck(), []);
    assert!(known.note(&[dead(4, 40)]));
    assert_eq!(known.stuck(), [(ALICE, 1, at(40))], "those before are not counted again");
}

#[test]
fn what_was_delivered_before_does_not_help() {
    let known = DeadMessages::default();
    known.note(&[delivered(1, 10), dead(2, 20)]);
    assert_eq!(known.stuck(), [(ALICE, 1, at(20))]);
}

#[test]
fn a_letter_that_is_sent_again_is_not_dead() {
    let known = DeadMessages::default();
    known.note(&[dead(1, 10)]);
    assert!(known.note(&[message(1, ALICE, MessageState::Due { at: at(20), since: at(20) })]));
    assert_eq!(known.stuck(), []);
    known.note(&[dead(1, 30)]);
    assert_eq!(known.stuck(), [(ALICE, 1, at(30))]);
    known.forget();
    assert_eq!(known.stuck(), []);
}

#[test]
fn a_clock_that_is_set_back_makes_no_delivery_older_than_what_died_before() {
    let known = DeadMessages::default();
    known.note(&[dead(1, 1_000)]);
    assert!(known.note(&[delivered(2, 10)]));
    assert_eq!(known.stuck(), []);
    known.note(&[dead(3, 20)]);
    assert_eq!(known.stuck(), [(ALICE, 1, at(20))]);
    known.note(&[delivered(4, 5)]);
    assert_eq!(known.stuck(), []);
}

fn to_contact(id: u64, contact: u64, state: MessageState) -> Arc<Message> {
    let route = Route::Contact {
        rule: RuleId(1),
        contact: ContactId(contact),
        uuid: Uuid::from_u128(u128::from(contact)),
        full_name: format!("Contact {contact}"),
        channel: MAIL,
        medium: "email".to_owned(),
    };
    Arc::new(Message { route, ..Message::clone(&message(id, ALICE, state)) })
}

#[test]
fn each_contact_of_a_channel_is_stuck_by_itself() {
    let known = DeadMessages::default();
    let died = |id, contact, micros| to_contact(id, contact, MessageState::Dead { at: at(micros) });
    known.note(&[died(1, 1, 10), died(2, 1, 20), died(3, 2, 15)]);
    known.note(&[to_contact(4, 2, MessageState::Delivered { at: at(30) })]);
    let first =
        Unreached { channel: MAIL, full_name: "Contact 1".to_owned(), messages: 2, oldest: at(10), newest: at(20) };
    assert_eq!((known.unreached(), known.stuck()), (vec![first.clone()], vec![]));
    known.note(&[died(5, 2, 40)]);
    assert_eq!(known.unreached().len(), 2);
    known.note(&[
        to_contact(6, 1, MessageState::Delivered { at: at(50) }),
        to_contact(7, 2, MessageState::Delivered { at: at(50) }),
    ]);
    assert_eq!(known.unreached(), []);
}

#[test]
fn what_does_not_count_is_asked_about_once() {
    let known = DeadMessages::default();
    let died = |id, contact| to_contact(id, contact, MessageState::Dead { at: at(10) });
    known.note(&[died(1, 1), died(2, 1), died(3, 2)]);
    let mut doubtful = known.doubtful();
    doubtful.sort_by_key(|it| it.message);
    assert_eq!(doubtful.len(), 3);
    assert!(doubtful.iter().all(|it| it.incident.is_some()));
    known.settle(&doubtful[0], true);
    known.settle(&doubtful[1], false);
    known.settle(&doubtful[2], false);
    let unreached: Vec<_> = known.unreached().into_iter().map(|it| (it.full_name, it.messages)).collect();
    assert_eq!(unreached, [("Contact 1".to_owned(), 1)]);
    let again = known.doubtful();
    assert_eq!((again.len(), again[0].contact, again[0].incident), (1, ContactId(1), None));
}

#[test]
fn a_deleted_message_does_not_count() {
    let known = DeadMessages::default();
    known.note(&[dead(1, 10), dead(2, 20)]);
    assert!(known.remove(&[dead(2, 20)]));
    assert_eq!(known.stuck(), [(ALICE, 1, at(10))]);
    assert!(known.remove(&[dead(1, 10)]));
    assert_eq!(known.stuck(), []);
    assert!(!known.remove(&[dead(1, 10), delivered(3, 30)]));
}

//! Failed messages are added and removed.

use super::*;
use crate::domain::{
    ids::{EventId, IncidentId, ProfileId, RuleId, UserId},
    message::About,
};

const MAIL: ChannelId = ChannelId(7);
const ALICE: DestinationId = DestinationId(1);

const fn at(micros: i64) -> Timestamp {
    Timestamp::saturating_from_micros(micros)
}

fn message(id: u64, destination: DestinationId, state: State) -> Arc<Message> {
    Arc::new(Message {
        id: MessageId(id),
        created: at(0),
        about: About::Event { incident: IncidentId(1), event: EventId(1) },
        route: Route::Destination { user: UserId(1), profile: ProfileId(1), destination, medium: "email".to_owned() },
        address: String::new(),
        state,
        attempts: 1,
        last_attempt: None,
        answer: String::new(),
    })
}

fn dead(id: u64, micros: i64) -> Arc<Message> {
    message(id, ALICE, State::Dead { at: at(micros) })
}

fn delivered(id: u64, micros: i64) -> Arc<Message> {
    message(id, ALICE, State::Delivered { at: at(micros) })
}

#[test]
fn a_destination_is_stuck_until_something_is_delivered_to_it() {
    let letters = DeadLetters::default();
    assert!(letters.note(&[dead(1, 10), dead(2, 20)]));
    assert_eq!(letters.stuck(), [(ALICE, 2, at(20))]);
    assert!(!letters.note(&[message(9, DestinationId(2), State::Delivered { at: at(25) })]));
    assert_eq!(letters.stuck(), [(ALICE, 2, at(20))], "somebody else's");
    assert!(letters.note(&[delivered(3, 30)]));
    assert_eq!(letters.stuck(), []);
    assert!(letters.note(&[dead(4, 40)]));
    assert_eq!(letters.stuck(), [(ALICE, 1, at(40))], "those before are not counted again");
}

#[test]
fn what_was_delivered_before_does_not_help() {
    let letters = DeadLetters::default();
    letters.note(&[delivered(1, 10), dead(2, 20)]);
    assert_eq!(letters.stuck(), [(ALICE, 1, at(20))]);
}

#[test]
fn a_letter_that_is_sent_again_is_not_dead() {
    let letters = DeadLetters::default();
    letters.note(&[dead(1, 10)]);
    assert!(letters.note(&[message(1, ALICE, State::Due { at: at(20), since: at(20) })]));
    assert_eq!(letters.stuck(), []);
    letters.note(&[dead(1, 30)]);
    assert_eq!(letters.stuck(), [(ALICE, 1, at(30))]);
    letters.forget();
    assert_eq!(letters.stuck(), []);
}

#[test]
fn a_clock_that_is_set_back_makes_no_delivery_older_than_what_died_before() {
    let letters = DeadLetters::default();
    letters.note(&[dead(1, 1_000)]);
    assert!(letters.note(&[delivered(2, 10)]));
    assert_eq!(letters.stuck(), []);
    letters.note(&[dead(3, 20)]);
    assert_eq!(letters.stuck(), [(ALICE, 1, at(20))]);
    letters.note(&[delivered(4, 5)]);
    assert_eq!(letters.stuck(), []);
}

fn to_contact(id: u64, contact: u64, state: State) -> Arc<Message> {
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
    let letters = DeadLetters::default();
    let died = |id, contact, micros| to_contact(id, contact, State::Dead { at: at(micros) });
    letters.note(&[died(1, 1, 10), died(2, 1, 20), died(3, 2, 15)]);
    letters.note(&[to_contact(4, 2, State::Delivered { at: at(30) })]);
    let first =
        Unreached { channel: MAIL, full_name: "Contact 1".to_owned(), letters: 2, oldest: at(10), newest: at(20) };
    assert_eq!((letters.unreached(), letters.stuck()), (vec![first.clone()], vec![]));
    letters.note(&[died(5, 2, 40)]);
    assert_eq!(letters.unreached().len(), 2);
    letters
        .note(&[to_contact(6, 1, State::Delivered { at: at(50) }), to_contact(7, 2, State::Delivered { at: at(50) })]);
    assert_eq!(letters.unreached(), []);
}

#[test]
fn what_does_not_count_is_asked_about_once() {
    let letters = DeadLetters::default();
    let died = |id, contact| to_contact(id, contact, State::Dead { at: at(10) });
    letters.note(&[died(1, 1), died(2, 1), died(3, 2)]);
    let mut doubtful = letters.doubtful();
    doubtful.sort_by_key(|it| it.message);
    assert_eq!(doubtful.len(), 3);
    assert!(doubtful.iter().all(|it| it.incident.is_some()));
    letters.settle(&doubtful[0], true);
    letters.settle(&doubtful[1], false);
    letters.settle(&doubtful[2], false);
    let unreached: Vec<_> = letters.unreached().into_iter().map(|it| (it.full_name, it.letters)).collect();
    assert_eq!(unreached, [("Contact 1".to_owned(), 1)]);
    let again = letters.doubtful();
    assert_eq!((again.len(), again[0].contact, again[0].incident), (1, ContactId(1), None));
}

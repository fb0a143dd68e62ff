//! Dead letters come and go.

use super::*;
use crate::domain::{
    ids::{EventId, IncidentId, ProfileId, UserId},
    message::About,
};

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

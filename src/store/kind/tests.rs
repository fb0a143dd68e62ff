//! The numbers and tables of the kinds.

use super::*;

#[test]
fn the_numbers_of_subjects_stay() {
    let known = [
        (Subject::User, 0, 0),
        (Subject::Token, 1, 1),
        (Subject::Source, 2, 2),
        (Subject::SourceType, 3, 3),
        (Subject::Timeslot, 4, 4),
        (Subject::Destination, 5, 5),
        (Subject::Filter, 6, 6),
        (Subject::Profile, 7, 7),
        (Subject::Maintenance, 8, 8),
        (Subject::Settings, 9, 9),
        (Subject::Channel, 10, 10),
        (Subject::Contact, 11, 128),
        (Subject::ContactGroup, 12, 129),
        (Subject::Rule, 13, 11),
    ];
    assert_eq!(known.len(), Subject::ALL.len(), "each has its numbers here");
    for (subject, logged, byte) in known {
        assert_eq!((subject.logged(), subject.byte()), (logged, byte), "{subject:?}");
        assert_eq!(Subject::logged_as(logged), Some(subject));
    }
    assert_eq!(Subject::logged_as(14 + u32::MAX / 2), None);
}

#[test]
fn no_two_kinds_share_a_number_or_a_table() {
    let distinct = |mut numbers: Vec<u32>| {
        let all = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.len() == all
    };
    assert!(distinct(Subject::ALL.iter().map(|subject| subject.logged()).collect()));
    assert!(distinct(Subject::ALL.iter().map(|subject| subject.byte().into()).collect()));
    let tables: std::collections::BTreeSet<&str> = KINDS.iter().map(|kind| kind.table()).collect();
    assert_eq!(tables.len(), KINDS.len());
}

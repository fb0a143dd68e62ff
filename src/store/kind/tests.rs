//! Tests of the numbers and tables of the kinds.

use super::*;

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

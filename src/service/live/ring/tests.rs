//! The ring stays within its bounds, and each reader gets every change or a notice that there were too many.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::domain::{ids::SourceId, time::Timestamp};

const SMALL: RingBounds = RingBounds { batches: 6, changes: 20, bytes: 16 << 10 };

fn incident(id: u64, ticket_url: String, description: usize) -> Arc<Incident> {
    Arc::new(Incident {
        description: "x".repeat(description),
        ticket_url,
        metadata: String::new(),
        ..Incident::new(IncidentId(id), SourceId(1), Timestamp::saturating_from_micros(0))
    })
}

#[derive(Clone, Debug)]
enum Step {
    /// Incidents, each with the length of its description.
    Push(Vec<(u64, usize)>),
    Message(u64),
    Forget,
    Read(usize),
    /// A reader that has seen everything up to a change, counted back from the last one.
    Join(usize, u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => vec((0..5_u64, 0..2_000_usize), 1..8).prop_map(Step::Push),
        1 => vec((0..50_u64, 0..9_000_usize), 1..40).prop_map(Step::Push),
        2 => (0..5_u64).prop_map(Step::Message),
        1 => Just(Step::Forget),
        6 => (0..3_usize).prop_map(Step::Read),
        2 => ((0..3_usize), (0..8_u64)).prop_map(|(reader, back)| Step::Join(reader, back)),
    ]
}

/// Position of a reader, and the ticket URL of each incident as the reader knows it.
#[derive(Clone, Default)]
struct Believer {
    next: u64,
    tickets: BTreeMap<u64, String>,
}

proptest! {
    #[test]
    fn it_is_bounded_and_nothing_is_missed(steps in vec(step(), 1..80)) {
        let mut ring = Ring::new(0, SMALL);
        let mut truth: BTreeMap<u64, String> = BTreeMap::new();
        // The state after each change.
        let mut history = vec![truth.clone()];
        let mut readers = vec![Believer::default(); 3];
        for step in steps {
            match step {
                Step::Push(changed) => {
                    let mut changes = Vec::new();
                    for (id, description) in changed {
                        let seq = history.len() as u64;
                        let ticket = format!("t{seq}");
                        let before = truth.insert(id, ticket.clone()).map(|old| incident(id, old, description));
                        changes.push(IncidentChange { before, after: Some(incident(id, ticket, description)) });
                        history.push(truth.clone());
                    }
                    ring.push(history.len() as u64 - 1, &changes, Vec::new());
                }
                Step::Message(id) => {
                    let seq = ring.last;
                    ring.push(seq, &[], vec![IncidentId(id)]);
                }
                Step::Forget => ring.forget(),
                Step::Read(reader) => {
                    let reader = &mut readers[reader];
                    match ring.range(reader.next, ring.end()) {
                        Some(entries) => {
                            for change in entries.iter().flat_map(|entry| &entry.incidents) {
                                let after = change.after.as_ref().unwrap();
                                let before = change.before.as_ref().map(|before| &before.ticket_url);
                                prop_assert_eq!(before, reader.tickets.get(&after.id.0));
                                reader.tickets.insert(after.id.0, after.ticket_url.clone());
                            }
                        }
                        None => reader.tickets.clone_from(&truth),
                    }
                    reader.next = ring.end();
                    prop_assert_eq!(&reader.tickets, &truth);
                }
                Step::Join(reader, back) => {
                    let known = ring.last.saturating_sub(back);
                    // Batches are read as a whole, so a reader can only know the state after one of them.
                    let is_boundary = known == ring.last || ring.entries.iter().any(|entry| entry.seq == known);
                    if let Some(next) = ring.after(known).filter(|_| is_boundary) {
                        readers[reader] = Believer { next, tickets: history[known as usize].clone() };
                    }
                }
            }
            prop_assert!(ring.entries.len() <= SMALL.batches);
            let changes: usize = ring.entries.iter().map(|entry| entry.len()).sum();
            let bytes: usize = ring.entries.iter().map(|entry| entry.bytes).sum();
            prop_assert_eq!((ring.changes, ring.bytes), (changes, bytes));
            prop_assert!(changes <= SMALL.changes && bytes <= SMALL.bytes);
        }
    }
}

#[test]
fn a_batch_holds_each_incident_once_and_long_texts_once() {
    let mut ring = Ring::new(0, RingBounds::default());
    let versions: Vec<_> = (0..100).map(|n| incident(1, n.to_string(), 50_000)).collect();
    let changes: Vec<_> = versions
        .windows(2)
        .map(|pair| IncidentChange { before: Some(pair[0].clone()), after: Some(pair[1].clone()) })
        .collect();
    ring.push(100, &changes, Vec::new());
    let entries = ring.range(0, 1).unwrap();
    let [change] = entries[0].incidents.as_slice() else { panic!("{}", entries[0].incidents.len()) };
    let (before, after) = (change.before.as_ref().unwrap(), change.after.as_ref().unwrap());
    assert_eq!((before.ticket_url.as_str(), after.ticket_url.as_str()), ("0", "99"));
    assert_eq!((before.description.len(), after.description.len()), (0, 50_000));
    assert!(ring.bytes < 60_000, "{}", ring.bytes);
}

#[test]
fn what_cannot_be_pushed_is_not_put_together() {
    let mut ring = Ring::new(0, RingBounds::default());
    let new = |id| IncidentChange { before: None, after: Some(incident(id, String::new(), 0)) };
    ring.push(1, &(0..=LIVE_ROWS as u64).map(new).collect::<Vec<_>>(), Vec::new());
    ring.push(2, &[new(9_999)], vec![IncidentId(7)]);
    let update = |from, to| Update::new(from, to, &ring.range(from, to).unwrap()).unwrap();
    assert!(update(0, 2).changes.is_none());
    let last = update(1, 2);
    assert_eq!((last.first_seq, last.seq), (2, 2));
    assert!(last.changes.unwrap().touched.contains(&IncidentId(7)));
    let long = IncidentChange { before: None, after: Some(incident(1, String::new(), LIVE_UPDATE_BYTES)) };
    ring.push(3, &[long], Vec::new());
    assert!(Update::new(2, 3, &ring.range(2, 3).unwrap()).unwrap().changes.is_none());
}

#[test]
fn says_how_incidents_were_as_far_as_it_goes_back() {
    let mut ring = Ring::new(0, SMALL);
    let mut change = |seq, id, before: Option<&str>, after: &str| {
        let one = |ticket: &str| incident(id, ticket.to_owned(), 0);
        ring.push(seq, &[IncidentChange { before: before.map(one), after: Some(one(after)) }], Vec::new());
    };
    change(1, 1, None, "a");
    change(2, 1, Some("a"), "b");
    change(3, 1, Some("b"), "c");
    change(4, 2, None, "x");
    let before = |ring: &Ring, seq| {
        let ids = FxHashSet::from_iter([1, 2, 3]);
        let known = ring.before(seq, &ids).into_iter();
        known.map(|(id, before)| (id, before.map(|it| it.ticket_url.clone()))).collect::<BTreeMap<_, _>>()
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(before(&ring, 0), BTreeMap::from([(1, None), (2, None)]));
    assert_eq!(before(&ring, 1), BTreeMap::from([(1, some("a")), (2, None)]));
    assert_eq!(before(&ring, 2), BTreeMap::from([(1, some("b")), (2, None)]));
    assert_eq!(before(&ring, 3), BTreeMap::from([(2, None)]));
    assert_eq!(before(&ring, 4), BTreeMap::new());
    ring.forget();
    assert_eq!(before(&ring, 1), BTreeMap::new(), "it is not known any more");
}

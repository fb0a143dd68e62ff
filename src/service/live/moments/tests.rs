//! Each incident is due exactly at its time, after any changes and with any limit on the number of moments.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::domain::{
    ids::SourceId,
    incident::{AckedUntil, EndTime},
};

fn at(second: i64) -> Timestamp {
    Timestamp::saturating_from_micros(second)
}

fn incident(id: u64, end: EndTime, acked_until: AckedUntil) -> Incident {
    Incident { end, acked_until, ..Incident::new(IncidentId(id), SourceId(1), at(0)) }
}

#[derive(Clone, Debug)]
enum Step {
    Change(u64, EndTime, AckedUntil),
    Delete(u64),
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let end = prop_oneof![
        Just(EndTime::Infinity),
        Just(EndTime::Stateless),
        (0..60_i64).prop_map(|second| EndTime::At(at(second)))
    ];
    let acked = prop_oneof![
        Just(AckedUntil::Never),
        Just(AckedUntil::Forever),
        (0..60_i64).prop_map(|second| AckedUntil::At(at(second)))
    ];
    prop_oneof![
        6 => (0..8_u64, end, acked).prop_map(|(id, end, acked)| Step::Change(id, end, acked)),
        1 => (0..8_u64).prop_map(Step::Delete),
        3 => (0..9_i64).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn each_moment_is_due_when_it_comes(limit in 1..6_usize, steps in vec(step(), 1..80)) {
        let mut incidents: BTreeMap<u64, Incident> = BTreeMap::new();
        let mut moments = Moments::new(limit);
        let mut clock = 0;
        for step in steps {
            match step {
                Step::Change(id, end, acked) => {
                    let after = incident(id, end, acked);
                    moments.follow(incidents.get(&id), Some(&after), at(clock));
                    incidents.insert(id, after);
                }
                Step::Delete(id) => moments.follow(incidents.remove(&id).as_ref(), None, at(clock)),
                Step::Wait(seconds) => {
                    let now = clock + seconds;
                    while moments.are_missing_at(at(now)) {
                        let all = incidents.values().flat_map(|it| it.lapses().map(move |at| (at, it.id)));
                        let mut all: Vec<_> = all.filter(|(moment, _)| *moment > at(clock)).collect();
                        all.sort_unstable();
                        all.truncate(limit);
                        moments.refill(&all);
                        if moments.are_missing_at(at(now)) {
                            break;
                        }
                    }
                    let due = moments.due(at(now), usize::MAX - 1);
                    let passes = |it: &&Incident| it.lapses().any(|moment| moment > at(clock) && moment <= at(now));
                    let expected: BTreeSet<_> = incidents.values().filter(passes).map(|it| it.id).collect();
                    if moments.are_missing_at(at(now)) {
                        prop_assert!(due.is_subset(&expected) && due.len() <= limit);
                    } else {
                        prop_assert_eq!(due, expected);
                    }
                    moments.pass(at(now));
                    clock = now;
                }
            }
            prop_assert!(moments.known.len() <= limit);
            // No incident changes before the announced next moment.
            let first = incidents.values().flat_map(Incident::lapses).filter(|moment| *moment > at(clock)).min();
            if let Some(first) = first {
                prop_assert!(moments.next().is_some_and(|next| next <= first));
            }
        }
    }
}

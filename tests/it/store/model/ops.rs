//! What is done to the store and to the model.

use argusd::domain::{event::EventType, ids::SourceId, severity::Level, stored_filter::FilterBlob};
use proptest::prelude::*;

#[derive(Clone, Debug)]
pub enum Op {
    Create(Creation),
    AddEvent {
        incident: usize,
        kind: usize,
        at: i64,
    },
    Acknowledge {
        incident: usize,
        expiration: Option<i64>,
    },
    Expire {
        incident: usize,
        ack: usize,
        expiration: Option<i64>,
    },
    Edit {
        incident: usize,
        level: u8,
        tags: Vec<u8>,
        ticket: bool,
    },
    Delete {
        incident: usize,
    },
    /// Deletes what was closed before.
    Purge {
        limit: i64,
    },
    /// Stages all sorts of things, then refuses.
    Refuse {
        incident: usize,
    },
    Rename {
        name: u8,
    },
    AddToken {
        hash: u8,
    },
    DeleteToken {
        hash: u8,
    },
    PutFilter {
        slot: u64,
        blob: FilterBlob,
    },
    DeleteFilter {
        slot: u64,
    },
    Trim {
        keep: u64,
    },
    Reopen,
}

#[derive(Clone, Debug)]
pub struct Creation {
    pub source: u64,
    pub start: i64,
    pub end: u8,
    pub source_incident_id: u8,
    pub level: u8,
    pub tags: Vec<u8>,
}

pub fn op() -> impl Strategy<Value = Op> {
    let tags = || proptest::collection::vec(0..6_u8, 0..4);
    let moment = || -50..50_i64;
    prop_oneof![
        8 => (1..4_u64, moment(), 0..4_u8, 0..8_u8, 1..6_u8, tags()).prop_map(
            |(source, start, end, source_incident_id, level, tags)| Op::Create(Creation {
                source, start, end, source_incident_id, level, tags
            })
        ),
        6 => (any::<usize>(), 0..9_usize, moment()).prop_map(|(incident, kind, at)| Op::AddEvent { incident, kind, at }),
        4 => (any::<usize>(), proptest::option::of(moment()))
            .prop_map(|(incident, expiration)| Op::Acknowledge { incident, expiration }),
        2 => (any::<usize>(), any::<usize>(), proptest::option::of(moment()))
            .prop_map(|(incident, ack, expiration)| Op::Expire { incident, ack, expiration }),
        4 => (any::<usize>(), 1..6_u8, tags(), any::<bool>())
            .prop_map(|(incident, level, tags, ticket)| Op::Edit { incident, level, tags, ticket }),
        1 => any::<usize>().prop_map(|incident| Op::Delete { incident }),
        1 => (-60..200_i64).prop_map(|limit| Op::Purge { limit }),
        1 => any::<usize>().prop_map(|incident| Op::Refuse { incident }),
        1 => any::<u8>().prop_map(|name| Op::Rename { name }),
        1 => (0..4_u8).prop_map(|hash| Op::AddToken { hash }),
        1 => (0..4_u8).prop_map(|hash| Op::DeleteToken { hash }),
        1 => (1..4_u64, blob()).prop_map(|(slot, blob)| Op::PutFilter { slot, blob }),
        1 => (1..4_u64).prop_map(|slot| Op::DeleteFilter { slot }),
        1 => (0..20_u64).prop_map(|keep| Op::Trim { keep }),
        1 => Just(Op::Reopen),
    ]
}

fn blob() -> impl Strategy<Value = FilterBlob> {
    let kinds = proptest::sample::subsequence(EventType::ALL.to_vec(), 0..3);
    let flag = || proptest::option::of(any::<bool>());
    let source_ids = proptest::option::of(proptest::collection::vec((1..4_u64).prop_map(SourceId), 0..3));
    (source_ids, proptest::option::of(kinds), flag(), flag(), proptest::option::of(1..6_u8), any::<bool>()).prop_map(
        |(source_ids, event_types, open, acked, level, hide_closed_acked)| FilterBlob {
            source_ids,
            source_types: open.map(|_| vec!["test".to_owned()]),
            tags: acked.map(|_| vec!["a=b".to_owned()]),
            open,
            acked,
            stateful: None,
            max_level: level.and_then(Level::new),
            event_types,
            hide_closed_acked,
        },
    )
}

//! Compares saved filters with a literal implementation of contract section 14.4.

use std::sync::Arc;

use proptest::{option, prelude::*};

use super::*;
use crate::domain::{
    event::{EventType, EventTypeSet},
    ids::IncidentId,
    incident::{AckedUntil, EndTime, Incident},
    severity::Level,
    source::Source,
    tag::IncidentTag,
    time::Timestamp,
};

const NOW: i64 = 1_000;
const TYPES: [&str; 2] = ["nav", "zino"];
const TAGS: [&str; 6] = ["a=1", "a=2", "b=1", "b=2", " c = 1 ", "Not=valid"];

fn at(micros: i64) -> Timestamp {
    Timestamp::saturating_from_micros(micros)
}

/// Sources 1 to 3, of alternating types.
fn directory() -> Directory {
    let mut directory = Directory::default();
    for id in 1..=3 {
        directory.put_source(Source {
            id: SourceId(id),
            name: id.to_string(),
            source_type: source_type(SourceId(id)).to_owned(),
            user: UserId(id),
            base_url: String::new(),
            heartbeat_frequency: None,
        });
    }
    directory
}

fn source_type(id: SourceId) -> &'static str {
    if id.0.is_multiple_of(2) { TYPES[0] } else { TYPES[1] }
}

fn blob() -> impl Strategy<Value = FilterBlob> {
    let flag = || option::of(any::<bool>());
    let sources = option::of(proptest::collection::vec((1..5_u64).prop_map(SourceId), 0..3));
    let types = prop_oneof![Just("nav"), Just("zino"), Just("unknown")].prop_map(str::to_owned);
    let tags = proptest::sample::subsequence(TAGS.to_vec(), 0..3)
        .prop_map(|tags| tags.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let kinds = proptest::sample::subsequence(EventType::ALL.to_vec(), 0..3);
    (
        sources,
        option::of(proptest::collection::vec(types, 0..2)),
        option::of(tags),
        (flag(), flag(), flag()),
        option::of((1..=5_u8).prop_map(|level| Level::new(level).unwrap())),
        option::of(kinds),
        any::<bool>(),
    )
        .prop_map(|(source_ids, source_types, tags, (open, acked, stateful), max_level, event_types, hide)| {
            let hide_closed_acked = hide;
            FilterBlob {
                source_ids,
                source_types,
                tags,
                open,
                acked,
                stateful,
                max_level,
                event_types,
                hide_closed_acked,
            }
        })
}

fn incident() -> impl Strategy<Value = Incident> {
    let end = prop_oneof![Just(EndTime::Stateless), Just(EndTime::Infinity), Just(EndTime::At(at(NOW - 1)))];
    let acked = prop_oneof![Just(AckedUntil::Never), Just(AckedUntil::Forever)];
    let tags = proptest::sample::subsequence(TAGS[..5].to_vec(), 0..5);
    let kinds = proptest::sample::subsequence(EventType::ALL.to_vec(), 0..4);
    (1..=3_u64, end, acked, tags, kinds, 1..=5_u8).prop_map(|(source, end, acked_until, tags, kinds, level)| Incident {
        end,
        level: Level::new(level).unwrap(),
        tags: tags
            .into_iter()
            .map(|tag| IncidentTag { tag: Tag::parse(tag).unwrap(), added_by: UserId(1), added_at: at(0) })
            .collect(),
        acked_until,
        event_types: kinds.into_iter().collect::<EventTypeSet>(),
        ..Incident::new(IncidentId(1), SourceId(source), at(0))
    })
}

/// Evaluates a filter word by word as the contract describes it.
fn is_meant(blob: &FilterBlob, incident: &Incident) -> bool {
    let stateful = incident.end != EndTime::Stateless;
    let open = incident.end == EndTime::Infinity;
    let acked = incident.acked_until == AckedUntil::Forever;
    let mut given = Vec::new();
    given.extend(blob.source_ids.iter().filter(|ids| !ids.is_empty()).map(|ids| ids.contains(&incident.source)));
    let of_type = |types: &Vec<String>| types.iter().any(|name| name == source_type(incident.source));
    given.extend(blob.source_types.iter().filter(|types| !types.is_empty()).map(of_type));
    let key = |text: &str| text.split('=').next().unwrap().trim().to_owned();
    let has = |text: &str| Tag::parse(text).is_ok_and(|tag| incident.has_tag(&tag));
    for text in blob.tags.iter().flatten() {
        given.push(blob.tags.iter().flatten().any(|other| key(other) == key(text) && has(other)));
    }
    given.extend(blob.open.map(|wanted| if wanted { open } else { stateful && !open }));
    given.extend(blob.acked.map(|wanted| wanted == acked));
    given.extend(blob.stateful.map(|wanted| wanted == stateful));
    given.extend(blob.max_level.map(|max| incident.level <= max));
    let had = |kinds: &Vec<EventType>| kinds.iter().any(|kind| incident.event_types.contains(*kind));
    given.extend(blob.event_types.iter().filter(|kinds| !kinds.is_empty()).map(had));
    if blob.hide_closed_acked {
        given.push(!stateful || open || !acked);
    }
    !given.is_empty() && given.into_iter().all(|holds| holds)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn a_blob_means_what_the_contract_says(blob in blob(), incident in incident()) {
        let found = blob.to_criteria(&directory()).matches(&incident, at(NOW));
        prop_assert_eq!(found, is_meant(&blob, &incident));
    }
}

#[test]
fn a_blob_without_criteria_matches_nothing() {
    let blob = FilterBlob {
        source_ids: Some(Vec::new()),
        source_types: Some(Vec::new()),
        tags: Some(Vec::new()),
        event_types: Some(Vec::new()),
        ..FilterBlob::default()
    };
    assert!(blob.is_empty() && FilterBlob::default().is_empty());
    assert_eq!(blob.to_criteria(&directory()), Criteria::nothing());
    assert!(!FilterBlob { acked: Some(false), ..FilterBlob::default() }.is_empty());
}

#[test]
fn others_may_use_public_filters_only() {
    let mut filter = StoredFilter {
        id: FilterId(1),
        owner: UserId(1),
        name: "mine".to_owned(),
        public: false,
        blob: FilterBlob::default(),
    };
    let mut directory = Directory::default();
    for public in [false, true] {
        filter.public = public;
        directory.filters.insert(filter.id, Arc::new(filter.clone()));
        assert!(directory.usable_filter(UserId(1), FilterId(1)).is_some());
        assert_eq!(directory.usable_filter(UserId(2), FilterId(1)).is_some(), public);
        assert_eq!(directory.usable_filters(UserId(2)).len(), usize::from(public));
        assert!(directory.filter_of(UserId(2), FilterId(1)).is_none());
    }
}

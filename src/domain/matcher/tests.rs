//! Compares a matcher that follows random edits with a new one, and both with the filter language itself.

use proptest::{collection::vec, option, prelude::*};
use uuid::Uuid;

use super::*;
use crate::domain::{
    directory::DecisionSettings,
    filter::Criteria,
    ids::{TimeslotId, UserId},
    rule::{Addressee, Recipient},
    source::Source,
    tag::IncidentTag,
    time::Timestamp,
};

const TAGS: [&str; 6] = ["a=1", "a=2", "b=1", "b=2", "c=1", "no tag"];
const TYPES_OF_SOURCES: [&str; 2] = ["nav", "zino"];

#[derive(Clone, Debug)]
enum Edit {
    PutFilter(u64, FilterBlob),
    RenameFilter(u64),
    DeleteFilter(u64),
    PutProfile(u64, Vec<u64>, bool),
    DeleteProfile(u64),
    PutRule(u64, Vec<u64>, bool),
    DeleteRule(u64),
    PutSource(u64, usize),
    Fallback(FilterBlob),
    /// The commit failed: back to the configuration before the given number of edits.
    TakeBack(usize),
}

fn blob() -> impl Strategy<Value = FilterBlob> {
    let flag = || option::weighted(0.2, any::<bool>());
    (
        option::weighted(0.4, vec((1..4_u64).prop_map(SourceId), 0..3)),
        option::weighted(0.3, proptest::sample::subsequence(vec!["nav", "zino", "none"], 0..3)),
        option::weighted(0.6, proptest::sample::subsequence(TAGS.to_vec(), 0..4)),
        (flag(), flag(), flag()),
        option::weighted(0.4, 1..=5_u8),
        option::weighted(0.4, proptest::sample::subsequence(EventType::ALL.to_vec(), 0..4)),
        any::<bool>(),
    )
        .prop_map(|(source_ids, types, tags, (open, acked, stateful), level, event_types, hide)| FilterBlob {
            source_ids,
            source_types: types.map(|types| types.into_iter().map(str::to_owned).collect()),
            tags: tags.map(|tags| tags.into_iter().map(str::to_owned).collect()),
            open,
            acked,
            stateful,
            max_level: level.and_then(Level::new),
            event_types,
            hide_closed_acked: hide,
        })
}

fn edit() -> impl Strategy<Value = Edit> {
    let named = || proptest::sample::subsequence(vec![1, 2, 3, 4, 5_u64], 0..4);
    prop_oneof![
        4 => (1..6_u64, blob()).prop_map(|(id, blob)| Edit::PutFilter(id, blob)),
        1 => (1..6_u64).prop_map(Edit::RenameFilter),
        1 => (1..6_u64).prop_map(Edit::DeleteFilter),
        4 => (1..6_u64, named(), any::<bool>()).prop_map(|(id, filters, active)| Edit::PutProfile(id, filters, active)),
        1 => (1..6_u64).prop_map(Edit::DeleteProfile),
        2 => (1..4_u64, named(), any::<bool>()).prop_map(|(id, filters, active)| Edit::PutRule(id, filters, active)),
        1 => (1..4_u64).prop_map(Edit::DeleteRule),
        1 => (1..4_u64, 0..2_usize).prop_map(|(id, kind)| Edit::PutSource(id, kind)),
        1 => blob().prop_map(Edit::Fallback),
        1 => (1..4_usize).prop_map(Edit::TakeBack),
    ]
}

fn apply(edit: Edit, directory: &mut Directory) {
    let ids = |ids: Vec<u64>| ids.into_iter().map(FilterId).collect();
    match edit {
        Edit::PutFilter(id, blob) => {
            let id = FilterId(id);
            let filter = StoredFilter { id, owner: UserId(1), name: String::new(), public: false, blob };
            directory.filters.insert(id, Arc::new(filter));
        }
        Edit::RenameFilter(id) => {
            if let Some(filter) = directory.filters.get(&FilterId(id)).cloned() {
                let renamed = StoredFilter { name: format!("{}x", filter.name), ..StoredFilter::clone(&filter) };
                directory.filters.insert(filter.id, Arc::new(renamed));
            }
        }
        Edit::DeleteFilter(id) => drop(directory.filters.remove(&FilterId(id))),
        Edit::PutProfile(id, filters, active) => {
            let id = ProfileId(id);
            let profile = Profile {
                id,
                owner: UserId(1),
                name: None,
                timeslot: TimeslotId(1),
                filters: ids(filters),
                destinations: Vec::new(),
                active,
            };
            directory.profiles.insert(id, Arc::new(profile));
        }
        Edit::DeleteProfile(id) => drop(directory.profiles.remove(&ProfileId(id))),
        Edit::PutRule(id, filters, active) => {
            let id = RuleId(id);
            let rule = Rule {
                id,
                owner: UserId(1),
                name: String::new(),
                timeslot: TimeslotId(1),
                filters: ids(filters),
                recipients: vec![Recipient { who: Addressee::Group(Uuid::nil()), channel: None }],
                active,
                empty_since: None,
            };
            directory.rules.insert(id, Arc::new(rule));
        }
        Edit::DeleteRule(id) => drop(directory.rules.remove(&RuleId(id))),
        Edit::PutSource(id, kind) => drop(directory.put_source(Source {
            id: SourceId(id),
            name: String::new(),
            source_type: TYPES_OF_SOURCES[kind].to_owned(),
            user: UserId(id),
            base_url: String::new(),
            heartbeat_frequency: None,
        })),
        Edit::Fallback(fallback) => {
            directory.settings = Arc::new(DecisionSettings { fallback, ..DecisionSettings::default() });
        }
        Edit::TakeBack(_) => {}
    }
}

/// An event: source, level, type, whether its incident is open, acknowledged and stateful, and tags.
type Happened = (u64, u8, usize, (bool, bool, bool), Vec<&'static str>);

fn happened() -> impl Strategy<Value = Happened> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (1..5_u64, 1..=5_u8, 0..TYPES, flags, proptest::sample::subsequence(TAGS[..5].to_vec(), 0..5))
}

/// Evaluates the filters one after the other with the filter language.
fn expected(directory: &Directory, about: &FilterSubject<'_>, kind: EventType) -> Vec<NotificationCause> {
    let matches = |ids: &[FilterId]| {
        let criteria: Vec<Criteria> = ids
            .iter()
            .filter_map(|id| directory.filters.get(id))
            .map(|filter| match &filter.blob {
                blob if blob.is_empty() => Criteria::nothing(),
                blob => blob.or(&directory.settings.fallback).to_criteria(directory),
            })
            .collect();
        let without_types = |it: &Criteria| Criteria { event_types: Vec::new(), ..it.clone() };
        criteria.iter().all(|it| without_types(it).mismatch(about).is_none())
            && criteria.iter().any(|it| it.event_types.iter().all(|types| types.contains(kind)))
    };
    let profiles = directory.profiles.values().filter(|it| it.active && matches(&it.filters));
    let rules = directory.rules.values().filter(|it| it.active && matches(&it.filters));
    profiles.map(|it| NotificationCause::Profile(it.id)).chain(rules.map(|it| NotificationCause::Rule(it.id))).collect()
}

fn check(matcher: &Matcher, directory: &Directory, happened: &Happened) -> Result<(), TestCaseError> {
    let (source, level, kind, (open, acked, stateful), tags) = happened;
    let tag = |text: &&str| IncidentTag {
        tag: Tag::parse(text).unwrap(),
        added_by: UserId(1),
        added_at: Timestamp::saturating_from_micros(0),
    };
    let tags: Vec<IncidentTag> = tags.iter().map(tag).collect();
    let kind = EventType::ALL[*kind];
    let about = FilterSubject {
        open: *open && *stateful,
        acked: *acked,
        stateful: *stateful,
        has_ticket: false,
        level: Level::new(*level).unwrap(),
        source: SourceId(*source),
        tags: &tags,
        event_types: [kind].into_iter().collect(),
    };
    let found = |matcher: &Matcher| -> Vec<NotificationCause> {
        matcher.matching(&about, kind, directory).into_iter().map(Basis::cause).collect()
    };
    prop_assert_eq!(found(matcher), expected(directory, &about, kind));
    prop_assert_eq!(found(&Matcher::new(directory)), found(matcher));
    for filter in directory.filters.values() {
        let fallback = Arc::new(CompiledCriteria::new(&directory.settings.fallback));
        let compiled = EventFilter::new(filter.id, directory, &fallback).unwrap();
        let criteria = match &filter.blob {
            blob if blob.is_empty() => Criteria::nothing(),
            blob => blob.or(&directory.settings.fallback).to_criteria(directory),
        };
        let criteria = Criteria { event_types: Vec::new(), ..criteria };
        prop_assert_eq!(compiled.mismatch(&about, directory), criteria.mismatch(&about));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_matcher_that_follows_edits_equals_one_made_afresh(
        steps in vec((vec(edit(), 0..3), happened()), 1..25),
    ) {
        let mut directory = Directory::default();
        let mut history = vec![directory.clone()];
        let mut matcher = Matcher::default();
        for (edits, happened) in steps {
            for edit in edits {
                if let Edit::TakeBack(edits) = edit {
                    history.truncate(history.len().saturating_sub(edits).max(1));
                    directory = history.last().unwrap().clone();
                } else {
                    apply(edit, &mut directory);
                    history.push(directory.clone());
                }
            }
            matcher.update(&directory);
            check(&matcher, &directory, &happened)?;
        }
        // Deletions leave no entries behind.
        directory.profiles.clear();
        directory.rules.clear();
        matcher.update(&directory);
        prop_assert!(matcher.subscribers.is_empty() && matcher.slot_of.is_empty() && matcher.others.is_empty());
        prop_assert!(matcher.by_tag.is_empty() && matcher.by_source.is_empty() && matcher.by_source_type.is_empty());
        prop_assert_eq!(matcher.slots.len(), matcher.unused.len());
        prop_assert!(matcher.slots.iter().all(|slot| slot.uses == 0 && slot.leads_to.is_empty()));
    }
}

#[test]
fn an_update_that_changes_nothing_finds_nothing_to_do() {
    let mut directory = Directory::default();
    for id in 1..=1_000 {
        apply(Edit::PutProfile(id, vec![1, 2], true), &mut directory);
    }
    let before = directory.clone();
    assert!(changes(&before.profiles, &directory.profiles).is_empty());
    apply(Edit::PutProfile(500, vec![3], true), &mut directory);
    let changed = changes(&before.profiles, &directory.profiles);
    assert_eq!(changed.iter().map(|(id, _)| id.0).collect::<Vec<_>>(), [500]);
}

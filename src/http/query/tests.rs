//! Tests of reading query parameters.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::domain::{ids::UserId, source::Source, time::Timestamp};

fn directory() -> Directory {
    let mut directory = Directory::default();
    for (id, name, source_type) in [(1, "argus", "argus"), (2, "a", "nav"), (3, "b", "zino"), (4, "a", "zino")] {
        directory.source_types.insert(source_type.to_owned());
        let source = Source {
            id: SourceId(id),
            name: name.to_owned(),
            source_type: source_type.to_owned(),
            user: UserId(id),
            base_url: String::new(),
            heartbeat_frequency: None,
        };
        directory.sources.insert(source.id, Arc::new(source));
    }
    directory
}

fn read(query: &str, scope: Scope) -> Result<Criteria, Value> {
    let directory = directory();
    let context = Context { directory: &directory, zone: Tz::Europe__Oslo, version: Version::V2, caller: UserId(1) };
    let AnyOf(mut wanted) = criteria(&Params::parse(query), scope, context).map_err(|error| error.body().clone())?;
    assert!(wanted.len() < 2, "{query}");
    Ok(wanted.pop().unwrap_or_else(Criteria::nothing))
}

fn all(query: &str) -> Criteria {
    read(query, Scope::All).unwrap()
}

fn error(query: &str) -> Value {
    read(query, Scope::All).unwrap_err()
}

fn sources(query: &str) -> Vec<u64> {
    all(query).sources.unwrap().into_iter().map(|id| id.0).collect()
}

#[test]
fn flags_are_true_false_or_nothing() {
    for (text, value) in [
        ("true", Some(true)),
        ("True", Some(true)),
        ("1", Some(true)),
        ("false", Some(false)),
        ("False", Some(false)),
        ("0", Some(false)),
        ("", None),
        ("yes", None),
        ("TRUE", None),
    ] {
        assert_eq!(all(&format!("open={text}")).open, value);
        assert_eq!(all(&format!("ticket={text}")).has_ticket, value);
    }
    assert_eq!(all("open=1&open=0").open, Some(false));
    assert!(!all("hide_closed_acked=false").hide_closed_acked);
}

#[test]
fn end_time_isnull_is_the_opposite_of_stateful() {
    assert_eq!(all("end_time__isnull=True").stateful, Some(false));
    assert_eq!(all("end_time__isnull=True&stateful=false").ids, None);
    assert_eq!(all("end_time__isnull=True&stateful=true").ids, Some(BTreeSet::new()));
}

#[test]
fn sources_by_all_three_parameters_must_agree() {
    assert_eq!(sources("source__id__in=2,3"), [2, 3]);
    assert_eq!(sources("source__name__in=a,nobody"), [2, 4]);
    assert_eq!(sources("source__type__in=zino"), [3, 4]);
    assert_eq!(sources("source__type__in=zino&source__name__in=a"), [4]);
    assert_eq!(sources("source__name__in=nobody"), [0; 0]);
    assert_eq!(sources("source__id__in=1.5,-1,99999999999999999999"), [0; 0]);
}

#[test]
fn mine_is_the_callers_source_and_ignores_the_wide_filters() {
    let query = "source__id__in=x&level__lte=x&id__in=x&search=x&source__type__in=x&open=1";
    let mine = read(query, Scope::Mine(Some(SourceId(2)))).unwrap();
    assert_eq!(mine.sources, Some(BTreeSet::from([SourceId(2)])));
    assert_eq!((mine.open, mine.ids, mine.max_level, mine.words.len()), (Some(true), None, None, 0));
    assert_eq!(read("", Scope::Mine(None)).unwrap().sources, Some(BTreeSet::new()));
}

#[test]
fn tags_are_grouped_by_key() {
    assert_eq!(all("tags=a%3D1,b%3D2,a%3D3").tags.len(), 2);
    let text = "Enter a valid key-value construct: \"key=value\", where key and value are strings. The key can consist \
                of lowercase letters, numbers and underscores.";
    for query in ["tags=a", "tags=a=", "tags==b", "tags=A=b", "tags=a=b,c"] {
        assert_eq!(error(query), json!({ "tags": [text] }), "{query}");
    }
}

#[test]
fn times_and_durations() {
    let criteria = all("start_time__gte=2024-01-01T00:00&end_time__lte=2024-01-02T00:00:00%2B00:00&duration__gte=1.5");
    assert_eq!(criteria.start_from.map(Timestamp::micros), Some(1_704_063_600_000_000));
    assert_eq!(criteria.end_to.map(Timestamp::micros), Some(1_704_153_600_000_000));
    assert_eq!(criteria.min_duration, Some(90_000_000));
    assert_eq!(all("duration__gte=0").min_duration, None);
}

#[test]
fn levels_may_be_any_number() {
    for (text, level) in [("3", 3), ("3.9", 3), ("0", 0), ("-4", 0), ("1e9", 255)] {
        assert_eq!(all(&format!("level__lte={text}")).max_level, Some(level), "{text}");
    }
}

#[test]
fn stored_filters_that_are_unknown_match_nothing() {
    assert_eq!(all("filter_pk=1").ids, Some(BTreeSet::new()));
    assert_eq!(all("notificationprofile_pk=1").ids, Some(BTreeSet::new()));
    assert_eq!(error("filter_pk=x"), json!({"filter_pk": ["Enter a whole number."]}));
}

#[test]
fn token_expiry_means_our_own_incidents() {
    let criteria = all("token_expiry=false");
    assert_eq!(criteria.sources, Some(BTreeSet::from([SourceId(1)])));
    assert_eq!(criteria.tags.len(), 1);
    assert_eq!(all("token_expiry=x").tags.len(), 0);
}

#[test]
fn names_every_mistake_at_once() {
    let query = "source__id__in=x&id__in=1,y&level__lte=z&duration__gte=nan&start_time__gte=now&end_time__gte=x\
                 &source__type__in=nope&notificationprofile_pk=1.5";
    assert_eq!(
        error(query),
        json!({
            "source__id__in": ["Enter a number."],
            "id__in": ["Enter a number."],
            "level__lte": ["Enter a number."],
            "duration__gte": ["Enter a number."],
            "start_time__gte": ["Enter a valid date/time."],
            "end_time__gte": ["Enter a valid date/time."],
            "source__type__in": ["Select a valid choice. That choice is not one of the available choices."],
            "notificationprofile_pk": ["Enter a whole number."],
        })
    );
}

#[test]
fn limits_the_search() {
    let words: Vec<String> = (0..=limits::SEARCH_WORDS).map(|n| format!("w{n}")).collect();
    assert!(error(&format!("search={}", words.join(","))).get("search").is_some());
    assert!(error(&format!("search={}", "x".repeat(limits::SEARCH_TEXT + 1))).get("search").is_some());
    assert_eq!(all("search=Link,%20down").words, ["link", "down"]);
}

proptest! {
    #[test]
    fn never_panics(query in "((open|tags|id__in|level__lte|duration__gte|start_time__gte|search|filter_pk)=[ -~]{0,20}&){0,6}") {
        let _ = read(&query, Scope::All);
        let _ = read(&query, Scope::Mine(None));
    }

    #[test]
    fn never_panics_on_anything(query in "\\PC*") {
        let _ = read(&query, Scope::All);
    }
}

//! Filters: saved ones as JSON, query parameters of lists, and addresses of the page with the list.

use argusd::{
    domain::{
        criterion::FilterBlob,
        directory::Directory,
        filter::Criteria,
        ids::{FilterId, UserId},
        limits::{FILTER_VALUES, PAGE_SIZE_MAX, SEARCH_TEXT, SEARCH_WORDS, SOURCE_TYPE_NAME, TAG, TAGS_PER_INCIDENT},
        tag::Tag,
        time::Timestamp,
    },
    http::{
        Version,
        argus::shared::blob::{BlobBody, filter_string, take_filter_string},
        fields::BodyFields,
        page::Location,
        params::{self, Params},
        parse_blob,
        query::{Context, Scope, criteria},
    },
    web::{form, incident_list::view::View},
};
use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::engine::{run_texts, within_memory};

const BLOBS: &[&str] = &[
    r#"{"sourceSystemIds": [1, 2], "tags": ["host=a", "b=c d"], "open": true, "acked": false, "stateful": null,
        "maxlevel": 3, "event_types": ["STA", "CLO"], "source_types": ["nav"], "hide_closed_acked": true}"#,
    r#"{"sourceSystemIds": [], "tags": []}"#,
    r#"{"open": "yes", "maxlevel": "5", "hide_closed_acked": 1, "tags": ["=="], "sourceSystemIds": ["7", 9.0]}"#,
];

fn check_bounds(blob: &FilterBlob) {
    assert!(blob.source_ids.iter().flatten().all(|id| id.0 >= 1));
    assert!(blob.source_ids.as_ref().is_none_or(|ids| ids.len() <= FILTER_VALUES));
    let types = blob.source_types.as_deref().unwrap_or_default();
    assert!(
        types.len() <= FILTER_VALUES && types.iter().all(|it| (1..=SOURCE_TYPE_NAME).contains(&it.chars().count()))
    );
    let tags = blob.tags.as_deref().unwrap_or_default();
    assert!(tags.len() <= TAGS_PER_INCIDENT && tags.iter().all(|it| (3..=TAG).contains(&it.chars().count())));
    assert!(tags.iter().all(|it| it.contains('=') && !it.contains('\0')));
}

#[test]
fn saved_filters() {
    run_texts("saved_filters", BLOBS, |text| {
        let blob = within_memory((64 << 10) + 1_024 * text.len(), || parse_blob(text));
        match blob {
            Ok(blob) => {
                check_bounds(&blob);
                let written = serde_json::to_string(&BlobBody::new(&blob, true)).unwrap();
                assert_eq!(parse_blob(&written).as_ref(), Ok(&blob), "{written}");
                let criteria = blob.to_criteria(&Directory::default());
                assert!(!blob.is_empty() || criteria == Criteria::nothing());
            }
            Err(error) => {
                assert!(!error.is_empty() && error.len() <= 1_024 + 64 * text.len(), "{} bytes", error.len());
                let unknown = error.starts_with("there is no criterion ");
                if let Ok(Value::Object(object)) = serde_json::from_str(text)
                    && !unknown
                {
                    let named: serde_json::Map<String, Value> = serde_json::from_str(&error).unwrap();
                    assert!(!named.is_empty() && named.keys().all(|name| object.contains_key(name)), "{error}");
                }
            }
        }
        let mut fields = BodyFields::new(json!({ "filter_string": text }).as_object().unwrap().clone(), false);
        match take_filter_string(&mut fields) {
            Some(blob) => {
                assert!(!fields.has_errors());
                check_bounds(&blob);
                // Of what it accepts, it writes ids and tags only.
                let mut again = BodyFields::new(
                    json!({ "filter_string": filter_string(&blob) }).as_object().unwrap().clone(),
                    false,
                );
                let again = take_filter_string(&mut again).unwrap();
                assert_eq!(
                    (again.source_ids.unwrap_or_default(), again.tags.unwrap_or_default()),
                    (blob.source_ids.unwrap_or_default(), blob.tags.unwrap_or_default())
                );
            }
            None => assert!(fields.refuse().body().get("filter_string").is_some()),
        }
    });
}

const QUERIES: &[&str] = &[
    "open=true&acked=False&stateful=1&ticket=0&tags=host%3Da,b%3Dc&source_incident_id=x&page_size=50",
    "start_time__gte=2024-07-10T10:00:00%2B02:00&start_time__lte=2024-07-11&end_time__isnull=false&duration__gte=1.5",
    "source__id__in=1,2.0,3e2&source__name__in=a,b&source__type__in=nav&level__lte=3&id__in=5,%206&search=link+down",
    "filter_pk=7&notificationprofile_pk=3.0&token_expiry=true&hide_closed_acked=true&under_maintenance=1&count=",
    "cursor=0000000000000000010000000000000002&page_size=1000000000000000000000000000",
    "tags=nonsense&level__lte=x&id__in=a&start_time__gte=y&duration__gte=1e999&filter_pk=-1",
];

#[test]
fn query_parameters() {
    let directory = Directory::default();
    run_texts("query_parameters", QUERIES, |text| {
        let params = within_memory((16 << 10) + 256 * text.len(), || Params::parse(text));
        for (scope, version) in [(Scope::All, Version::V1), (Scope::All, Version::V2), (Scope::Mine(None), Version::V2)]
        {
            let context = Context { directory: &directory, zone: Tz::Europe__Oslo, version, caller: UserId(1) };
            match within_memory((64 << 10) + 1_024 * text.len(), || criteria(&params, scope, context)) {
                Ok(any_of) => {
                    for criteria in any_of.0 {
                        assert!(criteria.words.len() <= SEARCH_WORDS);
                        assert!(criteria.tags.iter().map(Vec::len).sum::<usize>() <= TAGS_PER_INCIDENT + 1);
                        assert!(criteria.ids.is_none_or(|ids| ids.len() <= FILTER_VALUES));
                    }
                }
                Err(error) => {
                    assert_eq!(error.status().as_u16(), 400);
                    let named = error.body().as_object().unwrap();
                    assert!(!named.is_empty() && named.keys().all(|name| params.has(name)), "{}", error.body());
                }
            }
        }
        for name in ["cursor", "page_size", "tags"] {
            let last = params::last(Some(text), name);
            assert_eq!(last.is_some_and(|it| !it.is_empty()), params.get(name).is_some() && text.contains(name));
            let with = Params::parse(&params.with(name, "å&=+ %"));
            assert_eq!(with.get(name), Some("å&=+ %"));
            assert_eq!(with.get("open"), params.get("open"));
        }
        let location = Location { origin: "http://localhost".to_owned(), path: "/".to_owned(), params };
        assert!((1..=PAGE_SIZE_MAX).contains(&location.page_size()));
    });
}

#[test]
fn addresses_of_the_list() {
    let long_search = format!("q={}+y&open=false", "x".repeat(SEARCH_TEXT));
    let long_tag = format!("tags=a%3D{}+y&source_type={}+z", "x".repeat(TAG - 2), "t".repeat(TAG));
    let examples = [
        "open=true&acked=false&stateful=1&ticket=0&maintenance=yes&hide_closed_acked=true",
        "level=1&level=2&source=3&source=4&source_type=nav&tags=a%3Db&tags=nonsense&event_type=STA&filter=7",
        "frame=24h&longer=15&q=%2312+host%3Dx+Link,down&sort=-level&cursor=sdn.0.1768478400000000.1",
        "open=any",
        &long_search,
        &long_tag,
    ];
    let directory = Directory::default();
    run_texts("addresses_of_the_list", &examples, |text| {
        let memory = (64 << 10) + 256 * text.len();
        let view = within_memory(memory, || View::parse(&form::FormFields::of_query(Some(text))));
        let query = view.query();
        assert!(query.len() <= 300 * 4 * 3 * TAG, "{} bytes", query.len());
        let again = View::parse(&form::FormFields::of_query(Some(&query)));
        assert_eq!(again, View { cursor: None, ..view.clone() }, "{query}");
        assert_eq!(again.query(), query);
        let criteria = within_memory(memory + (64 << 10), || view.criteria(&directory, Timestamp::MAX));
        assert!(criteria.words.len() <= SEARCH_WORDS);
        assert_eq!(criteria, again.criteria(&directory, Timestamp::MAX), "{query}");
        if let Ok(blob) = view.blob() {
            assert!(!blob.is_empty());
            assert!(blob.tags.iter().flatten().all(|tag| Tag::parse(tag).is_ok()));
            let filtered = View::of_filter(FilterId(7), &blob);
            assert_eq!(filtered.blob().as_ref(), Ok(&blob));
        }
    });
}

//! Counts, suggestions and related incidents of the list.

use super::*;
use crate::{
    domain::filter::Criteria,
    service::{Overview, Sort, SortColumn, TagSuggestion, TagSuggestionKind},
};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

async fn post_tagged(rig: &Rig, source: &Caller, start: i64, texts: &[&str]) -> Incident {
    let new = NewIncident { start: seconds(start), tags: tags(texts), ..new_incident() };
    rig.incidents().create_incident(source, new).await.unwrap()
}

fn texts(suggestions: &[TagSuggestion]) -> Vec<(&str, u64)> {
    suggestions.iter().map(|suggestion| (suggestion.text.as_str(), suggestion.count)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_of_the_whole_store_follow_what_happens() {
    let rig = Rig::new().await;
    let (zabbix, ann) = (rig.source("zabbix").await, rig.person("ann").await);
    let first = rig.post(&zabbix, EndTime::Infinity).await.id;
    let second = rig.post(&zabbix, EndTime::Infinity).await.id;
    rig.post(&zabbix, EndTime::Stateless).await;
    let before = rig.incidents().total_incidents();
    assert_eq!(rig.incidents().overview().await.unwrap(), Overview { total: before, open: 2, open_unacked: 2 });
    rig.add(&ann, first, EventType::Close).await.unwrap();
    let ack = super::super::NewAck { timestamp: None, description: String::new(), expiration: None };
    rig.incidents().add_ack(&ann, second, ack).await.unwrap();
    assert_eq!(rig.incidents().overview().await.unwrap(), Overview { total: before, open: 1, open_unacked: 0 });
    let facets = rig.incidents().facets(Criteria { open: Some(true), ..Criteria::default() }).await.unwrap();
    assert_eq!((facets.matching, facets.open, facets.closed, facets.stateless), (1, 1, 1, 1));
    assert_eq!((facets.acked, facets.unacked), (1, 0));
    let sort = Sort { column: SortColumn::End, descending: true };
    let page = rig.incidents().incidents_sorted(Criteria::default(), sort, None, 1).await.unwrap();
    assert_eq!((page.rows[0].id, page.matching), (second, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_are_suggested_from_the_tail_and_from_the_index() {
    let rig = Rig::new().await;
    let zabbix = rig.source("zabbix").await;
    for start in 0..3 {
        post_tagged(&rig, &zabbix, start, &["host=a", "hostgroup=x", "site=oslo"]).await;
    }
    post_tagged(&rig, &zabbix, 3, &["host=b", "host2=c", "site=Oslo"]).await;
    let ask = async |criteria: Option<Criteria>, typed: &str, limit| {
        rig.incidents().suggest_tags(criteria, typed.to_owned(), limit).await.unwrap()
    };
    for _ in ["tail", "index"] {
        let found = ask(None, "host", 10).await;
        assert_eq!(texts(&found), [("host", 4), ("hostgroup", 3), ("host2", 1), ("host=a", 3), ("host=b", 1)]);
        assert_eq!(found[0].kind, TagSuggestionKind::Key);
        assert_eq!(found[3].kind, TagSuggestionKind::Tag);
        assert!(found.iter().all(|suggestion| !suggestion.estimated));
        assert_eq!(texts(&ask(None, " HOST = b", 10).await), [("host=b", 1)]);
        assert_eq!(texts(&ask(None, "site=o", 10).await), [("site=oslo", 3)]);
        assert_eq!(texts(&ask(None, "", 2).await), [("host", 4), ("site", 4)]);
        assert_eq!(texts(&ask(None, "host", 4).await), [("host", 4), ("hostgroup", 3), ("host=a", 3), ("host=b", 1)]);
        assert_eq!(ask(None, "nothing=", 4).await, []);
        let newest = Criteria { start_from: Some(seconds(2)), ..Criteria::default() };
        assert_eq!(texts(&ask(Some(newest), "host=", 10).await), [("host=a", 1), ("host=b", 1)]);
        assert!(rig.search().wait_until_indexed(PATIENCE));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_of_a_key_with_many_values_are_estimated() {
    let rig = Rig::new().await;
    let zabbix = rig.source("zabbix").await;
    for start in 0..150 {
        post_tagged(&rig, &zabbix, start, &[&format!("host={start}"), "site=x"]).await;
    }
    assert!(rig.search().wait_until_indexed(PATIENCE));
    let found = rig.incidents().suggest_tags(None, String::new(), 10).await.unwrap();
    assert_eq!(texts(&found), [("host", 150), ("site", 150)]);
    assert_eq!((found[0].estimated, found[1].estimated), (true, false));
    assert_eq!(rig.incidents().suggest_tags(None, "host=1".to_owned(), 500).await.unwrap().len(), 61);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neighbours_share_tags_and_are_near_or_open() {
    let rig = Rig::new().await;
    let (zabbix, ann) = (rig.source("zabbix").await, rig.person("ann").await);
    let day = 86_400;
    let open_long = post_tagged(&rig, &zabbix, -day, &["host=a"]).await.id;
    let closed_long = post_tagged(&rig, &zabbix, -day, &["host=a", "site=x"]).await.id;
    rig.add(&ann, closed_long, EventType::Close).await.unwrap();
    let near = post_tagged(&rig, &zabbix, -60, &["host=a", "site=x"]).await.id;
    let nearer = post_tagged(&rig, &zabbix, 30, &["site=x"]).await.id;
    post_tagged(&rig, &zabbix, 10, &["host=b"]).await;
    let own = post_tagged(&rig, &zabbix, 0, &["host=a", "site=x", "level=1"]).await;
    for _ in ["tail", "index"] {
        let found = rig.incidents().neighbours(own.clone(), 10).await.unwrap();
        let found: Vec<_> = found.iter().map(|(other, shared)| (other.id, shared.len())).collect();
        assert_eq!(found, [(near, 2), (nearer, 1), (open_long, 1)]);
        assert_eq!(rig.incidents().neighbours(own.clone(), 1).await.unwrap().len(), 1);
        assert!(rig.search().wait_until_indexed(PATIENCE));
    }
}

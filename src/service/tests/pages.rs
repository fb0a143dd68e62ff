//! Lists, right after what changed them.

use super::*;
use crate::{
    domain::filter::{Criteria, search_words, tag_groups},
    service::{Page, PageRequest},
};

async fn page(rig: &Rig, criteria: &Criteria, request: PageRequest) -> Page<Incident> {
    rig.incidents_page(criteria.clone(), request).await.unwrap()
}

fn ids(rows: &[Incident]) -> Vec<u64> {
    rows.iter().map(|incident| incident.id.0).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_go_both_ways_newest_first() {
    let rig = Rig::new().await;
    let zabbix = rig.source("zabbix").await;
    for i in 0..5 {
        rig.create_incident(&zabbix, NewIncident { start: seconds(i / 2), ..new_incident() }).await.unwrap();
    }
    let all = Criteria::default();
    let first = page(&rig, &all, PageRequest { size: 2, cursor: None }).await;
    assert_eq!((ids(&first.rows), first.previous), (vec![5, 4], None));
    let second = page(&rig, &all, PageRequest { size: 2, cursor: first.next }).await;
    assert_eq!(ids(&second.rows), [3, 2]);
    let third = page(&rig, &all, PageRequest { size: 2, cursor: second.next }).await;
    assert_eq!((ids(&third.rows), third.next), (vec![1], None));
    let back = page(&rig, &all, PageRequest { size: 2, cursor: third.previous }).await;
    assert_eq!(ids(&back.rows), [3, 2]);

    let mut chunks = rig.all_incidents(all);
    assert_eq!(ids(&chunks.next().await.unwrap().unwrap()), [5, 4, 3, 2, 1]);
    assert!(chunks.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_know_what_was_just_written() {
    let rig = Rig::new().await;
    let (zabbix, ann) = (rig.source("zabbix").await, rig.person("ann").await);
    let open = Criteria { open: Some(true), ..Criteria::default() };
    let tagged = Criteria { tags: tag_groups([tag("host=a")]), ..Criteria::default() };
    let worded = Criteria { words: search_words("FIXED"), ..Criteria::default() };
    let id = rig.post(&zabbix, EndTime::Infinity).await.id;
    let count = async |criteria: &Criteria| rig.count_incidents(criteria.clone()).await.unwrap();
    assert_eq!((count(&open).await, count(&tagged).await, count(&worded).await), (1, 0, 0));
    rig.add_tag(&ann, id, tag("host=a")).await.unwrap();
    let close = NewEvent { kind: EventType::Close, timestamp: None, description: "fixed it".to_owned() };
    rig.add_event(&ann, id, close).await.unwrap();
    assert_eq!((count(&open).await, count(&tagged).await, count(&worded).await), (0, 1, 1));
    rig.remove_tag(&ann, id, &tag("host=a")).await.unwrap();
    assert_eq!(count(&tagged).await, 0);
    assert!(rig.all_incidents(tagged).next().await.is_none());
}

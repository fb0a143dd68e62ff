//! Lists directly after a change.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    domain::{
        filter::{AnyOf, Criteria, search_words, tag_groups},
        limits::PAGE_BYTES,
        size::Size,
    },
    service::{Page, PageRequest, Sort, SortColumn},
};

async fn page(rig: &Rig, criteria: &Criteria, request: PageRequest) -> Page<Incident> {
    rig.incidents().incidents_page(criteria.clone(), request).await.unwrap()
}

fn ids(rows: &[Incident]) -> Vec<u64> {
    rows.iter().map(|incident| incident.id.0).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_go_both_ways_newest_first() {
    let rig = Rig::new().await;
    let zabbix = rig.source("zabbix").await;
    for i in 0..5 {
        rig.incidents()
            .create_incident(&zabbix, NewIncident { start: seconds(i / 2), ..new_incident() })
            .await
            .unwrap();
    }
    let all = Criteria::default();
    let first = page(&rig, &all, PageRequest { size: 2, cursor: None, metadata: true }).await;
    assert_eq!((ids(&first.rows), first.previous), (vec![5, 4], None));
    let second = page(&rig, &all, PageRequest { size: 2, cursor: first.next, metadata: true }).await;
    assert_eq!(ids(&second.rows), [3, 2]);
    let third = page(&rig, &all, PageRequest { size: 2, cursor: second.next, metadata: true }).await;
    assert_eq!((ids(&third.rows), third.next), (vec![1], None));
    let back = page(&rig, &all, PageRequest { size: 2, cursor: third.previous, metadata: true }).await;
    assert_eq!(ids(&back.rows), [3, 2]);

    let mut chunks = rig.incidents().all_incidents(all);
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
    let count = async |criteria: &Criteria| rig.incidents().count_incidents(criteria.clone()).await.unwrap();
    assert_eq!((count(&open).await, count(&tagged).await, count(&worded).await), (1, 0, 0));
    rig.incidents().add_tag(&ann, id, tag("host=a")).await.unwrap();
    let close = NewEvent { kind: EventType::Close, timestamp: None, description: "fixed it".to_owned() };
    rig.incidents().add_event(&ann, id, close).await.unwrap();
    assert_eq!((count(&open).await, count(&tagged).await, count(&worded).await), (0, 1, 1));
    rig.incidents().remove_tag(&ann, id, &tag("host=a")).await.unwrap();
    assert_eq!(count(&tagged).await, 0);
    assert!(rig.incidents().all_incidents(tagged).next().await.is_none());
}

/// Creates a store with incidents whose metadata and descriptions have these lengths, oldest first.
async fn with_sizes(sizes: &[(usize, usize)]) -> Rig {
    let rig = Rig::new().await;
    let zabbix = rig.source("zabbix").await;
    for (i, (metadata, description)) in sizes.iter().enumerate() {
        let metadata = Some(format!("\"{}\"", "m".repeat(*metadata)));
        // Some start at the same time.
        let start = seconds(i as i64 / 3);
        let new = NewIncident { start, metadata, description: "𝄞".repeat(*description), ..new_incident() };
        rig.incidents().create_incident(&zabbix, new).await.unwrap();
    }
    rig
}

fn fits<T: Size>(rows: &[T]) -> bool {
    rows.len() == 1 || rows.iter().map(Size::size).sum::<usize>() <= PAGE_BYTES
}

/// Follows `next` to the end, then `previous` to the beginning. Returns the rows of both ways, in the order of the
/// list.
async fn walk<C: Copy>(page: impl AsyncFn(Option<C>) -> (Vec<u64>, Option<C>, Option<C>)) -> (Vec<u64>, Vec<u64>) {
    let (mut there, mut back) = (Vec::new(), Vec::new());
    let (mut rows, mut next, mut previous) = page(None).await;
    assert!(previous.is_none());
    there.extend(&rows);
    while let Some(cursor) = next {
        (rows, next, previous) = page(Some(cursor)).await;
        there.extend(&rows);
    }
    back.extend(rows.iter().rev());
    while let Some(cursor) = previous {
        (rows, _, previous) = page(Some(cursor)).await;
        back.extend(rows.iter().rev());
    }
    back.reverse();
    (there, back)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn pages_that_are_limited_by_bytes_have_all_rows_once(
        sizes in vec((prop_oneof![0..2_000_usize, 100_000..400_000_usize, 900_000..1_000_000_usize], 0..2_000_usize), 1..24),
        size in 1..30_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let rig = with_sizes(&sizes).await;
            let all: Vec<u64> = (1..=sizes.len() as u64).rev().collect();
            let pages = async |cursor| {
                let page = page(&rig, &Criteria::default(), PageRequest { size, cursor, metadata: true }).await;
                assert!(fits(&page.rows) && page.rows.len() <= size);
                (ids(&page.rows), page.next, page.previous)
            };
            assert_eq!(walk(pages).await, (all.clone(), all.clone()));
            // Several criteria at once are searched for in another way.
            let wanted = AnyOf(vec![Criteria::default(), Criteria { open: Some(true), ..Criteria::default() }]);
            let pages = async |cursor| {
                let request = PageRequest { size, cursor, metadata: true };
                let page = rig.incidents().incidents_page(wanted.clone(), request).await.unwrap();
                assert!(fits(&page.rows) && page.rows.len() <= size);
                (ids(&page.rows), page.next, page.previous)
            };
            assert_eq!(walk(pages).await, (all.clone(), all.clone()));
            let mut chunks = rig.incidents().all_incidents(Criteria::default());
            let mut found = Vec::new();
            while let Some(chunk) = chunks.next().await {
                found.extend(ids(&chunk.unwrap()));
            }
            assert_eq!(found, all);
        });
    }

    #[test]
    fn sorted_pages_and_pages_of_events_are_limited_by_bytes_too(
        sizes in vec(prop_oneof![0..100_usize, 30_000..50_000_usize], 20..40),
        size in 20..50_usize,
        descending: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let rig = with_sizes(&sizes.iter().map(|description| (500_000, *description)).collect::<Vec<_>>()).await;
            let mut all: Vec<u64> = (1..=sizes.len() as u64).collect();
            for column in [SortColumn::Id, SortColumn::Start, SortColumn::Level] {
                let sort = Sort { column, descending };
                let pages = async |cursor| {
                    let page = rig.incidents().incidents_sorted(Criteria::default(), sort, cursor, size).await.unwrap();
                    assert!(fits(&page.rows) && page.rows.len() <= size);
                    assert_eq!(page.matching, sizes.len() as u64);
                    (ids(&page.rows), page.next, page.previous)
                };
                let (there, back) = walk(pages).await;
                assert_eq!(there, back);
                let mut sorted = there;
                sorted.sort_unstable();
                assert_eq!(sorted, all);
            }
            all.reverse();
            let pages = async |cursor| {
                let page = rig.incidents().events_page(size, cursor).await.unwrap();
                assert!(fits(&page.rows) && page.rows.len() <= size);
                (page.rows.iter().map(|event| event.incident.0).collect(), page.next, page.previous)
            };
            assert_eq!(walk(pages).await, (all.clone(), all));
        });
    }
}

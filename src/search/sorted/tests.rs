//! Tests over several chunks, most of which are skipped.

use super::*;
use crate::{
    domain::{
        directory::Directory,
        event::{EventType, EventTypeSet},
        ids::SourceId,
        incident::{AckedUntil, EndTime, Summary},
        severity::Level,
    },
    search::{
        facets::{count, without_all},
        sort::SortColumn,
    },
};

const ROWS_IN_ALL: u64 = 5 * ROWS as u64;
const NOW: i64 = 500_000;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

/// Creates columns of mixed values, with open incidents at the end and closed ones at the beginning.
fn columns() -> Columns {
    let mut columns = Columns::default();
    for id in 1..=ROWS_IN_ALL {
        let dice = id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let start = (dice % 7_000) as i64;
        let end = match dice % 10 {
            0 => EndTime::Stateless,
            _ if start > 6_000 => EndTime::Infinity,
            _ => EndTime::At(at(start + (dice / 10 % 100) as i64)),
        };
        columns.put(&Summary {
            start: at(start),
            id: IncidentId(id),
            end,
            acked_until: if dice % 3 == 0 { AckedUntil::Forever } else { AckedUntil::Never },
            source: SourceId(dice / 7 % 90),
            level: Level::new((dice / 11 % 5) as u8 + 1).unwrap(),
            has_ticket: dice / 13 % 9 == 0,
            event_types: [EventType::ALL[dice as usize / 17 % 9]].into_iter().collect::<EventTypeSet>(),
        });
    }
    assert!(columns.chunks().len() > 5);
    columns
}

fn questions() -> Vec<Criteria> {
    let levels = |levels: &[Level]| Some(levels.iter().copied().collect());
    vec![
        Criteria::default(),
        Criteria { open: Some(true), ..Criteria::default() },
        Criteria { open: Some(false), has_ticket: Some(false), ..Criteria::default() },
        Criteria { levels: levels(&[Level::HIGH, Level::LOW]), acked: Some(true), ..Criteria::default() },
        Criteria {
            start_from: Some(at(2_000)),
            start_to: Some(at(4_000)),
            sources: Some([3, 5, 64, 67].map(SourceId).into_iter().collect()),
            ..Criteria::default()
        },
    ]
}

#[test]
fn pages_put_together_are_the_sorted_list() {
    let columns = columns();
    let now = at(NOW);
    for criteria in questions() {
        let walk = ColumnWalk::new(&columns, &criteria, None, now);
        let found = walk.older(Key::LAST, usize::MAX);
        let size = found.len().div_ceil(5).max(1);
        for column in SortColumn::ALL {
            for descending in [false, true] {
                let sort = Sort { column, descending };
                let Some(ranks) = Ranks::new(column, &criteria, &walk, &columns, &Directory::default()) else {
                    continue;
                };
                let way = SortDirection::new(sort, false);
                let turned = |key: &Key| {
                    let place = columns.place(key.id()).unwrap();
                    let rank = ranks.of_row(&columns.chunks()[place.chunk], place.row).unwrap();
                    way.turn(Spot { rank, key: *key })
                };
                let mut expected: Vec<OrderKey> = found.iter().map(turned).collect();
                expected.sort_unstable();
                let expected: Vec<u64> = expected.into_iter().map(|turned| way.back(turned).key.id).collect();
                let sorter = Sorter { columns: &columns, seq: 0, walk: &walk, ranks, sort };
                let ids = |page: &SortedFound| page.ids.iter().map(|id| id.0).collect::<Vec<_>>();
                let mut page = sorter.page(None, size);
                let mut all = ids(&page);
                while let Some(next) = page.next {
                    page = sorter.page(Some(next), size);
                    all.extend(ids(&page));
                    assert_eq!(page.matching, expected.len() as u64);
                    assert!(page.previous.is_some() && all.len() <= expected.len());
                }
                assert!(all == expected, "{sort:?} {criteria:?}");
                let mut back = ids(&page);
                while let Some(previous) = page.previous {
                    page = sorter.page(Some(previous), size);
                    back.splice(0..0, ids(&page));
                    assert!(back.len() <= expected.len());
                }
                assert!(back == expected, "backwards {sort:?} {criteria:?}");
            }
        }
    }
}

#[test]
fn a_facet_says_what_its_choice_would_find() {
    let columns = columns();
    let now = at(NOW);
    let found = |criteria: &Criteria| ColumnWalk::new(&columns, criteria, None, now).count();
    for criteria in questions() {
        let rest = without_all(&criteria);
        let walk = ColumnWalk::new(&columns, &rest, None, now);
        let facets = count(&walk, &criteria, &columns, &Directory::default(), now);
        assert_eq!(facets.matching, found(&criteria));
        for (level, count) in Level::ALL.into_iter().zip(facets.by_level) {
            assert_eq!(count, found(&Criteria { levels: Some([level].into_iter().collect()), ..criteria.clone() }));
        }
        for (source, count) in facets.by_source {
            assert_eq!(count, found(&Criteria { sources: Some([source].into_iter().collect()), ..criteria.clone() }));
        }
        for (kind, count) in facets.by_event_type {
            let event_types = vec![[kind].into_iter().collect()];
            assert_eq!(count, found(&Criteria { event_types, ..criteria.clone() }));
        }
        let open = |open| found(&Criteria { open: Some(open), ..criteria.clone() });
        assert_eq!((facets.open, facets.closed), (open(true), open(false)));
        let acked = |acked| found(&Criteria { acked: Some(acked), ..criteria.clone() });
        assert_eq!((facets.acked, facets.unacked), (acked(true), acked(false)));
        let ticket = |has| found(&Criteria { has_ticket: Some(has), ..criteria.clone() });
        assert_eq!((facets.with_ticket, facets.without_ticket), (ticket(true), ticket(false)));
    }
}

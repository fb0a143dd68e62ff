//! How long the incident list and what stands around it take at a million incidents. `cargo bench --bench listing`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it measures, and prints what it measured"
)]

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use argusd::{
    clock::ManualClock,
    domain::{
        change::ChangeKind,
        event::{EventType, EventTypeSet},
        filter::{Criteria, search_words, tag_groups},
        ids::{IncidentId, SourceId, UserId},
        incident::{AckedUntil, EndTime, Incident},
        severity::Level,
        source::Source,
        tag::{IncidentTag, Tag},
        time::Timestamp,
    },
    search::Search,
    service::{Service, Settings, Sort, SortColumn},
    store::{Command, Options, Store, StoreError},
};

const INCIDENTS: u64 = 1_000_000;
const IN_ONE_COMMIT: u64 = 10_000;
const SOURCES: u64 = 20;
const NOW: i64 = 1_768_478_400_000_000;
const MINUTE_MICROS: i64 = 60_000_000;
const ROWS: usize = 100;
/// Of each question.
const TIMES: usize = 31;
const PAGES: usize = 10;

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::saturating_from_micros(NOW)));
    let store = Store::open(&directory.path().join("argusd.redb"), Options::default(), clock).unwrap();
    let began = Instant::now();
    write(&store, sources).await;
    for first in (0..INCIDENTS).step_by(IN_ONE_COMMIT as usize) {
        write(&store, move |command| load(command, first)).await;
    }
    println!("{INCIDENTS} incidents loaded in {:?}", began.elapsed());
    let search = Search::open(&store, &directory.path().join("search")).unwrap();
    let service = Service::new(store, search, Settings::default());
    assert!(service.search().wait_until_indexed(Duration::from_mins(20)));
    println!("indexed after {:?}", began.elapsed());

    pages(&service).await;
    counts(&service).await;
    suggestions(&service).await;
    beside(&service).await;
}

async fn write(store: &Store, change: impl FnOnce(&mut Command<'_>) + Send + 'static) {
    let written = store.write(None, move |command| {
        change(command);
        Ok::<_, StoreError>(())
    });
    written.await.unwrap();
}

fn sources(command: &mut Command<'_>) {
    for number in 0..SOURCES {
        let source = Source {
            id: command.new_source_id(),
            name: format!("source {}", number * 7 % SOURCES),
            source_type: format!("type{}", number % 4),
            user: UserId(1),
            base_url: String::new(),
            heartbeat_frequency: None,
        };
        command.put_source(source);
    }
}

/// One a minute; one in fifty is still open, the rest ended after up to a day; a third is acknowledged.
fn load(command: &mut Command<'_>, first: u64) {
    for index in first..first + IN_ONE_COMMIT {
        let dice = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let start = NOW - (INCIDENTS - index) as i64 * MINUTE_MICROS;
        let tag = |text: String| IncidentTag {
            tag: Tag::parse(&text).unwrap(),
            added_by: UserId(1),
            added_at: Timestamp::saturating_from_micros(start),
        };
        let end = match dice % 50 {
            0 => EndTime::Infinity,
            1 => EndTime::Stateless,
            _ => EndTime::At(Timestamp::saturating_from_micros(start + (dice % 1_440) as i64 * MINUTE_MICROS)),
        };
        let id = command.new_incident_id();
        let kinds = [EventType::Start, EventType::Close, EventType::Acknowledge, EventType::Change];
        command.put_incident(Incident {
            end,
            source_incident_id: index.to_string(),
            description: format!("The link from host {} to its neighbour is down again, as it was", dice % 20_000),
            level: Level::new((dice / 7 % 5) as u8 + 1).unwrap(),
            ticket_url: if dice % 11 == 0 { "https://tickets.example.org/1".to_owned() } else { String::new() },
            tags: vec![
                tag(format!("host=h{}", dice % 20_000)),
                tag(format!("port={}", dice % 400_000)),
                tag(format!("site=s{}", dice % 50)),
                tag("service=link".to_owned()),
            ],
            acked_until: if dice % 3 == 0 { AckedUntil::Forever } else { AckedUntil::Never },
            event_types: kinds.into_iter().take(dice as usize % 4 + 1).collect::<EventTypeSet>(),
            ..Incident::new(id, SourceId(dice / 64 % SOURCES + 1), Timestamp::saturating_from_micros(start))
        });
        if index + 1 == first + IN_ONE_COMMIT {
            command.log(ChangeKind::IncidentDeleted { incident: IncidentId(u64::MAX >> 1) });
        }
    }
}

fn filters() -> Vec<(&'static str, Criteria)> {
    let all = Criteria::default;
    let some = |sources: &[u64]| Some(sources.iter().map(|&source| SourceId(source)).collect());
    let from = Timestamp::saturating_from_micros(NOW - 30 * 1_440 * MINUTE_MICROS);
    vec![
        ("all", all()),
        ("open", Criteria { open: Some(true), ..all() }),
        ("open, not acknowledged", Criteria { open: Some(true), acked: Some(false), ..all() }),
        ("closed", Criteria { open: Some(false), ..all() }),
        (
            "levels 1 and 3",
            Criteria { levels: Some([Level::CRITICAL, Level::MODERATE].into_iter().collect()), ..all() },
        ),
        ("one source", Criteria { sources: some(&[3]), ..all() }),
        ("five sources", Criteria { sources: some(&[1, 4, 9, 12, 17]), ..all() }),
        ("acknowledged, with ticket", Criteria { acked: Some(true), has_ticket: Some(true), ..all() }),
        ("an event type", Criteria { event_types: vec![[EventType::Change].into_iter().collect()], ..all() }),
        ("up to ten minutes", Criteria { max_duration: Some(10 * MINUTE_MICROS), ..all() }),
        (
            "last 30 days, hide closed and acknowledged",
            Criteria { start_from: Some(from), hide_closed_acked: true, ..all() },
        ),
        (
            "closed, levels, sources, no ticket, not acknowledged",
            Criteria {
                open: Some(false),
                acked: Some(false),
                has_ticket: Some(false),
                levels: Some([Level::HIGH, Level::LOW].into_iter().collect()),
                sources: some(&[2, 3, 5, 7, 11]),
                ..all()
            },
        ),
    ]
}

async fn pages(service: &Service) {
    let mut slowest = (Duration::ZERO, String::new());
    for column in SortColumn::ALL {
        let mut of_column = Vec::new();
        for descending in [true, false] {
            let sort = Sort { column, descending };
            for (name, criteria) in filters() {
                let first = measure(async || {
                    service.incidents().incidents_sorted(criteria.clone(), sort, None, ROWS).await.unwrap()
                })
                .await;
                let mut cursor = None;
                for _ in 0..PAGES {
                    cursor =
                        service.incidents().incidents_sorted(criteria.clone(), sort, cursor, ROWS).await.unwrap().next;
                }
                let later = measure(async || {
                    service.incidents().incidents_sorted(criteria.clone(), sort, cursor, ROWS).await.unwrap()
                })
                .await;
                for (which, took) in [("page 1", first), ("page 11", later)] {
                    of_column.push(took);
                    let direction = if descending { "descending" } else { "ascending" };
                    slowest = slowest.max((took, format!("{which} of {name}, {column:?} {direction}")));
                }
            }
        }
        of_column.sort_unstable();
        println!(
            "sorted by {column:?}: p50 over filters {:?}, slowest {:?}",
            of_column[of_column.len() / 2],
            of_column[of_column.len() - 1]
        );
    }
    println!("slowest sorted page: {:?} for {}", slowest.0, slowest.1);
}

async fn counts(service: &Service) {
    for (name, criteria) in filters() {
        let took = measure(async || service.incidents().facets(criteria.clone()).await.unwrap()).await;
        println!("facets of {name}: {took:?}");
    }
    println!("overview: {:?}", measure(async || service.incidents().overview().await.unwrap()).await);
}

async fn suggestions(service: &Service) {
    for typed in ["", "h", "host", "host=h12", "port=", "port=39999", "service=", "site=s"] {
        let took = measure(async || service.incidents().suggest_tags(None, typed.to_owned(), 20).await.unwrap()).await;
        println!("tags for {typed:?}: {took:?}");
    }
    let open = Criteria { open: Some(true), ..Criteria::default() };
    let took =
        measure(async || service.incidents().suggest_tags(Some(open.clone()), "host=".to_owned(), 20).await.unwrap())
            .await;
    println!("tags of open incidents: {took:?}");
}

async fn beside(service: &Service) {
    let incident = service.incidents().incident(IncidentId(INCIDENTS / 2)).await.unwrap();
    println!(
        "neighbours: {:?}",
        measure(async || service.incidents().neighbours(incident.clone(), 10).await.unwrap()).await
    );
    let tags = tag_groups([Tag::parse("site=s7").unwrap()]);
    let criteria = Criteria { open: Some(true), tags, words: search_words("neighbour"), ..Criteria::default() };
    for count in [1, 50, 1_000] {
        let ids: BTreeSet<IncidentId> = (0..count).map(|number| IncidentId(INCIDENTS - number * 50)).collect();
        let took =
            measure(async || service.incidents().matching_of(criteria.clone(), ids.clone()).await.unwrap()).await;
        println!("which of {count} match a tag and a word: {took:?}");
    }
}

/// The middle one.
async fn measure<T>(work: impl AsyncFn() -> T) -> Duration {
    let mut took = Vec::new();
    for _ in 0..TIMES {
        let began = Instant::now();
        let _ = work().await;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    took[TIMES / 2]
}

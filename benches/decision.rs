//! How long it takes to decide who is told of an event, with 5,000 active profiles of which ten match and a thousand of
//! the others ask for a level only, and how long the first event after a change of the configuration takes, also with a
//! user who made as much as one could: 200 filters of 200 tags, and 1,000 profiles that name all of them.
//! `cargo bench --bench decision`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it measures, and prints what it measured"
)]

use std::{hint::black_box, sync::Arc, time::Instant};

use argusd::domain::{
    destination::Destination,
    directory::Directory,
    event::{Event, EventType, StateAfter},
    ids::{DestinationId, EventId, FilterId, IncidentId, ProfileId, Seq, SourceId, TimeslotId, TokenId, UserId},
    matcher::Matcher,
    plan::{Occurrence, plan},
    profile::Profile,
    severity::Level,
    source::Source,
    stored_filter::{FilterBlob, StoredFilter},
    tag::{IncidentTag, Tag},
    time::Timestamp,
    timeslot::all_the_time,
    token::{Token, TokenKind, TokenOrigin},
    user::User,
};

const PROFILES: u64 = 5_000;
const MATCHING: u64 = 10;
const LEVEL_ONLY: u64 = 1_000;
const ROUNDS: u32 = 20_000;
const NOW: Timestamp = Timestamp::saturating_from_micros(1_768_478_400_000_000);

fn main() {
    let directory = directory();
    let began = Instant::now();
    let matcher = Matcher::new(&directory);
    println!("made ready in {:?} at the start", began.elapsed());

    let tags: Vec<IncidentTag> =
        ["host=core-1", "location=oslo", "team=network", "customer=7", "service=bgp"].map(tag).into_iter().collect();
    let event = Event {
        id: EventId(1),
        incident: IncidentId(1),
        actor: UserId(1),
        timestamp: NOW,
        received: NOW,
        kind: EventType::Start,
        description: String::new(),
        after: StateAfter {
            open: true,
            acked: false,
            level: Level::new(3).unwrap(),
            tags_version: 0,
            decided: Some(Seq(1)),
        },
    };
    let occurrence = Occurrence::new(&event, SourceId(1), true, false, &tags);
    assert_eq!(plan(&matcher, &directory, &occurrence).intents.len(), MATCHING as usize);

    let mut times: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            black_box(plan(black_box(&matcher), &directory, black_box(&occurrence)));
            began.elapsed()
        })
        .collect();
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!("one decision: median {:?}, 99 % {:?}, longest {:?}", at(0.5), at(0.99), at(1.0));
    after_changes(directory.clone(), &occurrence, "5,000 profiles");
    let greedy = greedy(directory);
    let began = Instant::now();
    black_box(Matcher::new(&greedy));
    println!("with a greedy user: made ready in {:?} at the start", began.elapsed());
    after_changes(greedy, &occurrence, "with a greedy user");
}

type Edit<'a> = &'a dyn Fn(&mut Directory);

/// The first decision after one change of each kind, which has to bring the matcher up to date.
fn after_changes(mut directory: Directory, occurrence: &Occurrence<'_>, what: &str) {
    let mut matcher = Matcher::new(&directory);
    let user = UserId(1_001);
    let changes: [(&str, Edit<'_>); 5] = [
        ("nothing", &|_| {}),
        ("a token", &|directory| drop(directory.put_token(token(user)))),
        ("a timeslot", &|directory| {
            let id = TimeslotId(999_999);
            directory.timeslots.insert(id, Arc::new(all_the_time(id, user)));
        }),
        ("a profile", &|directory| {
            let (id, last) = directory.profiles.iter().next_back().map(|(id, it)| (*id, Arc::clone(it))).unwrap();
            let profile = Profile { name: Some("renamed".to_owned()), ..Profile::clone(&last) };
            directory.profiles.insert(id, Arc::new(profile));
        }),
        ("a filter", &|directory| {
            let last = Arc::clone(directory.filters.values().last().unwrap());
            let mut blob = last.blob.clone();
            blob.tags.get_or_insert_default().push("new=tag".to_owned());
            directory.filters.insert(last.id, Arc::new(StoredFilter { blob, ..StoredFilter::clone(&last) }));
        }),
    ];
    for (changed, change) in changes {
        let before = directory.clone();
        let began = Instant::now();
        change(&mut directory);
        let written = began.elapsed();
        matcher.update(&directory);
        black_box(plan(&matcher, &directory, occurrence));
        println!("{what}: {changed} changed in {written:?}, and decided after {:?}", began.elapsed());
        drop(before);
    }
}

fn greedy(mut directory: Directory) -> Directory {
    let owner = UserId(1_001);
    let filters: Vec<FilterId> = (100_000..100_200).map(FilterId).collect();
    for id in &filters {
        let tags = (0..200).map(|number| format!("key=a value of {id} with the number {number}")).collect();
        let blob = FilterBlob { tags: Some(tags), ..FilterBlob::default() };
        let name = format!("f{id}");
        directory.filters.insert(*id, Arc::new(StoredFilter { id: *id, owner, name, public: false, blob }));
    }
    for id in (100_000..101_000).map(ProfileId) {
        let (timeslot, filters) = (TimeslotId(1), filters.clone());
        let profile = Profile { id, owner, name: None, timeslot, filters, destinations: Vec::new(), active: true };
        directory.profiles.insert(id, Arc::new(profile));
    }
    directory
}

fn token(user: UserId) -> Token {
    Token {
        id: TokenId(1),
        hash: [7; 32],
        user,
        created: NOW,
        expires: None,
        kind: TokenKind::Classic,
        origin: TokenOrigin::Hand,
        replaceable: false,
        note: String::new(),
    }
}

/// Ten profiles match; a thousand ask for level 2 or worse; the others for hosts, customers and sources of their own.
fn directory() -> Directory {
    let mut directory = Directory::default();
    for id in 1..=200 {
        let name = format!("source-{id}");
        let user = UserId(id);
        directory.put_source(Source {
            id: SourceId(id),
            name,
            source_type: format!("type-{}", id % 10),
            user,
            base_url: String::new(),
            heartbeat_frequency: None,
        });
    }
    for id in 1..=PROFILES {
        let blob = match id {
            _ if id <= MATCHING => {
                FilterBlob { tags: Some(vec!["host=core-1".to_owned()]), open: Some(true), ..FilterBlob::default() }
            }
            _ if id <= MATCHING + LEVEL_ONLY => FilterBlob { max_level: Level::new(2), ..FilterBlob::default() },
            _ if id % 3 == 0 => FilterBlob { source_ids: Some(vec![SourceId(2 + id % 199)]), ..FilterBlob::default() },
            _ if id % 3 == 1 => FilterBlob { tags: Some(vec![format!("host=edge-{id}")]), ..FilterBlob::default() },
            _ => FilterBlob {
                tags: Some(vec!["location=oslo".to_owned(), format!("customer={}", 10 + id % 50)]),
                ..FilterBlob::default()
            },
        };
        add_profile(&mut directory, id, blob);
    }
    directory
}

fn add_profile(directory: &mut Directory, id: u64, blob: FilterBlob) {
    let owner = UserId(1_000 + id);
    directory.put_user(User {
        id: owner,
        username: format!("user-{id}"),
        password_hash: None,
        first_name: String::new(),
        last_name: String::new(),
        email: String::new(),
        is_staff: false,
        is_superuser: false,
        is_active: true,
        created: NOW,
        grants: Vec::new(),
    });
    let (filter, timeslot, destination, profile) = (FilterId(id), TimeslotId(id), DestinationId(id), ProfileId(id));
    let stored = StoredFilter { id: filter, owner, name: String::new(), public: false, blob };
    directory.filters.insert(filter, Arc::new(stored));
    directory.timeslots.insert(timeslot, Arc::new(all_the_time(timeslot, owner)));
    let to = Destination {
        id: destination,
        owner,
        medium: "email".to_owned(),
        label: None,
        settings: [("email_address".to_owned(), format!("user-{id}@example.org"))].into(),
        synced: true,
    };
    directory.destinations.insert(destination, Arc::new(to));
    let profile = Profile {
        id: profile,
        owner,
        name: None,
        timeslot,
        filters: vec![filter],
        destinations: vec![destination],
        active: true,
    };
    directory.profiles.insert(profile.id, Arc::new(profile));
}

fn tag(text: &str) -> IncidentTag {
    IncidentTag { tag: Tag::parse(text).unwrap(), added_by: UserId(1), added_at: NOW }
}

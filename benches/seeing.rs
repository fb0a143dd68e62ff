//! How long it takes to preview a profile over a million incidents, and to explain a decision after 20,000 changes of the
//! configuration. `cargo bench --bench seeing`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it measures, and prints what it measured"
)]

use std::{sync::Arc, time::Instant};

use argusd::{
    clock::ManualClock,
    domain::{
        event::{Event, EventType, EventTypeSet, StateAfter},
        ids::{IncidentId, SourceId},
        incident::Incident,
        profile::Profile,
        severity::Level,
        stored_filter::{FilterBlob, StoredFilter},
        tag::{IncidentTag, Tag},
        time::Timestamp,
    },
    search::Search,
    service::{Caller, DraftFilter, PreviewDraft, Service, Settings},
    store::{Command, Options, Store, StoreError},
};

const INCIDENTS: u64 = 1_000_000;
const IN_ONE_COMMIT: u64 = 5_000;
const CHANGES: u64 = 20_000;
const NOW: i64 = 1_768_478_400_000_000;
const DAY_MICROS: i64 = 86_400_000_000;

#[tokio::main]
async fn main() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::saturating_from_micros(NOW)));
    let store = Store::open(&directory.path().join("argusd.redb"), Options::default(), clock).unwrap();
    let search = Search::open(&store, &directory.path().join("search")).unwrap();
    let service = Service::new(store, search, Settings::default());
    service.people().first_start(Some("correct horse".into())).await.unwrap();
    let caller = service.people().local_caller().unwrap();
    let began = Instant::now();
    for batch in 0..INCIDENTS / IN_ONE_COMMIT {
        write(&service, move |command| load(command, batch * IN_ONE_COMMIT)).await;
    }
    println!("{INCIDENTS} incidents loaded in {:?}", began.elapsed());
    preview(&service, &caller, "all", FilterBlob { stateful: Some(true), ..FilterBlob::default() }).await;
    preview(
        &service,
        &caller,
        "of one tag",
        FilterBlob { tags: Some(vec!["host=7".to_owned()]), ..FilterBlob::default() },
    )
    .await;
    preview(&service, &caller, "of level 1", FilterBlob { max_level: Level::new(1), ..FilterBlob::default() }).await;
    explain(&service, &caller).await;
}

async fn write(service: &Service, change: impl FnOnce(&mut Command<'_>) + Send + 'static) {
    let written = service.store().write(None, move |command| {
        change(command);
        Ok::<_, StoreError>(())
    });
    written.await.unwrap();
}

fn load(command: &mut Command<'_>, first: u64) {
    for index in first..first + IN_ONE_COMMIT {
        // Scattered over a hundred days, so that neighbours in time are none in the file.
        let scattered = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let timestamp = Timestamp::saturating_from_micros(NOW - (scattered as i64 % (100 * DAY_MICROS)));
        let user = command.directory().user_named("admin").unwrap().id;
        let tag = |text: String| IncidentTag { tag: Tag::parse(&text).unwrap(), added_by: user, added_at: timestamp };
        let level = Level::new((index % 5) as u8 + 1).unwrap();
        let incident = Incident {
            source_incident_id: index.to_string(),
            details_url: format!("/incident/{index}"),
            description: format!("The link from host {index} to its neighbour is down again, as it was before"),
            level,
            metadata: "{\"a\":1}".to_owned(),
            tags: vec![
                tag(format!("host={}", index % 1_000)),
                tag(format!("site={}", index % 50)),
                tag("service=link".to_owned()),
                tag(format!("customer={}", index % 300)),
            ],
            event_types: [EventType::Start].into_iter().collect::<EventTypeSet>(),
            ..Incident::new(command.new_incident_id(), SourceId(1), timestamp)
        };
        let event = Event {
            id: command.new_event_id(),
            incident: incident.id,
            actor: user,
            timestamp,
            received: timestamp,
            kind: EventType::Start,
            description: incident.description.clone(),
            after: StateAfter { open: true, acked: false, level, tags_version: 0, decided: Some(command.seq()) },
        };
        command.put_incident(incident);
        command.put_event(event);
    }
}

async fn preview(service: &Service, caller: &Caller, what: &str, blob: FilterBlob) {
    let timeslot = service.directory().timeslots_of(caller.id())[0].id;
    let filters = vec![DraftFilter::Inline(blob)];
    let draft = PreviewDraft { timeslot, filters, destinations: Vec::new(), active: true };
    for days in [30, 90] {
        let began = Instant::now();
        let forecast = service.notifications().forecast(caller, draft.clone(), days).await.unwrap();
        let judged: u64 = forecast.silent.values().sum();
        println!(
            "preview of {days} days, filter {what}: {:?} for {judged} events, truncated: {}",
            began.elapsed(),
            forecast.truncated
        );
    }
}

async fn explain(service: &Service, caller: &Caller) {
    let owner = caller.id();
    let timeslot = service.directory().timeslots_of(owner)[0].id;
    for _ in 0..CHANGES / 2_000 {
        write(service, move |command| {
            for _ in 0..1_000 {
                let (filter, id) = (command.new_filter_id(), command.new_profile_id());
                let blob = FilterBlob { max_level: Level::new(1), ..FilterBlob::default() };
                command.put_filter(StoredFilter { id: filter, owner, name: format!("f{filter}"), public: false, blob });
                let (name, filters) = (None, vec![filter]);
                command.put_profile(Profile { id, owner, name, timeslot, filters, destinations: vec![], active: true });
            }
        })
        .await;
    }
    let incident = IncidentId(1);
    let event = service.incidents().events(incident).await.unwrap().remove(0).id;
    let began = Instant::now();
    let decisions = service.notifications().decisions(caller, incident, event, None).await.unwrap();
    println!("explained by few profiles after {CHANGES} changes: {:?}", began.elapsed());
    assert!(decisions.profiles.is_empty());
    write(service, move |command| {
        let mut event = command.event(incident, event).unwrap().unwrap();
        event.id = command.new_event_id();
        event.after.decided = Some(command.seq());
        command.put_event(event);
    })
    .await;
    let event = service.incidents().events(incident).await.unwrap().into_iter().map(|event| event.id).max().unwrap();
    let began = Instant::now();
    let decisions = service.notifications().decisions(caller, incident, event, None).await.unwrap();
    println!("explained by {} profiles: {:?}", decisions.profiles.len(), began.elapsed());
}

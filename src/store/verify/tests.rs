//! Tests that each kind of damage is found.

mod agenda;
mod damage;
mod notifications;

use std::{
    fs,
    os::unix::fs::FileExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
};

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use tempfile::TempDir;

use super::verify_file;
use crate::{
    clock::ManualClock,
    domain::{
        change::ChangeKind,
        event::{Event, EventType, StateAfter},
        ids::{FilterId, SourceId, UserId},
        incident::{AckedUntil, Incident},
        severity::Level,
        source::Source,
        stored_filter::{FilterBlob, StoredFilter},
        time::Timestamp,
    },
    store::{
        Options, Store, StoreError,
        codec::{id_key, pair_key, source_incident_key, time_key},
        kind::{Kind, Record},
        record::{event::encode_event, incident::encode_incident},
        schema::{
            EVENT_ID_TO_EVENT, INCIDENT_ID_TO_INCIDENT, NAME_TO_COUNTER, SEQ_TO_CHANGE,
            SOURCE_INCIDENT_ID_TO_INCIDENT_ID, START_TO_SUMMARY, TIMESTAMP_TO_INCIDENT_ID,
        },
    },
};

const NOW: Timestamp = Timestamp::saturating_from_micros(1_700_000_000_000_000);

struct Planted {
    path: PathBuf,
    _folder: TempDir,
}

fn incident(id: u64) -> (Incident, Event) {
    let mut incident = Incident {
        source_incident_id: format!("s{id}"),
        description: format!("needle in haystack number {id}"),
        level: Level::HIGH,
        ..Incident::new(crate::domain::ids::IncidentId(id), SourceId(1), NOW)
    };
    let event = Event {
        id: crate::domain::ids::EventId(id),
        incident: incident.id,
        actor: UserId(1),
        timestamp: NOW,
        received: NOW,
        kind: EventType::Start,
        description: String::new(),
        after: StateAfter { open: true, acked: false, level: Level::HIGH, tags_version: 0, decided: None },
    };
    incident.note_event(&event);
    (incident, event)
}

fn user() -> crate::domain::user::User {
    crate::domain::user::User {
        id: UserId(1),
        username: "somebody".to_owned(),
        password_hash: None,
        first_name: String::new(),
        last_name: String::new(),
        email: String::new(),
        is_staff: false,
        is_superuser: false,
        is_active: true,
        created: NOW,
        grants: Vec::new(),
    }
}

/// Creates a sound file with a thousand incidents.
fn sound() -> Planted {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("argusd.redb");
    let store = Store::open(&path, Options::default(), Arc::new(ManualClock::new(NOW))).unwrap();
    store
        .write_blocking(None, |command| {
            command.add_user(user());
            command.put_source_type("test".to_owned());
            let id = command.new_source_id();
            command.put_source(Source {
                id,
                name: "source".to_owned(),
                source_type: "test".to_owned(),
                user: UserId(1),
                base_url: String::new(),
                heartbeat_frequency: None,
            });
            for _ in 0..1_000 {
                let (incident, event) = incident(command.new_incident_id().0);
                assert_eq!(command.new_event_id(), event.id);
                command.log(ChangeKind::IncidentCreated { incident: incident.id, event: event.id });
                command.put_incident(incident);
                command.put_event(event);
            }
            Ok::<(), StoreError>(())
        })
        .unwrap();
    store.close().unwrap();
    assert_eq!(verify_file(&path).unwrap(), Vec::<String>::new());
    Planted { path, _folder: folder }
}

fn findings_after(damage: impl FnOnce(&WriteTransaction)) -> Vec<String> {
    let planted = sound();
    let database = redb::Database::create(&planted.path).unwrap();
    let txn = database.begin_write().unwrap();
    damage(&txn);
    txn.commit().unwrap();
    drop(database);
    verify_file(&planted.path).unwrap()
}

#[test]
fn finds_a_missing_row_in_each_index() {
    let findings = findings_after(|txn| {
        txn.open_table(START_TO_SUMMARY).unwrap().remove(time_key(NOW, 7)).unwrap();
    });
    assert_eq!(findings, ["incident 7 is missing in the index by start"]);

    let findings = findings_after(|txn| {
        let name = source_incident_key(1, "s7");
        txn.open_table(SOURCE_INCIDENT_ID_TO_INCIDENT_ID).unwrap().remove(name.as_slice()).unwrap();
    });
    assert_eq!(findings, ["incident 7 is not found by its source incident id, but None"]);

    let findings = findings_after(|txn| {
        txn.open_table(TIMESTAMP_TO_INCIDENT_ID).unwrap().remove(time_key(NOW, 7)).unwrap();
    });
    assert_eq!(findings, ["event 7 is missing in the index by time"]);
}

#[test]
fn finds_index_rows_without_a_record() {
    let findings = findings_after(|txn| {
        txn.open_table(INCIDENT_ID_TO_INCIDENT).unwrap().remove(id_key(7)).unwrap();
    });
    for expected in [
        "the index by start has a row without an incident: 7",
        "the index by source incident id has a row without an incident: 7",
        "event 7 is orphaned: there is no incident 7",
        "counter incidents is 1000, but there are 999",
    ] {
        assert!(findings.iter().any(|finding| finding == expected), "{expected}: {findings:?}");
    }

    let findings = findings_after(|txn| {
        txn.open_table(EVENT_ID_TO_EVENT).unwrap().remove(pair_key(7, 7)).unwrap();
    });
    assert!(findings.iter().any(|finding| finding == "the index by time has a row without an event: 7"));
}

#[test]
fn finds_a_counter_off_by_one() {
    for name in ["incidents", "events", "acks"] {
        let findings = findings_after(|txn| {
            let mut counters = txn.open_table(NAME_TO_COUNTER).unwrap();
            let value = counters.get(name).unwrap().map_or(0, |value| value.value());
            counters.insert(name, value + 1).unwrap();
        });
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with(&format!("counter {name} is")), "{findings:?}");
    }
}

#[test]
fn files_from_before_there_were_filters_are_sound() {
    let findings = findings_after(|txn| {
        txn.delete_table(StoredFilter::TABLE).unwrap();
    });
    assert_eq!(findings, Vec::<String>::new());
}

#[test]
fn finds_a_filter_without_an_owner() {
    let findings = findings_after(|txn| {
        let filter = StoredFilter {
            id: FilterId(3),
            owner: UserId(99),
            name: "lost".to_owned(),
            public: true,
            blob: FilterBlob::default(),
        };
        let mut filters = txn.open_table(StoredFilter::TABLE).unwrap();
        filters.insert(id_key(3), filter.encode().unwrap().as_slice()).unwrap();
    });
    for expected in ["filter 3 has no owner", "filter 3 has an id not given out yet", "filter 3 has no version"] {
        assert!(findings.iter().any(|finding| finding == expected), "{expected}: {findings:?}");
    }
}

#[test]
fn finds_an_orphaned_event() {
    let findings = findings_after(|txn| {
        let (_, event) = incident(900);
        let mut events = txn.open_table(EVENT_ID_TO_EVENT).unwrap();
        events.insert(pair_key(5_000, 900), encode_event(&event).unwrap().as_slice()).unwrap();
    });
    assert!(findings.iter().any(|finding| finding == "event 900 is orphaned: there is no incident 5000"));
}

#[test]
fn finds_a_derived_field_that_is_wrong() {
    let findings = findings_after(|txn| {
        let (mut incident, _) = incident(7);
        incident.acked_until = AckedUntil::Forever;
        let mut incidents = txn.open_table(INCIDENT_ID_TO_INCIDENT).unwrap();
        incidents.insert(id_key(7), encode_incident(&incident).unwrap().as_slice()).unwrap();
    });
    for expected in [
        "incident 7 differs from its row in the index by start",
        "incident 7 is acknowledged for another time than its acknowledgements",
    ] {
        assert!(findings.iter().any(|finding| finding == expected), "{expected}: {findings:?}");
    }
}

#[test]
fn finds_a_gap_in_the_change_log() {
    let findings = findings_after(|txn| {
        txn.open_table(SEQ_TO_CHANGE).unwrap().remove(id_key(500)).unwrap();
    });
    assert_eq!(findings, ["the change log has a gap before 501"]);
}

#[test]
fn finds_a_record_that_cannot_be_read() {
    const RAW: TableDefinition<[u8; 8], &[u8]> = INCIDENT_ID_TO_INCIDENT;
    let findings = findings_after(|txn| {
        txn.open_table(RAW).unwrap().insert(id_key(7), [1_u8, 2, 3].as_slice()).unwrap();
    });
    assert!(findings.iter().any(|finding| finding.starts_with("incident 7: the data file is damaged")), "{findings:?}");
}

#[test]
fn finds_a_flipped_bit() {
    let planted = sound();
    let bytes = fs::read(&planted.path).unwrap();
    let needle = b"needle in haystack number 500";
    let places: Vec<usize> =
        bytes.windows(needle.len()).enumerate().filter(|(_, window)| window == needle).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    let file = fs::OpenOptions::new().write(true).open(&planted.path).unwrap();
    for at in places {
        file.write_all_at(&[bytes[at] ^ 1], at as u64).unwrap();
    }
    drop(file);
    let outcome = catch_unwind(AssertUnwindSafe(|| verify_file(&planted.path)));
    assert!(!matches!(&outcome, Ok(Ok(findings)) if findings.is_empty()), "{outcome:?}");
}

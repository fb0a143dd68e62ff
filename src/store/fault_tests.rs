//! Tests with a disk that fails at the k-th write: callers get an error, acknowledged changes stay, and writing resumes
//! by itself.

use std::{
    fs::File,
    io,
    ops::Bound,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use proptest::prelude::*;
use redb::{BackendError, StorageBackend};

use super::{
    Command, Follower, Store, StoreError, WriteError,
    file::{Access, DataFile},
    verify::verify_file,
};
use crate::{
    clock::ManualClock,
    domain::{
        change::{ChangeKind, Committed},
        event::{Event, EventType, StateAfter},
        ids::{IncidentId, Seq, SourceId, UserId},
        incident::{EndTime, Incident},
        source::Source,
        time::Timestamp,
        user::User,
    },
};

const NOW: Timestamp = Timestamp::saturating_from_micros(1_700_000_000_000_000);

/// Counts down with each write or sync; below zero they fail until it is set again.
#[derive(Debug, Default)]
struct Faults(AtomicI64);

impl Faults {
    fn pass(&self) -> io::Result<()> {
        if self.0.fetch_sub(1, Ordering::SeqCst) > 0 {
            Ok(())
        } else {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }
    }
}

#[derive(Debug)]
struct FaultyDisk {
    file: File,
    faults: Arc<Faults>,
}

impl StorageBackend for FaultyDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.faults.pass()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.faults.pass()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.faults.pass()?;
        self.file.write_all_at(data, offset)
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
}

/// A follower that knows only what batches and resets say.
struct Learner {
    seq: AtomicI64,
    resets: AtomicUsize,
    store: Mutex<Option<Store>>,
}

impl Follower for Learner {
    fn committed(&self, _: &[Committed], last: Seq, _: Timestamp) {
        self.seq.store(last.0 as i64, Ordering::SeqCst);
    }

    fn reset(&self) {
        self.resets.fetch_add(1, Ordering::SeqCst);
        let seq = self.store.lock().unwrap().as_ref().unwrap().counters().last_seq;
        self.seq.store(seq as i64, Ordering::SeqCst);
    }
}

fn open(path: &Path, faults: &Arc<Faults>) -> Store {
    let faults = Arc::clone(faults);
    let opener =
        move |file: File| Ok(Box::new(FaultyDisk { file, faults: Arc::clone(&faults) }) as Box<dyn StorageBackend>);
    let access = Access { opener: Box::new(opener), ..Access::with_cache(16 << 20) };
    let file = DataFile::open(path, true, access).unwrap();
    Store::start(file, Arc::new(ManualClock::new(NOW))).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "the form of a command")]
fn put_user(command: &mut Command<'_>) -> Result<UserId, StoreError> {
    let user = command.add_user(User {
        id: UserId(0),
        username: format!("user{}", command.seq().0),
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
    Ok(user.id)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_acknowledged_is_lost_when_the_disk_fails(failures in proptest::collection::vec(0..40_i64, 1..8)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("argusd.redb");
        let faults = Arc::new(Faults(AtomicI64::new(i64::MAX)));
        let store = open(&path, &faults);
        let learner =
            Arc::new(Learner { seq: AtomicI64::new(0), resets: AtomicUsize::new(0), store: Mutex::new(Some(store.clone())) });
        store.follow(Arc::clone(&learner) as Arc<dyn Follower>);
        let mut acknowledged = Vec::new();
        let mut refused = Vec::new();
        for writes_left in failures {
            faults.0.store(writes_left, Ordering::SeqCst);
            for _ in 0..8 {
                match store.write_blocking(None, put_user) {
                    Ok(id) => acknowledged.push(id),
                    Err(WriteError::Store(error)) => refused.push(error),
                    Err(WriteError::Refused(error)) => panic!("{error}"),
                }
            }
            faults.0.store(i64::MAX, Ordering::SeqCst);
            // When there is space again, writing resumes without help.
            acknowledged.push(store.write_blocking(None, put_user).unwrap());
        }
        prop_assert!(!refused.is_empty(), "the disk never failed");
        for error in &refused {
            prop_assert!(matches!(error, StoreError::Full | StoreError::Io(_) | StoreError::Closed), "{error:?}");
        }
        let directory = store.directory();
        for id in &acknowledged {
            prop_assert!(directory.user(*id).is_some(), "user {id} was acknowledged and is lost");
        }
        prop_assert_eq!(learner.seq.load(Ordering::SeqCst), store.counters().last_seq as i64);
        learner.store.lock().unwrap().take();
        store.close().unwrap();
        drop(store);
        prop_assert_eq!(verify_file(&path).unwrap(), Vec::<String>::new());
        let reopened = open(&path, &faults);
        prop_assert_eq!(reopened.directory().users.len(), directory.users.len());
        acknowledged.sort();
        acknowledged.dedup();
        for id in acknowledged {
            prop_assert!(reopened.directory().user(id).is_some());
        }
    }
}

const OLD: u64 = 40;

#[expect(clippy::unnecessary_wraps, reason = "the form of a command")]
fn put_old_incidents(command: &mut Command<'_>) -> Result<(), StoreError> {
    let source = command.new_source_id();
    command.put_source_type("t".to_owned());
    command.put_source(Source {
        id: source,
        name: "s".to_owned(),
        source_type: "t".to_owned(),
        user: UserId(1),
        base_url: String::new(),
        heartbeat_frequency: None,
    });
    for _ in 0..OLD {
        let incident = command.new_incident_id();
        let mut incident = Incident { end: EndTime::At(NOW), ..Incident::new(incident, source, NOW) };
        let after = StateAfter { open: false, acked: false, level: incident.level, tags_version: 0, decided: None };
        let event = Event {
            id: command.new_event_id(),
            incident: incident.id,
            actor: UserId(1),
            timestamp: NOW,
            received: NOW,
            kind: EventType::Start,
            description: "x".repeat(2_000),
            after,
        };
        incident.note_event(&event);
        command.log(ChangeKind::IncidentCreated { incident: incident.id, event: event.id });
        command.put_incident(incident);
        command.put_event(event);
    }
    Ok(())
}

/// Deletes the next four old incidents. Returns whether there were any.
fn purge_some(command: &mut Command<'_>) -> Result<bool, StoreError> {
    let mut ids = Vec::new();
    for id in (1..=OLD).map(IncidentId) {
        if ids.len() < 4 && command.incident(id)?.is_some() {
            ids.push(id);
            command.log(ChangeKind::IncidentDeleted { incident: id });
        }
    }
    let are_any = !ids.is_empty();
    command.purge_incidents(ids);
    Ok(are_any)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_run_of_the_retention_continues_after_the_disk_failed(failures in proptest::collection::vec(0..60_i64, 1..8)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("argusd.redb");
        let faults = Arc::new(Faults(AtomicI64::new(i64::MAX)));
        let store = open(&path, &faults);
        store.write_blocking(None, put_user).unwrap();
        store.write_blocking(None, put_old_incidents).unwrap();
        for writes_left in failures {
            faults.0.store(writes_left, Ordering::SeqCst);
            for _ in 0..3 {
                let outcome = store.write_blocking(None, purge_some);
                prop_assert!(!matches!(outcome, Err(WriteError::Refused(_))), "{:?}", outcome);
            }
            faults.0.store(i64::MAX, Ordering::SeqCst);
        }
        while store.write_blocking(None, purge_some).unwrap() {}
        let counters = store.counters();
        prop_assert_eq!((counters.incidents, counters.events, counters.purged), (0, 0, OLD), "each is counted once");
        store.close().unwrap();
        drop(store);
        prop_assert_eq!(verify_file(&path).unwrap(), Vec::<String>::new());
        prop_assert_eq!(open(&path, &faults).counters().purged, OLD);
    }
}

#[test]
fn signs_of_life_that_could_not_be_written_are_written_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("argusd.redb");
    let faults = Arc::new(Faults(AtomicI64::new(i64::MAX)));
    let store = open(&path, &faults);
    store.seen(SourceId(7));
    faults.0.store(0, Ordering::SeqCst);
    assert!(store.flush_seen().is_err());
    faults.0.store(i64::MAX, Ordering::SeqCst);
    store.flush_seen().unwrap();
    store.close().unwrap();
    drop(store);
    assert_eq!(open(&path, &faults).last_seen(SourceId(7)), Some(NOW));
}

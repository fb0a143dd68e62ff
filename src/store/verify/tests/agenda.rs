//! Tests of the agenda's rows: missing ones are found, and older files get theirs.

use std::sync::Arc;

use super::{NOW, findings_after, sound, verify_file};
use crate::{
    clock::ManualClock,
    domain::{
        agenda::{Task, TaskKind},
        ids::SourceId,
        source::Source,
        time::Timestamp,
    },
    store::{
        Options, Store, StoreError,
        agenda::{agenda_key, task_key},
        schema::{DUE_TO_TASK, TASK_TO_DUE},
    },
};

const TASK: Task = TaskKind::Heartbeat.of_source(SourceId(1));

#[test]
fn finds_a_missing_row_in_each_table() {
    let findings = findings_after(|txn| {
        txn.open_table(DUE_TO_TASK).unwrap().remove(agenda_key(NOW, TASK)).unwrap();
    });
    assert_eq!(findings, ["agenda: missing_heartbeat 1 is missing in the order of times"]);
    let findings = findings_after(|txn| {
        txn.open_table(TASK_TO_DUE).unwrap().remove(task_key(TASK)).unwrap();
    });
    assert_eq!(findings, ["agenda: missing_heartbeat 1 is due at another time than noted"]);
}

#[test]
fn finds_rows_that_are_about_nothing() {
    let findings = findings_after(|txn| {
        let task = TaskKind::TokenExpiry.of_source(SourceId(9));
        txn.open_table(DUE_TO_TASK).unwrap().insert(agenda_key(NOW, task), [1_u8].as_slice()).unwrap();
        txn.open_table(TASK_TO_DUE).unwrap().insert(task_key(task), NOW.micros()).unwrap();
    });
    assert_eq!(findings, ["agenda: token_expiry 9 is about a source that does not exist"]);
}

#[test]
fn files_from_before_there_was_an_agenda_get_a_row_for_each_task() {
    let planted = sound();
    let database = redb::Database::create(&planted.path).unwrap();
    let txn = database.begin_write().unwrap();
    txn.delete_table(DUE_TO_TASK).unwrap();
    txn.delete_table(TASK_TO_DUE).unwrap();
    txn.commit().unwrap();
    drop(database);
    assert_eq!(verify_file(&planted.path).unwrap(), Vec::<String>::new());
    let store = Store::open(&planted.path, Options::default(), Arc::new(ManualClock::new(NOW))).unwrap();
    for kind in TaskKind::OF_SOURCES {
        let due = store.agenda().due(kind);
        assert_eq!(due.len(), 1);
        assert_eq!((due[0].task, due[0].stored), (kind.of_source(SourceId(1)), Timestamp::MIN));
    }
}

#[test]
fn everything_is_looked_at_after_a_start_whatever_the_clock_says() {
    let planted = sound();
    for hours in [-1_000, -1, 0, 1] {
        let clock = ManualClock::new(NOW.saturating_add_micros(hours * 3_600_000_000));
        let store = Store::open(&planted.path, Options::default(), Arc::new(clock)).unwrap();
        for kind in TaskKind::OF_SOURCES {
            let due: Vec<Task> = store.agenda().due(kind).into_iter().map(|due| due.task).collect();
            assert_eq!(due, [kind.of_source(SourceId(1))], "{hours} h");
        }
        store.close().unwrap();
    }
}

#[test]
fn rows_that_an_older_release_did_not_write_are_added() {
    let planted = sound();
    let open = || Store::open(&planted.path, Options::default(), Arc::new(ManualClock::new(NOW))).unwrap();
    let store = open();
    let watch = |command: &mut crate::store::Command<'_>| {
        let source = Source::clone(&command.directory().sources[&SourceId(1)]);
        command.put_source(Source { heartbeat_frequency: Some(60), ..source });
        Ok::<_, StoreError>(())
    };
    store.write_blocking(None, watch).unwrap();
    store.close().unwrap();
    let database = redb::Database::create(&planted.path).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(DUE_TO_TASK).unwrap().remove(agenda_key(NOW, TASK)).unwrap();
    txn.open_table(TASK_TO_DUE).unwrap().remove(task_key(TASK)).unwrap();
    txn.commit().unwrap();
    drop(database);
    let store = open();
    assert_eq!(store.agenda().due(TaskKind::Heartbeat).len(), 1);
    store.close().unwrap();
    assert_eq!(verify_file(&planted.path).unwrap(), Vec::<String>::new());
}

//! Checks of the agenda: both tables agree, and everything that needs a task has one.

use std::collections::{BTreeMap, BTreeSet};

use redb::ReadableTable;

use super::{Findings, Snapshot, StoreError};
use crate::domain::{
    Directory, SourceId, Timestamp,
    agenda::{Task, TaskKind},
};
use crate::store::{
    agenda::{decode_row, decode_task, needed},
    codec::timestamp,
    schema::{DUE_TO_TASK, TASK_TO_DUE},
};

pub fn check(snapshot: &Snapshot, directory: &Directory, findings: &mut Findings) -> Result<(), StoreError> {
    let mut rows: BTreeSet<(Task, Timestamp)> = BTreeSet::new();
    for row in snapshot.txn.open_table(DUE_TO_TASK)?.iter()? {
        let (key, value) = row?;
        match decode_row(key.value(), value.value()) {
            Ok(row) => drop(rows.insert(row)),
            Err(error) => findings.add(format!("agenda: {error}")),
        }
    }
    let mut due: BTreeMap<Task, Timestamp> = BTreeMap::new();
    for row in snapshot.txn.open_table(TASK_TO_DUE)?.iter()? {
        let (key, value) = row?;
        match decode_task(key.value()).and_then(|task| Ok((task, timestamp(value.value())?))) {
            Ok((task, at)) => drop(due.insert(task, at)),
            Err(error) => findings.add(format!("agenda: {error}")),
        }
    }
    let last_source = snapshot.counters()?.last_source;
    for (task, at) in &rows {
        findings.check(due.get(task) == Some(at), || format!("agenda: {task} is due at another time than noted"));
        // Tasks of a deleted source are carried out once more, by the next server.
        let exists = !TaskKind::OF_SOURCES.contains(&task.kind)
            || task.id <= last_source
            || directory.source(SourceId(task.id)).is_some();
        findings.check(exists, || format!("agenda: {task} is about a source that does not exist"));
    }
    for (task, at) in &due {
        findings.check(rows.contains(&(*task, *at)), || format!("agenda: {task} is missing in the order of times"));
    }
    for task in needed(directory) {
        findings.check(due.contains_key(&task), || format!("agenda: {task} is missing"));
    }
    Ok(())
}

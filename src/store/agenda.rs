//! The agenda: its rows in the data file, written by the commands that decide, and their copy in memory, which knows
//! what is due.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redb::{ReadTransaction, ReadableTable};
use tokio::sync::Notify;

use super::{
    StoreError,
    codec::{AgendaKey, TaskKey, encode, id_key, key_id, ordered_time, time_of, timestamp, unknown_version, versioned},
    index::Applier,
    schema::DUE_TO_TASK,
    tables::WriteTables,
};
use crate::clock::Clock;
use crate::domain::{
    Directory, Timestamp,
    agenda::{Agenda, Due, Task, TaskKind},
};

/// Version byte of a row's value, which has no other content.
const V1: u8 = 1;

/// The rows in memory, shared by the writer and the job that executes due tasks.
pub struct LiveAgenda {
    clock: Arc<dyn Clock>,
    rows: Mutex<Agenda>,
    changed: Notify,
}

impl LiveAgenda {
    pub(super) fn new(rows: Vec<(Task, Timestamp)>, clock: Arc<dyn Clock>) -> Self {
        let agenda = Self { clock, rows: Mutex::default(), changed: Notify::new() };
        agenda.load(rows);
        agenda
    }

    /// Replaces all rows by those of the data file.
    pub(super) fn load(&self, rows: Vec<(Task, Timestamp)>) {
        let now = self.clock.both();
        let mut agenda = Agenda::default();
        for (task, due) in rows {
            agenda.load(task, due, now);
        }
        *self.lock() = agenda;
        self.changed.notify_one();
    }

    /// Applies the rows that a batch wrote. `None`: the row was deleted.
    pub(super) fn follow<'a>(&self, rows: impl Iterator<Item = &'a (Task, Option<Timestamp>)>) {
        let mut rows = rows.peekable();
        if rows.peek().is_none() {
            return;
        }
        let now = self.clock.both();
        let mut agenda = self.lock();
        for (task, due) in rows {
            match due {
                Some(due) => agenda.schedule(*task, *due, now),
                None => agenda.withdraw(*task),
            }
        }
        self.changed.notify_one();
    }

    /// Returns the tasks of a kind with their times in the data file.
    #[must_use]
    pub fn rows(&self, kind: TaskKind) -> Vec<(Task, Timestamp)> {
        self.lock().rows(kind)
    }

    /// Returns the due rows of a kind, those with the earliest times first.
    #[must_use]
    pub fn due(&self, kind: TaskKind) -> Vec<Due> {
        self.lock().due(kind, self.clock.both())
    }

    /// Postpones a row in memory; see [`Agenda::postpone`].
    pub fn postpone(&self, due: &Due, until: Timestamp) {
        self.lock().postpone(due, until, self.clock.both());
    }

    /// Returns the time until the next row becomes due, if the clock is not set meanwhile. `None`: no row waits for its
    /// time.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        let micros = self.lock().next(self.clock.both())?;
        Some(Duration::from_micros(micros.max(0).unsigned_abs()))
    }

    /// Waits until a command has written rows.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Agenda> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Applier<'_, '_> {
    /// Adds or moves the row of a task. `None` deletes it.
    pub fn schedule(&mut self, task: Task, due: Option<Timestamp>) -> Result<(), StoreError> {
        put(self.tables, task, due)
    }
}

/// Writes the row of a task and its index by time. `None` deletes both.
pub fn put(tables: &mut WriteTables<'_>, task: Task, due: Option<Timestamp>) -> Result<(), StoreError> {
    let key = task_key(task);
    let before = match due {
        Some(due) => tables.task_due.insert(key, due.micros())?,
        None => tables.task_due.remove(key)?,
    };
    if let Some(before) = before {
        let before = timestamp(before.value())?;
        tables.agenda.remove(agenda_key(before, task))?;
    }
    if let Some(due) = due {
        tables.agenda.insert(agenda_key(due, task), encode(V1, &())?.as_slice())?;
    }
    Ok(())
}

/// Returns the tasks for which sources need a row. Other tasks may have a row until it is checked next.
pub fn needed(directory: &Directory) -> Vec<Task> {
    let mut tasks = Vec::new();
    for source in directory.sources.values() {
        // The token that expires last counts. If one does not expire, nothing has to be checked.
        let mut classic = directory.tokens.classic_of(source.user).peekable();
        if classic.peek().is_some() && classic.all(|token| token.expires.is_some()) {
            tasks.push(TaskKind::TokenExpiry.of_source(source.id));
        }
        if source.heartbeat_frequency.is_some() {
            tasks.push(TaskKind::Heartbeat.of_source(source.id));
        }
    }
    tasks
}

pub fn load(txn: &ReadTransaction) -> Result<Vec<(Task, Timestamp)>, StoreError> {
    let mut rows = Vec::new();
    for row in txn.open_table(DUE_TO_TASK)?.iter()? {
        let (key, value) = row?;
        rows.push(decode_row(key.value(), value.value())?);
    }
    Ok(rows)
}

pub fn decode_row(key: AgendaKey, value: &[u8]) -> Result<(Task, Timestamp), StoreError> {
    let (version, _) = versioned(value)?;
    if version != V1 {
        return Err(unknown_version("a row of the agenda", version));
    }
    let (mut due, mut task) = ([0; 8], [0; 9]);
    due.copy_from_slice(&key[..8]);
    task.copy_from_slice(&key[8..]);
    Ok((decode_task(task)?, time_of(u64::from_be_bytes(due))?))
}

/// Returns the key of a task: kind, id.
pub fn task_key(task: Task) -> TaskKey {
    let mut key = [0; 9];
    key[0] = match task.kind {
        TaskKind::TokenExpiry => 0,
        TaskKind::Heartbeat => 1,
        TaskKind::Retention => 2,
    };
    key[1..].copy_from_slice(&id_key(task.id));
    key
}

pub fn decode_task(key: TaskKey) -> Result<Task, StoreError> {
    let mut id = [0; 8];
    id.copy_from_slice(&key[1..]);
    let id = key_id(id);
    let kind = TaskKind::ALL.into_iter().find(|kind| task_key(Task { kind: *kind, id }) == key);
    let kind = kind.ok_or_else(|| StoreError::Damaged(format!("a task of unknown kind {}", key[0])))?;
    Ok(Task { kind, id })
}

/// Returns the key of a row: due time, kind, id.
pub fn agenda_key(due: Timestamp, task: Task) -> AgendaKey {
    let mut key = [0; 17];
    key[..8].copy_from_slice(&ordered_time(due).to_be_bytes());
    key[8..].copy_from_slice(&task_key(task));
    key
}

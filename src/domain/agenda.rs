//! The agenda: tasks that are due at a certain time, one row for each, ordered by time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{MonotonicTime, Now, SourceId, Timestamp};

/// A task of the agenda. Each has at most one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Task {
    pub kind: TaskKind,
    /// Primary key of the task's subject, whose type depends on `kind`.
    pub id: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskKind {
    /// Check whether the classic token of a source expires soon.
    TokenExpiry,
    /// Check whether a watched source is silent.
    Heartbeat,
    /// Delete old incidents. The id is the number of days after which closed incidents are deleted.
    Retention,
}

impl TaskKind {
    pub const ALL: [Self; 3] = [Self::TokenExpiry, Self::Heartbeat, Self::Retention];
    /// The kinds of tasks that belong to sources.
    pub const OF_SOURCES: [Self; 2] = [Self::TokenExpiry, Self::Heartbeat];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokenExpiry => "token_expiry",
            Self::Heartbeat => "missing_heartbeat",
            Self::Retention => "retention",
        }
    }

    #[must_use]
    pub const fn of_source(self, source: SourceId) -> Task {
        Task { kind: self, id: source.0 }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.id)
    }
}

/// The next time of a row after its task was carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Next {
    /// The row is deleted: nothing to check until something else changes.
    #[default]
    Nothing,
    /// The row stays due and is checked in the next round, since the change that it waits for has no known time.
    Soon,
    At(Timestamp),
}

/// A due row, as it was when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub task: Task,
    /// Time of the row in the data file.
    pub stored: Timestamp,
    turn: u64,
}

/// The rows of the agenda in memory.
///
/// A row is due when the time of day reaches its time, or when the remaining time has passed on the monotonic clock,
/// whichever comes first. So a clock that is set back delays nothing, and one that is set forward makes passed rows
/// due.
#[derive(Debug, Default)]
pub struct Agenda {
    rows: BTreeMap<Task, AgendaRow>,
    by_time: BTreeSet<(Timestamp, Task)>,
    by_moment: BTreeSet<(MonotonicTime, Task)>,
    turns: u64,
}

#[derive(Clone, Copy, Debug)]
struct AgendaRow {
    stored: Timestamp,
    at: Timestamp,
    moment: MonotonicTime,
    /// Changes with each change of the row, so that a row that changed since it was read is not postponed.
    turn: u64,
}

impl Agenda {
    /// Adds or moves the row of a task, with its time in the data file.
    pub fn schedule(&mut self, task: Task, at: Timestamp, now: Now) {
        self.put(task, at, at, now);
    }

    pub fn withdraw(&mut self, task: Task) {
        if let Some(row) = self.rows.remove(&task) {
            self.by_time.remove(&(row.at, task));
            self.by_moment.remove(&(row.moment, task));
        }
    }

    /// Postpones a row in memory only; its time in the data file stays. Does nothing if the row changed since it was
    /// read.
    pub fn postpone(&mut self, due: &Due, until: Timestamp, now: Now) {
        if self.rows.get(&due.task).is_some_and(|row| row.turn == due.turn) {
            self.put(due.task, due.stored, until, now);
        }
    }

    /// Adds the row of a task when the server starts. It is due at once, since the clock and the settings may have
    /// changed since it was written. Carrying it out moves it to its next time.
    pub fn load(&mut self, task: Task, stored: Timestamp, now: Now) {
        self.put(task, stored, now.wall, now);
    }

    /// Returns the tasks of a kind with their times in the data file.
    #[must_use]
    pub fn rows(&self, kind: TaskKind) -> Vec<(Task, Timestamp)> {
        let first = Task { kind, id: 0 };
        self.rows
            .range(first..)
            .take_while(|(task, _)| task.kind == kind)
            .map(|(task, row)| (*task, row.stored))
            .collect()
    }

    /// Returns the due rows of a kind, those with the earliest times first.
    #[must_use]
    pub fn due(&self, kind: TaskKind, now: Now) -> Vec<Due> {
        let by_time = self.by_time.iter().take_while(|(at, _)| *at <= now.wall).map(|(_, task)| *task);
        let by_moment = self.by_moment.iter().take_while(|(moment, _)| *moment <= now.moment).map(|(_, task)| *task);
        let tasks: BTreeSet<Task> = by_time.chain(by_moment).filter(|task| task.kind == kind).collect();
        let mut rows: Vec<(Timestamp, Due)> = tasks
            .into_iter()
            .filter_map(|task| {
                let row = self.rows.get(&task)?;
                Some((row.at, Due { task, stored: row.stored, turn: row.turn }))
            })
            .collect();
        rows.sort_by_key(|(at, due)| (*at, due.task));
        rows.into_iter().map(|(_, due)| due).collect()
    }

    /// Returns the microseconds until the next row becomes due, if the clock is not set meanwhile. `None`: no row waits
    /// for its time.
    #[must_use]
    pub fn next(&self, now: Now) -> Option<i64> {
        let first = Task { kind: TaskKind::ALL[0], id: 0 };
        let by_time = self.by_time.range((now.wall.saturating_add_micros(1), first)..).next();
        let by_moment = self.by_moment.range((now.moment.saturating_add_micros(1), first)..).next();
        let by_time = by_time.map(|(at, _)| at.micros().saturating_sub(now.wall.micros()));
        let by_moment = by_moment.map(|(moment, _)| moment.micros_since(now.moment));
        by_time.into_iter().chain(by_moment).min()
    }

    fn put(&mut self, task: Task, stored: Timestamp, at: Timestamp, now: Now) {
        self.withdraw(task);
        self.turns += 1;
        let left = at.micros().saturating_sub(now.wall.micros()).max(0);
        let row = AgendaRow { stored, at, moment: now.moment.saturating_add_micros(left), turn: self.turns };
        self.by_time.insert((row.at, task));
        self.by_moment.insert((row.moment, task));
        self.rows.insert(task, row);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEARTBEAT: Task = TaskKind::Heartbeat.of_source(SourceId(7));

    fn at(wall: i64, moment: i64) -> Now {
        Now { wall: Timestamp::saturating_from_micros(wall), moment: MonotonicTime::from_micros(moment) }
    }

    fn tasks(agenda: &Agenda, now: Now) -> Vec<Task> {
        TaskKind::ALL.iter().flat_map(|kind| agenda.due(*kind, now)).map(|due| due.task).collect()
    }

    #[test]
    fn the_clock_that_gets_there_first_counts() {
        let mut agenda = Agenda::default();
        agenda.schedule(HEARTBEAT, at(1_100, 0).wall, at(1_000, 50));
        assert_eq!(tasks(&agenda, at(1_099, 149)), []);
        assert_eq!(agenda.next(at(1_040, 90)), Some(60));
        assert_eq!(tasks(&agenda, at(1_100, 51)), [HEARTBEAT], "set forward");
        assert_eq!(tasks(&agenda, at(-9_000, 150)), [HEARTBEAT], "set back");
        assert_eq!(agenda.next(at(1_100, 150)), None);
    }

    #[test]
    fn a_row_that_changed_meanwhile_is_not_postponed() {
        let mut agenda = Agenda::default();
        let now = at(1_000, 0);
        agenda.schedule(HEARTBEAT, now.wall, now);
        let taken = agenda.due(TaskKind::Heartbeat, now);
        agenda.schedule(HEARTBEAT, now.wall, now);
        agenda.postpone(&taken[0], at(2_000, 0).wall, now);
        let taken = agenda.due(TaskKind::Heartbeat, now);
        assert_eq!(taken.len(), 1);
        agenda.postpone(&taken[0], at(2_000, 0).wall, now);
        assert_eq!(tasks(&agenda, at(1_999, 999)), []);
        agenda.load(HEARTBEAT, at(2_000, 0).wall, now);
        assert_eq!(tasks(&agenda, now), [HEARTBEAT]);
        agenda.withdraw(HEARTBEAT);
        assert_eq!((tasks(&agenda, at(9_000, 9_000)), agenda.next(now)), (vec![], None));
    }

    proptest! {
        /// Compares with a list of rows that is searched from start to end.
        #[test]
        fn due_rows_are_those_whose_time_came_on_either_clock(
            steps in proptest::collection::vec((0_u8..6, 0_u64..5, -300_i64..300), 1..60),
        ) {
            let (mut agenda, mut model) = (Agenda::default(), BTreeMap::<Task, (i64, i64)>::new());
            let (mut wall, mut moment) = (1_000_000_i64, 0_i64);
            for (what, source, micros) in steps {
                let kind = TaskKind::ALL[source as usize % 2];
                let task = kind.of_source(SourceId(source));
                let now = at(wall, moment);
                match what {
                    0 | 1 => {
                        agenda.schedule(task, now.wall.saturating_add_micros(micros), now);
                        model.insert(task, (wall + micros, moment + micros.max(0)));
                    }
                    2 => {
                        agenda.withdraw(task);
                        model.remove(&task);
                    }
                    3 => {
                        for due in agenda.due(kind, now) {
                            agenda.postpone(&due, now.wall.saturating_add_micros(micros), now);
                            model.insert(due.task, (wall + micros, moment + micros.max(0)));
                        }
                    }
                    4 => wall += micros,
                    _ => (wall, moment) = (wall + micros.abs(), moment + micros.abs()),
                }
                let now = at(wall, moment);
                let is_due = |(at, by): &(i64, i64)| *at <= wall || *by <= moment;
                let mut expected: Vec<(i64, Task)> =
                    model.iter().filter(|(_, row)| is_due(row)).map(|(task, row)| (row.0, *task)).collect();
                expected.sort();
                let mut found = Vec::new();
                for kind in TaskKind::ALL {
                    let due: Vec<Task> = agenda.due(kind, now).into_iter().map(|due| due.task).collect();
                    let of_kind = expected.iter().map(|(_, task)| *task).filter(|task| task.kind == kind);
                    prop_assert_eq!(&due, &of_kind.collect::<Vec<_>>());
                    found.extend(due);
                }
                prop_assert_eq!(found.len(), expected.len());
                let left = model.values().flat_map(|(at, by)| [at - wall, by - moment]).filter(|left| *left > 0);
                prop_assert_eq!(agenda.next(now), left.min());
            }
        }
    }
}

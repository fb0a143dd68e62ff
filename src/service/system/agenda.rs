//! Executes tasks of the agenda: incidents about expiring tokens and about silent sources.

use crate::domain::{
    Directory, MonotonicTime, SourceId, Timestamp,
    agenda::{Due, Next, Task, TaskKind},
    fault::{FaultSubject, SourceCheck, Strictness, expiring_token, missing_heartbeat},
    limits::TASKS_PER_COMMAND,
};
use crate::service::{ServiceError, Settled, System, system::self_incidents::Work};

impl System {
    /// Executes the tasks of a kind that are due: opens and closes incidents, and moves the rows to their next time.
    /// Before `listening_since` no sign of life could be received.
    ///
    /// # Errors
    /// If something cannot be read or written. The rows stay due.
    pub async fn run_due(
        &self,
        kind: TaskKind,
        listening_since: Option<MonotonicTime>,
    ) -> Result<Settled, ServiceError> {
        let due = self.store().agenda().due(kind);
        let mut settled = Settled::default();
        if due.is_empty() {
            return Ok(settled);
        }
        if kind == TaskKind::Retention {
            return self.run_retention(due).await.map(|()| settled);
        }
        let service = self.clone();
        let tasks = self.blocking(move || service.need_a_command(due, listening_since)).await?;
        for tasks in tasks.chunks(TASKS_PER_COMMAND) {
            let (service, tasks) = (self.clone(), tasks.to_vec());
            let Settled { opened, ended } = self
                .write(None, move |command| {
                    let mut work = Work::new(command);
                    for task in tasks {
                        match service.carry_out_task(task, &mut work, listening_since)? {
                            Next::Nothing => work.command.schedule(task, None),
                            Next::Soon => {}
                            Next::At(at) => work.command.schedule(task, Some(at)),
                        }
                    }
                    Ok::<_, ServiceError>(work.settled)
                })
                .await?;
            settled.opened.extend(opened);
            settled.ended.extend(ended);
        }
        Ok(settled)
    }

    /// Executes a task within a command, based on the newest state.
    fn carry_out_task(
        &self,
        task: Task,
        work: &mut Work<'_, '_>,
        listening_since: Option<MonotonicTime>,
    ) -> Result<Next, ServiceError> {
        let (directory, now) = (work.command.directory(), work.command.now());
        let (subject, look) = match task.kind {
            TaskKind::TokenExpiry => self.look_at_token(SourceId(task.id), directory, now),
            TaskKind::Heartbeat => self.look_at_heartbeat(SourceId(task.id), directory, listening_since, now),
            TaskKind::Retention => return Ok(Next::Soon),
        };
        work.settle(subject, look.finding.as_ref())?;
        Ok(look.next)
    }

    /// Returns the tasks that need a command. Rows of other tasks are moved in memory, or stay due because there is
    /// nothing to do yet. So a sign of life costs no write; after a restart, such a row is due again and is moved
    /// again.
    fn need_a_command(&self, due: Vec<Due>, listening_since: Option<MonotonicTime>) -> Result<Vec<Task>, ServiceError> {
        let (directory, now, snapshot) = (self.directory(), self.now(), self.store().snapshot()?);
        let mut tasks = Vec::new();
        for due in due {
            let source = SourceId(due.task.id);
            let ((subject, look), moves_in_memory) = match due.task.kind {
                TaskKind::TokenExpiry => (self.look_at_token(source, &directory, now), false),
                TaskKind::Heartbeat => (self.look_at_heartbeat(source, &directory, listening_since, now), true),
                TaskKind::Retention => continue,
            };
            let is_settled = !self.is_unsettled(subject, look.finding.as_ref(), &directory, &snapshot, now)?;
            match look.next {
                Next::Soon if is_settled => {}
                Next::At(at) if is_settled && (at == due.stored || moves_in_memory) => {
                    self.store().agenda().postpone(&due, at);
                }
                _ => tasks.push(due.task),
            }
        }
        Ok(tasks)
    }

    fn look_at_token(&self, id: SourceId, directory: &Directory, now: Timestamp) -> (FaultSubject, SourceCheck) {
        let (zone, days) = (self.settings().time_zone, self.settings().token_warning_days);
        let look =
            directory.source(id).map(|source| expiring_token(directory, source, zone, days, Strictness::Lenient, now));
        (FaultSubject::Token(id), look.unwrap_or_default())
    }

    fn look_at_heartbeat(
        &self,
        id: SourceId,
        directory: &Directory,
        listening_since: Option<MonotonicTime>,
        now: Timestamp,
    ) -> (FaultSubject, SourceCheck) {
        let store = self.store();
        let listening_since = listening_since.map(|moment| store.clock().both().wall_at(moment));
        let look =
            directory.source(id).map(|source| missing_heartbeat(source, store.silent_since(id), listening_since, now));
        (FaultSubject::Heartbeat(id), look.unwrap_or_default())
    }
}

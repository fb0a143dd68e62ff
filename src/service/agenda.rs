//! Carries out what is due on the agenda: incidents about tokens that expire soon, and about sources that are silent.

use super::{Service, ServiceError, Settled, self_incidents::Work};
use crate::domain::{
    agenda::{Due, Next, Task, TaskKind},
    directory::Directory,
    ids::SourceId,
    limits::TASKS_PER_COMMAND,
    time::{Moment, Timestamp},
    trouble::{Look, Matter, Strictness, expiring_token, missing_heartbeat},
};

impl Service {
    /// Looks at the rows of a kind that are due, opens and ends incidents, and moves the rows. Before `listening_since`
    /// no source could be heard.
    ///
    /// # Errors
    /// If something cannot be read or written: the rows stay due.
    pub async fn run_due(&self, kind: TaskKind, listening_since: Option<Moment>) -> Result<Settled, ServiceError> {
        let due = self.store().agenda().due(kind);
        let mut settled = Settled::default();
        if due.is_empty() {
            return Ok(settled);
        }
        let service = self.clone();
        let tasks = self.blocking(move || service.need_a_command(due, listening_since)).await?;
        for tasks in tasks.chunks(TASKS_PER_COMMAND) {
            let (service, tasks) = (self.clone(), tasks.to_vec());
            let written = self.store().write(None, move |command| {
                let mut work = Work::new(command);
                for task in tasks {
                    match service.carry_out_task(task, &mut work, listening_since)? {
                        Next::Nothing => work.command.schedule(task, None),
                        Next::Soon => {}
                        Next::At(at) => work.command.schedule(task, Some(at)),
                    }
                }
                Ok::<_, ServiceError>(work.settled)
            });
            let Settled { opened, ended } = written.await?;
            settled.opened.extend(opened);
            settled.ended.extend(ended);
        }
        Ok(settled)
    }

    /// Does what a task asks for, within a command, by the newest state.
    fn carry_out_task(
        &self,
        task: Task,
        work: &mut Work<'_, '_>,
        listening_since: Option<Moment>,
    ) -> Result<Next, ServiceError> {
        match task.kind {
            TaskKind::TokenExpiry | TaskKind::Heartbeat => {
                let look = self.look(task, work.command.directory(), listening_since, work.command.now());
                work.settle(matter(task), look.finding.as_ref())?;
                Ok(look.next)
            }
        }
    }

    /// The tasks that need a command. Rows of the others are moved in memory, or stay due because nothing is to be done
    /// yet: a sign of life costs no write, and a row that is looked at again after a restart moves on again.
    fn need_a_command(&self, due: Vec<Due>, listening_since: Option<Moment>) -> Result<Vec<Task>, ServiceError> {
        let (directory, now, snapshot) = (self.directory(), self.now(), self.store().snapshot()?);
        let mut tasks = Vec::new();
        for due in due {
            match due.task.kind {
                TaskKind::TokenExpiry | TaskKind::Heartbeat => {
                    let look = self.look(due.task, &directory, listening_since, now);
                    let finding = look.finding.as_ref();
                    let is_settled = !self.is_unsettled(matter(due.task), finding, &directory, &snapshot, now)?;
                    match look.next {
                        Next::Soon if is_settled => {}
                        Next::At(at) if is_settled && (at == due.stored || due.task.kind == TaskKind::Heartbeat) => {
                            self.store().agenda().postpone(&due, at);
                        }
                        _ => tasks.push(due.task),
                    }
                }
            }
        }
        Ok(tasks)
    }

    /// What a task of a source finds.
    fn look(&self, task: Task, directory: &Directory, listening_since: Option<Moment>, now: Timestamp) -> Look {
        let Some(source) = directory.source(SourceId(task.id)) else {
            return Look { finding: None, next: Next::Nothing };
        };
        match task.kind {
            TaskKind::TokenExpiry => {
                let (zone, days) = (self.settings().time_zone, self.settings().token_warning_days);
                expiring_token(directory, source, zone, days, Strictness::Lenient, now)
            }
            TaskKind::Heartbeat => {
                let store = self.store();
                let listening_since = listening_since.map(|moment| store.clock().both().wall_at(moment));
                missing_heartbeat(source, store.silent_since(source.id), listening_since, now)
            }
        }
    }
}

const fn matter(task: Task) -> Matter {
    match task.kind {
        TaskKind::TokenExpiry => Matter::Token(SourceId(task.id)),
        TaskKind::Heartbeat => Matter::Heartbeat(SourceId(task.id)),
    }
}

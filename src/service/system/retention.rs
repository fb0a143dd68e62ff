//! Deletes closed incidents that are older than the setting `retention.closed_days`, at night and in slices.
//!
//! The row in the agenda names the days of the setting and the time of the next run. It is written when the setting is
//! first seen, with a time after the grace period, so that a mistyped number can be corrected.

use std::{
    ops::ControlFlow,
    sync::{Mutex, MutexGuard, PoisonError},
};

use chrono_tz::Tz;
use serde_json::json;

use crate::domain::{
    ChangeKind, ConfigurationChange, IncidentId, Message, MessageState, Timestamp,
    agenda::{Due, Task, TaskKind},
    directory::Subject,
    limits::{RETENTION_LOOKS, RETENTION_SLICE, RETENTION_SLICE_RECORDS},
    retention::{Forecast, RunDecision, decide, first_run, is_old, limit, may_be_old, next_run, settled_since, shown},
};
use crate::service::{ServiceError, System};
use crate::store::{Command, Snapshot, StartPosition, StoreError};

/// Plan of the retention: the next run with its forecast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionPlan {
    pub closed_days: u32,
    /// Whether this is the setting. Otherwise the plan is what would happen if it were set now.
    pub is_set: bool,
    pub next_run: Timestamp,
    /// Incidents that the next run deletes if nothing changes until then.
    pub forecast: Forecast,
    /// Time at which the forecast was made.
    pub as_of: Timestamp,
}

impl RetentionPlan {
    /// Returns sentences about the next run. Times are in the time zone.
    pub(super) fn in_words(&self, zone: Tz) -> String {
        format!(
            "closed incidents are deleted after {} days. Next deletion {}: {}",
            self.closed_days,
            shown(self.next_run, zone),
            self.forecast.in_words(zone)
        )
    }
}

/// Change of the setting since the last run of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetentionChange {
    Unchanged,
    /// New or changed: deletions wait for the end of the grace period.
    Set,
    SwitchedOff,
}

/// State of the retention in memory.
#[derive(Debug, Default)]
pub(in crate::service) struct Retention(Mutex<RetentionState>);

#[derive(Debug, Default)]
struct RetentionState {
    run: Option<RetentionRun>,
    plan: Option<RetentionPlan>,
}

/// The run under way. After a restart it begins again from the oldest incident, which costs only reads.
#[derive(Clone, Copy, Debug)]
struct RetentionRun {
    /// Incidents that were closed before are deleted.
    limit: Timestamp,
    after: Option<StartPosition>,
}

/// The next incidents to delete.
#[derive(Default)]
struct RetentionSlice {
    ids: Vec<IncidentId>,
    after: Option<StartPosition>,
    /// Whether there are no old incidents after these.
    is_last: bool,
}

impl Retention {
    fn lock(&self) -> MutexGuard<'_, RetentionState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl System {
    /// Compares the setting with the row in the agenda, and plans the first run if the setting is new. Called once
    /// after the start of the server.
    pub async fn follow_retention(&self) -> Result<RetentionChange, ServiceError> {
        let wanted = self.settings().retention_days.map(task_of);
        let rows = self.store().agenda().rows(TaskKind::Retention);
        let tasks: Vec<Task> = rows.iter().map(|(task, _)| *task).collect();
        if tasks.iter().copied().eq(wanted) {
            return Ok(RetentionChange::Unchanged);
        }
        let zone = self.settings().time_zone;
        self.write(None, move |command| {
            for task in &tasks {
                command.schedule(*task, None);
            }
            let now = command.now();
            let first = first_run(now.max(command.trusted_time().unwrap_or(now)), zone);
            if let Some(task) = wanted {
                command.schedule(task, Some(first));
            }
            if command.purged() > 0 {
                let fields = json!({ "deleted_incidents": command.purged(), "interrupted": true });
                command.log(logged("run", None, &fields));
                command.end_purge();
            }
            let days = |task: Option<&Task>| task.map_or_else(|| json!("never"), |task| json!(task.id));
            let after = match &wanted {
                Some(_) => json!({ "closed_days": days(wanted.as_ref()), "first_deletion": first.to_datetime() }),
                None => json!({ "closed_days": "never" }),
            };
            command.log(logged("closed_days", Some(&json!({ "closed_days": days(tasks.first()) })), &after));
            Ok::<_, ServiceError>(())
        })
        .await?;
        Ok(if wanted.is_some() { RetentionChange::Set } else { RetentionChange::SwitchedOff })
    }

    /// Returns what the retention will do, as of the last time that it was examined. `None`: it is switched off, or was
    /// not examined since the start.
    #[must_use]
    pub fn retention_plan(&self) -> Option<RetentionPlan> {
        let planned = self.planned_run();
        let plan = self.inner.retention.lock().plan.clone()?;
        Some(RetentionPlan { next_run: planned.unwrap_or(plan.next_run), ..plan })
    }

    /// Examines what the next run will delete, and keeps the result for [`System::retention_plan`]. `None`: the
    /// retention is switched off.
    pub async fn examine_retention(&self) -> Result<Option<RetentionPlan>, ServiceError> {
        let plan = match self.settings().retention_days {
            Some(days) => Some(self.plan_retention(days).await?),
            None => None,
        };
        self.inner.retention.lock().plan.clone_from(&plan);
        Ok(plan)
    }

    /// Returns what would be deleted with a number of days. Reads all old incidents.
    pub async fn plan_retention(&self, closed_days: u32) -> Result<RetentionPlan, ServiceError> {
        let is_set = self.settings().retention_days == Some(closed_days);
        let (now, zone) = (self.now(), self.settings().time_zone);
        let planned = self.planned_run().filter(|_| is_set);
        let next_run = planned.unwrap_or_else(|| first_run(now, zone));
        let before = limit(next_run.max(now), closed_days);
        let forecast = self.store().read(move |snapshot| forecast(snapshot, before)).await?;
        Ok(RetentionPlan { closed_days, is_set, next_run, forecast, as_of: now })
    }

    /// Returns the time of the next run in the data file.
    fn planned_run(&self) -> Option<Timestamp> {
        let wanted = self.settings().retention_days.map(task_of)?;
        let rows = self.store().agenda().rows(TaskKind::Retention);
        rows.into_iter().find(|(task, _)| *task == wanted).map(|(_, at)| at)
    }

    /// Executes the rows of the retention that are due: deletes at most one slice.
    pub(in crate::service) async fn run_retention(&self, due: Vec<Due>) -> Result<(), ServiceError> {
        for row in due {
            // The row of an earlier setting is deleted by `follow_retention`.
            let Some(days) = self.settings().retention_days.filter(|days| task_of(*days) == row.task) else { continue };
            let (now, zone) = (self.now(), self.settings().time_zone);
            let trusted = self.store().counters().trusted_time();
            match decide(row.stored, days, now, trusted.unwrap_or(Timestamp::MIN), zone) {
                RunDecision::Wait(until) => self.store().agenda().postpone(&row, until),
                RunDecision::Distrust => {}
                RunDecision::Replan(at) => {
                    let plan = move |command: &mut Command<'_>| {
                        command.schedule(row.task, Some(at));
                        Ok::<_, ServiceError>(())
                    };
                    self.write(None, plan).await?;
                }
                RunDecision::Run(before) => self.delete_old_slice(&row, before).await?,
            }
        }
        Ok(())
    }

    /// Deletes the next slice of the run under way, which starts with `before` if there is none.
    async fn delete_old_slice(&self, row: &Due, before: Timestamp) -> Result<(), ServiceError> {
        let run = *self.inner.retention.lock().run.get_or_insert(RetentionRun { limit: before, after: None });
        let RetentionSlice { ids, after, is_last } =
            self.store().read(move |snapshot| next_slice(snapshot, run)).await?;
        let (task, stored, zone) = (row.task, row.stored, self.settings().time_zone);
        let _turn = self.inner.bulks.turn().await;
        let total = self
            .write(None, move |command| {
                let mut old = Vec::with_capacity(ids.len());
                for id in ids {
                    let is_due = command.incident(id)?.is_some_and(|incident| is_old(&incident, run.limit));
                    if is_due && !has_queued_message(command, id)? {
                        old.push(id);
                    }
                }
                for id in &old {
                    command.log(ChangeKind::IncidentDeleted { incident: *id });
                }
                let total = command.purged().saturating_add(old.len() as u64);
                if !old.is_empty() {
                    command.purge_incidents(old);
                }
                if is_last {
                    command.schedule(task, Some(next_run(command.now(), zone)));
                    if total > 0 {
                        let fields = json!({ "deleted_incidents": total, "closed_before": run.limit.to_datetime() });
                        command.log(logged("run", None, &fields));
                        command.end_purge();
                    }
                } else {
                    // Writing the same time makes the agenda look again soon.
                    command.schedule(task, Some(stored));
                }
                Ok::<_, ServiceError>(total)
            })
            .await?;
        if !is_last {
            self.inner.retention.lock().run = Some(RetentionRun { after, ..run });
            return Ok(());
        }
        self.inner.retention.lock().run = None;
        if total > 0 {
            let closed_before = run.limit.to_datetime();
            tracing::info!(incidents = total, %closed_before, "retention: old incidents were deleted");
        }
        self.examine_retention().await?;
        Ok(())
    }
}

fn task_of(days: u32) -> Task {
    Task { kind: TaskKind::Retention, id: days.into() }
}

fn logged(key: &str, before: Option<&serde_json::Value>, after: &serde_json::Value) -> ChangeKind {
    ChangeKind::Configuration(ConfigurationChange {
        subject: Subject::Retention,
        key: key.to_owned(),
        before: before.map(ToString::to_string),
        after: Some(after.to_string()),
    })
}

/// Returns whether a message about the incident, or the summary that replaces it, still has to be sent.
fn has_queued_message(command: &Command<'_>, id: IncidentId) -> Result<bool, StoreError> {
    for message in command.messages_of(id)? {
        let counts = match message.state {
            MessageState::Gathered { into, .. } => command.message(into)?,
            _ => Some(message),
        };
        if counts.as_ref().is_some_and(Message::is_due) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn next_slice(snapshot: &Snapshot, run: RetentionRun) -> Result<RetentionSlice, StoreError> {
    let tables = snapshot.incident_tables()?;
    let mut slice = RetentionSlice { after: run.after, is_last: true, ..RetentionSlice::default() };
    let (mut looks, mut records) = (0_usize, 0_usize);
    tables.for_each_started_before(run.limit, run.after, &mut |summary| {
        if looks >= RETENTION_LOOKS || slice.ids.len() >= RETENTION_SLICE || records >= RETENTION_SLICE_RECORDS {
            slice.is_last = false;
            return Ok(ControlFlow::Break(()));
        }
        looks += 1;
        slice.after = Some((summary.start, summary.id));
        if may_be_old(&summary, run.limit)
            && tables.incident(summary.id)?.is_some_and(|incident| is_old(&incident, run.limit))
        {
            slice.ids.push(summary.id);
            records += tables.size_of(summary.id)?.records;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(slice)
}

fn forecast(snapshot: &Snapshot, before: Timestamp) -> Result<Forecast, ServiceError> {
    let (tables, mut forecast) = (snapshot.incident_tables()?, Forecast::default());
    tables.for_each_started_before(before, None, &mut |summary| {
        if may_be_old(&summary, before)
            && let Some(incident) = tables.incident(summary.id)?
            && let Some(since) = settled_since(&incident).filter(|since| *since < before)
        {
            forecast.add(since, tables.size_of(summary.id)?.bytes);
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(forecast)
}

//! Lists of planned maintenance, and the page of one task, on which it can be ended.

use askama::Template;
use axum::extract::{Path, State};

use super::{PAGE, Stage, Task, covered::Covered};
use crate::domain::{Maintenance, MaintenanceId, Timestamp};
use crate::service::{Model, ServiceError};
use crate::web::{
    FormError, Frame, PageError, PageResult, Posted, Problem, Section, Site, Visitor, done, missing,
    notification_settings::words, page, refused,
};

#[derive(Template)]
#[template(path = "maintenance/tasks.html")]
struct TasksPage {
    frame: Frame,
    stage: Stage,
    upcoming: usize,
    running: usize,
    past: usize,
    tasks: Vec<Task>,
}

#[derive(Template)]
#[template(path = "maintenance/task.html")]
struct TaskPage {
    frame: Frame,
    task: Task,
    covered: Option<Covered>,
    problem: Option<Problem>,
}

/// Shows running maintenance, or upcoming maintenance if none is running.
pub async fn home(State(site): State<Site>, visitor: Visitor) -> PageResult {
    show(&site, &visitor, None)
}

pub async fn running(State(site): State<Site>, visitor: Visitor) -> PageResult {
    show(&site, &visitor, Some(Stage::Running))
}

pub async fn upcoming(State(site): State<Site>, visitor: Visitor) -> PageResult {
    show(&site, &visitor, Some(Stage::Upcoming))
}

pub async fn past(State(site): State<Site>, visitor: Visitor) -> PageResult {
    show(&site, &visitor, Some(Stage::Past))
}

pub async fn view(State(site): State<Site>, visitor: Visitor, Path(id): Path<u64>) -> PageResult {
    page(&TaskPage::new(&site, &visitor, id).await?)
}

pub async fn cancel(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, .. }: Posted) -> PageResult {
    match site.service.notifications().cancel_maintenance(&visitor.caller, MaintenanceId(id)).await {
        Ok(true) => Ok(done(PAGE, "Maintenance canceled.")),
        Ok(false) => Ok(done(
            &format!("{PAGE}{id}/"),
            "Maintenance ended. No notification is sent for incidents that are still open: check them now.",
        )),
        Err(error) => refuse(&site, &visitor, id, error).await,
    }
}

pub async fn delete(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, .. }: Posted) -> PageResult {
    match site.service.delete::<Maintenance>(&visitor.caller, MaintenanceId(id)).await {
        Ok(()) => Ok(done(PAGE, "Maintenance deleted.")),
        Err(error) => refuse(&site, &visitor, id, error).await,
    }
}

impl TaskPage {
    async fn new(site: &Site, visitor: &Visitor, id: u64) -> Result<Self, PageError> {
        let directory = site.service.directory();
        let found = directory.maintenances.get(&MaintenanceId(id)).ok_or_else(|| missing(Model::Maintenance))?;
        let task = Task::new(found, &directory, site.service.now());
        let covered = match task.stage {
            Stage::Past => None,
            _ => Some(Covered::find(site, &found.filters).await?),
        };
        Ok(Self { frame: Frame::new(site, visitor, Section::Maintenance, task.title()), task, covered, problem: None })
    }
}

fn show(site: &Site, visitor: &Visitor, wanted: Option<Stage>) -> PageResult {
    let (directory, now) = (site.service.directory(), site.service.now());
    let of_stage = |stage| directory.maintenances.values().filter(move |it| Stage::of(it, now) == stage);
    let count = |stage| of_stage(stage).count();
    let (upcoming, running, past) = (count(Stage::Upcoming), count(Stage::Running), count(Stage::Past));
    let stage = wanted.unwrap_or(if running > 0 { Stage::Running } else { Stage::Upcoming });
    let mut tasks: Vec<Task> = of_stage(stage).map(|it| Task::new(it, &directory, now)).collect();
    // The next task comes first, or in the past the latest one.
    match stage {
        Stage::Upcoming => tasks.sort_by_key(|task| task.start),
        Stage::Running => tasks.sort_by_key(|task| task.end.unwrap_or(Timestamp::MAX)),
        Stage::Past => tasks.sort_by_key(|task| std::cmp::Reverse(task.end)),
    }
    let frame = Frame::new(site, visitor, Section::Maintenance, "Planned maintenance");
    page(&TasksPage { frame, stage, upcoming, running, past, tasks })
}

async fn refuse(site: &Site, visitor: &Visitor, id: u64, error: ServiceError) -> PageResult {
    let problem = Some(FormError::from(error).problem(words::refusal)?);
    refused(&TaskPage { problem, ..TaskPage::new(site, visitor, id).await? })
}

//! Planned maintenance, during which nobody is notified. All users can read it, staff can change it.

pub mod covered;
pub mod form;
pub mod tasks;

use crate::domain::{Directory, Maintenance, Timestamp};
use crate::http::routes::{Routes, get, post};
use crate::service::Action;
use crate::web::{Site, form_page, notification_settings::words};

pub const PAGE: &str = "/plannedmaintenance/";

/// Forms and changes require another action, which their handlers check.
pub(super) fn routes() -> Routes<Site> {
    Routes::of(Action::UseDesk)
        .route("/plannedmaintenance/", get(tasks::home))
        .route("/plannedmaintenance/running/", get(tasks::running))
        .route("/plannedmaintenance/upcoming/", get(tasks::upcoming))
        .route("/plannedmaintenance/past/", get(tasks::past))
        .route("/plannedmaintenance/new/", form_page::form::<form::TaskPage>())
        .route("/plannedmaintenance/preview/", post(form::preview))
        .route("/plannedmaintenance/{pk}/", get(tasks::view))
        .route("/plannedmaintenance/{pk}/edit/", form_page::form::<form::TaskPage>())
        .route("/plannedmaintenance/{pk}/cancel/", post(tasks::cancel))
        .route("/plannedmaintenance/{pk}/delete/", post(tasks::delete))
}

/// Planned maintenance as pages show it.
pub struct Task {
    pub id: u64,
    pub description: String,
    pub start: Timestamp,
    pub end: Option<Timestamp>,
    pub created: Timestamp,
    pub created_by: String,
    pub filters: Vec<FilterLine>,
    pub stage: Stage,
    /// Whether it ended so long ago that it cannot be changed.
    pub is_over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Upcoming,
    Running,
    Past,
}

pub struct FilterLine {
    pub name: String,
    pub criteria: String,
}

impl Stage {
    #[must_use]
    pub fn of(maintenance: &Maintenance, now: Timestamp) -> Self {
        if !maintenance.has_started(now) {
            Self::Upcoming
        } else if maintenance.covers(now) && maintenance.end != Some(now) {
            Self::Running
        } else {
            Self::Past
        }
    }

    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Upcoming => "upcoming",
            Self::Running => "running",
            Self::Past => "past",
        }
    }

    /// Compares the name, for templates.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name() == name
    }
}

impl Task {
    #[must_use]
    pub fn new(maintenance: &Maintenance, directory: &Directory, now: Timestamp) -> Self {
        let filters = maintenance
            .filters
            .iter()
            .filter_map(|id| directory.filters.get(id))
            .map(|filter| FilterLine { name: filter.name.clone(), criteria: words::brief(&filter.blob, directory) });
        Self {
            id: maintenance.id.0,
            description: maintenance.description.clone(),
            start: maintenance.start,
            end: maintenance.end,
            created: maintenance.created,
            created_by: directory.user(maintenance.created_by).map(|it| it.username.clone()).unwrap_or_default(),
            filters: filters.collect(),
            stage: Stage::of(maintenance, now),
            is_over: maintenance.is_over(now),
        }
    }

    #[must_use]
    pub fn title(&self) -> String {
        if self.description.is_empty() { format!("Maintenance {}", self.id) } else { self.description.clone() }
    }
}

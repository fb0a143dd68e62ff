//! The form of planned maintenance.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, response::Response};

use super::{
    PAGE,
    covered::{Covered, CoveredPart},
};
use crate::domain::{
    Directory, FilterId, Maintenance, MaintenanceDraft, MaintenanceId, Timestamp, datetime,
    limits::FILTERS_PER_MAINTENANCE,
};
use crate::service::{Action, Model, Refusal};
use crate::web::{
    Ask, FormError, FormFields, FormPage, Frame, PageError, PageResult, Posted, Problem, Section, Show, Site, Visitor,
    done, layout, missing, notification_settings::words, offered, page,
};

#[derive(Template)]
#[template(path = "maintenance/form.html")]
pub struct TaskPage {
    frame: Frame,
    action: String,
    cancel: String,
    /// Start of maintenance that has begun, which can no longer be changed.
    begun: Option<Timestamp>,
    draft: Draft,
    own: Vec<FilterOption>,
    others: Vec<FilterOption>,
    problem: Option<Problem>,
    covered: Option<Covered>,
}

/// Start and end.
type Span = (Option<Timestamp>, Option<Timestamp>);

struct FilterOption {
    id: u64,
    name: String,
    criteria: String,
    chosen: bool,
}

/// Content of the form.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    description: String,
    /// In the time zone of the user. Empty: now.
    start: String,
    /// Empty: no end.
    end: String,
    filters: Vec<FilterId>,
}

impl Draft {
    fn read(fields: &FormFields) -> Self {
        Self {
            description: fields.text("description"),
            start: fields.text("start"),
            end: fields.text("end"),
            filters: fields.numbers("filters").map(FilterId).collect(),
        }
    }

    fn of(maintenance: &Maintenance, show: Show) -> Self {
        Self {
            description: maintenance.description.clone(),
            start: show.input(&maintenance.start),
            end: maintenance.end.map(|end| show.input(&end)).unwrap_or_default(),
            filters: maintenance.filters.clone(),
        }
    }

    /// Returns start and end, and checks the number of filters. Times that were not edited stay as they are stored, to
    /// the microsecond.
    fn times(&self, show: Show, known: Option<&Maintenance>) -> Result<Span, Problem> {
        let read = |field: &'static str, name: &str, text: &str, stored: Option<Timestamp>| match text {
            "" => Ok(None),
            text if stored.is_some_and(|at| show.input(&at) == text) => Ok(stored),
            text => datetime::parse(text, show.zone).map(Some).ok_or_else(|| {
                let shown: String = text.chars().take(40).collect();
                Problem::of(field, format!("{name}: “{shown}” is not a date and time."))
            }),
        };
        let start = read("start", "Start", &self.start, known.map(|it| it.start))?;
        let end = read("end", "End", &self.end, known.and_then(|it| it.end))?;
        if self.filters.is_empty() {
            return Err(Problem::of("filters", "Filters: choose at least one."));
        }
        if self.filters.len() > FILTERS_PER_MAINTENANCE {
            return Err(Problem::of("filters", format!("Filters: choose at most {FILTERS_PER_MAINTENANCE}.")));
        }
        Ok((start, end))
    }
}

impl FormPage for TaskPage {
    const CHANGE: Action = Action::PlanMaintenance;
    const WORDS: fn(&Refusal) -> Problem = words::refusal;
    const HAS_PREVIEW: bool = true;
    type Id = u64;
    type Known = Arc<Maintenance>;
    type Draft = Draft;

    async fn find(site: &Site, visitor: &Visitor, id: u64) -> Result<Arc<Maintenance>, PageError> {
        visitor.caller.require(Self::CHANGE)?;
        let found = site.service.directory().maintenances.get(&MaintenanceId(id)).cloned();
        found.ok_or_else(|| missing(Model::Maintenance))
    }

    /// Returns the stored task, an empty form, or a copy of the task that the query names, which starts now.
    fn start(ask: &Ask<Self>) -> Draft {
        if let Some(known) = &ask.known {
            return Draft::of(known, show(ask));
        }
        let copied = ask.fields.numbers("copy").next().map(MaintenanceId);
        let directory = ask.site.service.directory();
        copied.and_then(|id| directory.maintenances.get(&id)).map_or_else(Draft::default, |it| Draft {
            description: it.description.clone(),
            filters: it.filters.clone(),
            ..Draft::default()
        })
    }

    fn read(ask: &Ask<Self>) -> Draft {
        Draft::read(&ask.fields)
    }

    async fn view(ask: &Ask<Self>, draft: Draft, problem: Option<Problem>) -> Result<Self, PageError> {
        let (site, known) = (&ask.site, ask.known.as_ref());
        let covered = ask.preview(async { Covered::find(site, &draft.filters).await.map(Some) }).await?;
        let title = if known.is_some() { "Change planned maintenance" } else { "Plan maintenance" };
        let (own, others) = choices(&site.service.directory(), &ask.visitor, &draft.filters);
        Ok(Self {
            frame: Frame::new(site, &ask.visitor, Section::Maintenance, title),
            action: path(known),
            cancel: known.map_or_else(|| PAGE.to_owned(), |it| format!("{PAGE}{}/", it.id)),
            begun: known.filter(|it| it.has_started(site.service.now())).map(|it| it.start),
            draft,
            own,
            others,
            problem,
            covered,
        })
    }

    async fn save(ask: &Ask<Self>, draft: &mut Draft) -> Result<Response, FormError> {
        let (service, caller) = (&ask.site.service, &ask.visitor.caller);
        let (start, end) = draft.times(show(ask), ask.known.as_deref())?;
        let (description, filters) = (Some(draft.description.clone()), Some(draft.filters.clone()));
        let wanted = MaintenanceDraft { start, end: Some(end), description, filters };
        let saved = if let Some(known) = &ask.known {
            let now = service.now();
            let start = start.or_else(|| (!known.has_started(now)).then_some(now));
            service.put(caller, Some(known.id), MaintenanceDraft { start, ..wanted }).await?
        } else {
            service.put(caller, None, wanted).await?
        };
        Ok(done(&format!("{PAGE}{}/", saved.id), "Maintenance saved."))
    }

    fn place(known: Option<&Arc<Maintenance>>) -> Option<String> {
        Some(path(known))
    }
}

/// Returns the path of the form.
fn path(known: Option<&Arc<Maintenance>>) -> String {
    known.map_or_else(|| format!("{PAGE}new/"), |it| format!("{PAGE}{}/edit/", it.id))
}

fn show(ask: &Ask<TaskPage>) -> Show {
    layout::show(&ask.site, &ask.visitor.preferences)
}

/// Shows the preview while the user edits the form.
pub async fn preview(State(site): State<Site>, Posted { visitor, fields }: Posted) -> PageResult {
    visitor.caller.require(Action::PlanMaintenance)?;
    let covered = Some(Covered::find(&site, &Draft::read(&fields).filters).await?);
    page(&CoveredPart { frame: Frame::new(&site, &visitor, Section::Maintenance, ""), covered })
}

/// Returns the user's own, shared and chosen filters, and the others, which planned maintenance can use, too.
fn choices(directory: &Directory, visitor: &Visitor, chosen: &[FilterId]) -> (Vec<FilterOption>, Vec<FilterOption>) {
    let me = visitor.caller.id();
    let (usable, private): (Vec<_>, Vec<_>) =
        directory.filters.values().partition(|filter| filter.is_usable_by(me) || chosen.contains(&filter.id));
    let mut filters = offered::filters(usable, me, chosen);
    filters.extend(offered::filters(private, me, chosen));
    let (own, others): (Vec<_>, Vec<_>) =
        filters.into_iter().partition(|filter| filter.is_usable_by(me) || chosen.contains(&filter.id));
    let choice = |filter: &_| choice(filter, directory, visitor, chosen);
    (own.into_iter().map(choice).collect(), others.into_iter().map(choice).collect())
}

fn choice(
    filter: &Arc<crate::domain::stored_filter::StoredFilter>,
    directory: &Directory,
    visitor: &Visitor,
    chosen: &[FilterId],
) -> FilterOption {
    let owner = directory.user(filter.owner).filter(|owner| owner.id != visitor.caller.id());
    let criteria = words::brief(&filter.blob, directory);
    FilterOption {
        id: filter.id.0,
        name: owner.map_or_else(|| filter.name.clone(), |owner| format!("{} ({})", filter.name, owner.username)),
        criteria: if criteria.is_empty() { "no criteria set".to_owned() } else { criteria },
        chosen: chosen.contains(&filter.id),
    }
}

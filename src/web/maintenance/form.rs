//! The form of planned maintenance.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    http::StatusCode,
};

use super::{
    PAGE,
    covered::{Covered, CoveredPart},
};
use crate::{
    domain::{
        datetime,
        directory::Directory,
        ids::{FilterId, MaintenanceId},
        limits::FILTERS_PER_MAINTENANCE,
        maintenance::{Maintenance, MaintenanceDraft},
        time::Timestamp,
    },
    service::{Action, Model, ServiceError},
    web::{
        Site,
        answer::{Answer, PageError, done, missing, page, page_with, see},
        form::Fields,
        frame::{Frame, Section},
        notifications::{needed, words},
        offered,
        problem::Problem,
        show::Show,
        visitor::{Posted, Visitor},
    },
};

#[derive(Template)]
#[template(path = "maintenance/form.html")]
struct FormPage {
    frame: Frame,
    action: String,
    cancel: String,
    /// Its start cannot change any more.
    begun: Option<Timestamp>,
    draft: Draft,
    own: Vec<Choice>,
    others: Vec<Choice>,
    problem: Option<Problem>,
    covered: Option<Covered>,
}

/// When it starts and ends.
type Span = (Option<Timestamp>, Option<Timestamp>);

struct Choice {
    id: u64,
    name: String,
    criteria: String,
    chosen: bool,
}

/// What the form holds.
#[derive(Clone, Debug, Default)]
struct Draft {
    description: String,
    /// In the user's zone; empty: now.
    start: String,
    /// Empty: until somebody ends it.
    end: String,
    filters: Vec<FilterId>,
}

impl Draft {
    fn read(fields: &Fields) -> Self {
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

    /// What was left as it was shown stays as it is stored, to the microsecond.
    fn times(&self, show: Show, known: Option<&Maintenance>) -> Result<Span, Problem> {
        let read = |field: &'static str, name: &str, text: &str, stored: Option<Timestamp>| match text {
            "" => Ok(None),
            text if stored.is_some_and(|at| show.input(&at) == text) => Ok(stored),
            text => datetime::parse(text, show.zone).map(Some).ok_or_else(|| {
                let shown: String = text.chars().take(40).collect();
                Problem::of(field, format!("{name}: “{shown}” is no date and time."))
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

impl FormPage {
    fn new(site: &Site, visitor: &Visitor, known: Option<&Maintenance>, draft: Draft) -> Self {
        let directory = site.service.directory();
        let frame = Frame::new(
            site,
            visitor,
            Section::Maintenance,
            if known.is_some() { "Change planned maintenance" } else { "Plan maintenance" },
        );
        let (own, others) = choices(&directory, visitor, &draft.filters);
        let begun = known.filter(|it| it.has_started(site.service.now())).map(|it| it.start);
        let place = known.map(|it| format!("{PAGE}{}/", it.id));
        Self {
            frame,
            action: place.as_ref().map_or_else(|| format!("{PAGE}new/"), |place| format!("{place}edit/")),
            cancel: place.unwrap_or_else(|| PAGE.to_owned()),
            begun,
            draft,
            own,
            others,
            problem: None,
            covered: None,
        }
    }
}

/// An empty form, or a copy of the task that the query names, from now on.
pub async fn new(State(site): State<Site>, visitor: Visitor, RawQuery(query): RawQuery) -> Answer {
    visitor.caller.require(Action::PlanMaintenance)?;
    let fields = Fields::of_query(query.as_deref());
    if fields.ticked(needed::DRAFT) {
        return page(&FormPage::new(&site, &visitor, None, Draft::read(&fields)));
    }
    let copied = fields.numbers("copy").next().map(MaintenanceId);
    let directory = site.service.directory();
    let draft = copied.and_then(|id| directory.maintenances.get(&id)).map_or_else(Draft::default, |it| Draft {
        description: it.description.clone(),
        filters: it.filters.clone(),
        ..Draft::default()
    });
    page(&FormPage::new(&site, &visitor, None, draft))
}

pub async fn show(
    State(site): State<Site>,
    visitor: Visitor,
    Path(id): Path<u64>,
    RawQuery(query): RawQuery,
) -> Answer {
    visitor.caller.require(Action::PlanMaintenance)?;
    let known = known(&site, id)?;
    let fields = Fields::of_query(query.as_deref());
    let draft = if fields.ticked(needed::DRAFT) {
        Draft::read(&fields)
    } else {
        Draft::of(&known, crate::web::frame::show(&site, &visitor.preferences))
    };
    page(&FormPage::new(&site, &visitor, Some(&known), draft))
}

pub async fn create(State(site): State<Site>, Posted { visitor, fields }: Posted) -> Answer {
    save(&site, &visitor, None, &fields).await
}

pub async fn edit(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, fields }: Posted) -> Answer {
    let known = known(&site, id)?;
    save(&site, &visitor, Some(&known), &fields).await
}

/// While one types.
pub async fn preview(State(site): State<Site>, Posted { visitor, fields }: Posted) -> Answer {
    visitor.caller.require(Action::PlanMaintenance)?;
    let covered = Some(Covered::find(&site, &Draft::read(&fields).filters).await?);
    page(&CoveredPart { frame: Frame::new(&site, &visitor, Section::Maintenance, ""), covered })
}

async fn save(site: &Site, visitor: &Visitor, known: Option<&Maintenance>, fields: &Fields) -> Answer {
    visitor.caller.require(Action::PlanMaintenance)?;
    let draft = Draft::read(fields);
    let again = FormPage::new(site, visitor, known, draft.clone());
    if let Some(place) = needed::leave(fields, &again.action) {
        return Ok(see(&place));
    }
    if fields.ticked("preview") {
        let covered = Some(Covered::find(site, &draft.filters).await?);
        return page(&FormPage { covered, ..again });
    }
    let problem = match draft.times(again.frame.show, known) {
        Ok((start, end)) => {
            let Draft { description, filters, .. } = draft;
            let (end, description, filters) = (Some(end), Some(description), Some(filters));
            let wanted = MaintenanceDraft { start, end, description, filters };
            let saved = match known {
                None => site.service.create_maintenance(&visitor.caller, wanted).await,
                Some(known) => {
                    let now = site.service.now();
                    let start = start.or_else(|| (!known.has_started(now)).then_some(now));
                    let wanted = MaintenanceDraft { start, ..wanted };
                    site.service.edit_maintenance(&visitor.caller, known.id, wanted).await
                }
            };
            match saved {
                Ok(saved) => return Ok(done(&format!("{PAGE}{}/", saved.id), "The maintenance is saved.")),
                Err(ServiceError::Refused(refusal)) => words::refusal(&refusal),
                Err(error) => return Err(error.into()),
            }
        }
        Err(problem) => problem,
    };
    let covered = Covered::find(site, &again.draft.filters).await.ok();
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &FormPage { problem: Some(problem), covered, ..again })
}

fn known(site: &Site, id: u64) -> Result<Arc<Maintenance>, PageError> {
    site.service.directory().maintenances.get(&MaintenanceId(id)).cloned().ok_or_else(|| missing(Model::Maintenance))
}

/// One's own, shared and chosen ones; and those of others, which can be used here, too.
fn choices(directory: &Directory, visitor: &Visitor, chosen: &[FilterId]) -> (Vec<Choice>, Vec<Choice>) {
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
) -> Choice {
    let owner = directory.user(filter.owner).filter(|owner| owner.id != visitor.caller.id());
    let criteria = words::brief(&filter.blob, directory);
    Choice {
        id: filter.id.0,
        name: owner.map_or_else(|| filter.name.clone(), |owner| format!("{} ({})", filter.name, owner.username)),
        criteria: if criteria.is_empty() { "asks for nothing".to_owned() } else { criteria },
        chosen: chosen.contains(&filter.id),
    }
}

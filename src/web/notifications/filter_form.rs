//! The form of a filter, and what it matches while one changes it.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    http::StatusCode,
};

use super::{
    chart::Outlook,
    filter_fields::{self, CriteriaFields, list_address},
    filters::PAGE,
    needed, words,
};
use crate::{
    domain::{
        ids::FilterId,
        limits::PREVIEW_DAYS_DEFAULT,
        stored_filter::{BlobEdit, FilterBlob, FilterDraft, StoredFilter},
    },
    service::{Model, ServiceError},
    web::{
        Site,
        answer::{Answer, PageError, done, missing, page, page_with},
        form::Fields,
        frame::{Frame, Section},
        problem::Problem,
        visitor::{Posted, Visitor},
    },
};

#[derive(Template)]
#[template(path = "notifications/filter.html")]
struct FilterPage {
    frame: Frame,
    tab: &'static str,
    action: String,
    name: String,
    public: bool,
    criteria: CriteriaFields,
    /// The form that this one was opened from; empty: none.
    then: String,
    problem: Option<Problem>,
    matching: Option<Matching>,
}

/// What a filter would do.
struct Matching {
    count: u64,
    address: String,
    criteria: Vec<String>,
    outlook: Option<Outlook>,
    problem: Option<Problem>,
}

/// A part of the page.
#[derive(Template)]
#[template(path = "notifications/matching.html")]
struct MatchingPart {
    frame: Frame,
    matching: Option<Matching>,
}

impl FilterPage {
    fn new(site: &Site, visitor: &Visitor, known: Option<&StoredFilter>, blob: &FilterBlob) -> Self {
        let title = if known.is_some() { "Change a filter" } else { "New filter" };
        Self {
            frame: Frame::new(site, visitor, Section::Notifications, title),
            tab: "filters",
            action: known.map_or_else(|| format!("{PAGE}new/"), |it| format!("{PAGE}{}/", it.id)),
            name: known.map(|it| it.name.clone()).unwrap_or_default(),
            public: known.is_some_and(|it| it.public),
            criteria: CriteriaFields::new(blob, &site.service.directory()),
            then: String::new(),
            problem: None,
            matching: None,
        }
    }

    fn typed(self, fields: &Fields) -> Self {
        Self { name: fields.text("name"), public: fields.ticked("public"), then: needed::then(fields), ..self }
    }

    /// With what it would match, as long as that can be found.
    async fn refuse(self, site: &Site, visitor: &Visitor, fields: &Fields, problem: Problem) -> Answer {
        let matching = matching(site, visitor, fields).await.ok();
        let again = Self { problem: Some(problem), matching, ..self };
        page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
    }
}

/// With the criteria of the query, so that a list's view can become a filter.
pub async fn new(State(site): State<Site>, visitor: Visitor, RawQuery(query): RawQuery) -> Answer {
    let fields = Fields::of_query(query.as_deref());
    let (blob, _) = filter_fields::read(&fields);
    page(&FilterPage::new(&site, &visitor, None, &blob).typed(&fields))
}

pub async fn show(State(site): State<Site>, visitor: Visitor, Path(id): Path<u64>) -> Answer {
    let filter = known(&site, &visitor, id)?;
    page(&FilterPage::new(&site, &visitor, Some(&filter), &filter.blob))
}

pub async fn create(State(site): State<Site>, Posted { visitor, fields }: Posted) -> Answer {
    save(&site, &visitor, None, &fields).await
}

pub async fn edit(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, fields }: Posted) -> Answer {
    let filter = known(&site, &visitor, id)?;
    save(&site, &visitor, Some(&filter), &fields).await
}

/// While one types.
pub async fn preview(State(site): State<Site>, Posted { visitor, fields }: Posted) -> Answer {
    let matching = Some(matching(&site, &visitor, &fields).await?);
    page(&MatchingPart { frame: Frame::new(&site, &visitor, Section::Notifications, ""), matching })
}

async fn save(site: &Site, visitor: &Visitor, known: Option<&StoredFilter>, fields: &Fields) -> Answer {
    let (blob, problem) = filter_fields::read(fields);
    let again = FilterPage::new(site, visitor, known, &blob).typed(fields);
    if fields.ticked("preview") {
        let matching = Some(matching(site, visitor, fields).await?);
        return page(&FilterPage { matching, ..again });
    }
    if let Some(problem) = problem {
        return again.refuse(site, visitor, fields, problem).await;
    }
    let (name, public) = (Some(fields.text("name")), Some(fields.ticked("public")));
    let draft = FilterDraft { name, public, blob: Some(BlobEdit::Whole(blob)) };
    let saved = match known {
        None => site.service.create_filter(&visitor.caller, draft).await,
        Some(filter) => site.service.edit_filter(&visitor.caller, filter.id, draft).await,
    };
    match saved {
        Ok(made) => Ok(done(&needed::back(fields, "filters", made.id.0, PAGE), "The filter is saved.")),
        Err(ServiceError::Refused(refusal)) => again.refuse(site, visitor, fields, words::refusal(&refusal)).await,
        Err(error) => Err(error.into()),
    }
}

async fn matching(site: &Site, visitor: &Visitor, fields: &Fields) -> Result<Matching, PageError> {
    let (blob, problem) = filter_fields::read(fields);
    let directory = site.service.directory();
    let mut matching = Matching {
        count: 0,
        address: list_address(&blob),
        criteria: words::criteria(&blob, &directory),
        outlook: None,
        problem,
    };
    if matching.problem.is_some() || blob.is_empty() {
        return Ok(matching);
    }
    matching.count = site.service.count_incidents(blob.to_criteria(&directory)).await?;
    let days = PREVIEW_DAYS_DEFAULT;
    let forecast = site.service.forecast_of_filter(&visitor.caller, blob, days).await?;
    matching.outlook = Some(Outlook::new(forecast, days));
    Ok(matching)
}

fn known(site: &Site, visitor: &Visitor, id: u64) -> Result<Arc<StoredFilter>, PageError> {
    let directory = site.service.directory();
    directory.filter_of(visitor.caller.id(), FilterId(id)).cloned().ok_or_else(|| missing(Model::Filter))
}

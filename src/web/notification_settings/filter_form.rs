//! The form of a filter, with a preview of its matches.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, response::Response};

use super::{
    chart::Outlook,
    filter_fields::{self, CriteriaFields, list_address},
    filters::PAGE,
    needed, words,
};
use crate::domain::{
    FilterBlob, FilterDraft, FilterId, StoredFilter, limits::PREVIEW_DAYS_DEFAULT, stored_filter::BlobEdit,
};
use crate::service::{Action, Model, Refusal};
use crate::web::{
    Ask, FormError, FormFields, FormPage, Frame, PageError, PageResult, Posted, Problem, Section, Site, Visitor, done,
    missing, page,
};

#[derive(Template)]
#[template(path = "notifications/filter.html")]
pub struct FilterPage {
    frame: Frame,
    tab: &'static str,
    action: String,
    name: String,
    public: bool,
    criteria: CriteriaFields,
    /// Address of the form that this one was opened from. Empty if there is none.
    then: String,
    problem: Option<Problem>,
    matching: Option<Matching>,
}

impl FilterPage {
    /// Returns the position of the tag that the problem is about. 0 if it is not about a tag.
    fn wrong_tag(&self) -> usize {
        let wrong = self.problem.as_ref().and_then(Problem::value);
        wrong.and_then(|wrong| self.criteria.tags.iter().position(|tag| tag == wrong)).unwrap_or_default()
    }
}

/// Preview of a filter: the incidents that match now, and the messages that it would have sent.
struct Matching {
    count: u64,
    address: String,
    criteria: Vec<String>,
    outlook: Option<Outlook>,
    problem: Option<Problem>,
}

/// Part of the page with the preview.
#[derive(Template)]
#[template(path = "notifications/matching.html")]
struct MatchingPart {
    frame: Frame,
    matching: Option<Matching>,
}

/// Content of the form.
#[derive(Default)]
pub struct FilterForm {
    name: String,
    public: bool,
    blob: FilterBlob,
    then: String,
    /// Problem with the criteria.
    bad: Option<Problem>,
}

impl FilterForm {
    fn read(fields: &FormFields) -> Self {
        let (blob, bad) = filter_fields::read(fields);
        Self { name: fields.text("name"), public: fields.ticked("public"), blob, then: needed::then(fields), bad }
    }
}

impl FormPage for FilterPage {
    const CHANGE: Action = Action::UseDesk;
    const WORDS: fn(&Refusal) -> Problem = words::refusal;
    const HAS_PREVIEW: bool = true;
    type Id = u64;
    type Known = Arc<StoredFilter>;
    type Draft = FilterForm;

    async fn find(site: &Site, visitor: &Visitor, id: u64) -> Result<Arc<StoredFilter>, PageError> {
        let directory = site.service.directory();
        directory.filter_of(visitor.caller.id(), FilterId(id)).cloned().ok_or_else(|| missing(Model::Filter))
    }

    /// Returns the stored filter, or a new one with the criteria of the query, so that a view of the list can become a
    /// filter.
    fn start(ask: &Ask<Self>) -> FilterForm {
        let Some(known) = &ask.known else { return FilterForm::read(&ask.fields) };
        let (name, blob, then) = (known.name.clone(), known.blob.clone(), String::new());
        FilterForm { name, public: known.public, blob, then, bad: None }
    }

    fn read(ask: &Ask<Self>) -> FilterForm {
        FilterForm::read(&ask.fields)
    }

    async fn view(ask: &Ask<Self>, form: FilterForm, problem: Option<Problem>) -> Result<Self, PageError> {
        let (site, known) = (&ask.site, ask.known.as_ref());
        let title = if known.is_some() { "Change filter" } else { "New filter" };
        let FilterForm { name, public, blob, then, bad } = form;
        Ok(Self {
            frame: Frame::new(site, &ask.visitor, Section::Notifications, title),
            tab: "filters",
            action: known.map_or_else(|| format!("{PAGE}new/"), |it| format!("{PAGE}{}/", it.id)),
            criteria: CriteriaFields::new(&blob, &site.service.directory()),
            matching: ask.preview(async { matching(site, &ask.visitor, blob, bad).await.map(Some) }).await?,
            name,
            public,
            then,
            problem,
        })
    }

    async fn save(ask: &Ask<Self>, form: &mut FilterForm) -> Result<Response, FormError> {
        if let Some(bad) = form.bad.clone() {
            return Err(bad.into());
        }
        let (service, caller) = (&ask.site.service, &ask.visitor.caller);
        let (name, blob) = (Some(form.name.clone()), Some(BlobEdit::Whole(form.blob.clone())));
        let draft = FilterDraft { name, public: Some(form.public), blob };
        let saved = match &ask.known {
            None => service.notifications().put_filter(caller, None, draft).await?,
            Some(filter) => service.notifications().put_filter(caller, Some(filter.id), draft).await?,
        };
        Ok(done(&needed::back(&ask.fields, "filters", saved.id.0, PAGE), "Filter saved."))
    }
}

/// Shows the preview while the user edits the form.
pub async fn preview(State(site): State<Site>, Posted { visitor, fields }: Posted) -> PageResult {
    let (blob, bad) = filter_fields::read(&fields);
    let matching = Some(matching(&site, &visitor, blob, bad).await?);
    page(&MatchingPart { frame: Frame::new(&site, &visitor, Section::Notifications, ""), matching })
}

async fn matching(
    site: &Site,
    visitor: &Visitor,
    blob: FilterBlob,
    problem: Option<Problem>,
) -> Result<Matching, PageError> {
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
    matching.count = site.service.incidents().count_incidents(blob.to_criteria(&directory)).await?;
    let days = PREVIEW_DAYS_DEFAULT;
    let forecast = site.service.notifications().forecast_of_filter(&visitor.caller, blob, days).await?;
    matching.outlook = Some(Outlook::new(forecast, days));
    Ok(matching)
}

//! The form that saves the current view as a filter.

use askama::Template;
use axum::extract::{RawQuery, State};

use super::view::View;
use crate::domain::{FilterDraft, FilterId, stored_filter::BlobEdit};
use crate::web::{
    FormError, FormFields, Frame, PageResult, Posted, Problem, Section, Site, Visitor, done, page, refused,
};

#[derive(Template)]
#[template(path = "incidents/save_filter.html")]
struct SavePage {
    frame: Frame,
    view: View,
    name: String,
    public: bool,
    /// The visitor's own saved filter that the view started from.
    replaces: Option<(FilterId, String)>,
    problem: Option<Problem>,
}

impl SavePage {
    fn new(site: &Site, visitor: &Visitor, view: View) -> Self {
        let directory = site.service.directory();
        let chosen = view.filter.and_then(|id| directory.filters.get(&id));
        let own = chosen.filter(|filter| filter.owner == visitor.caller.id());
        Self {
            frame: Frame::new(site, visitor, Section::Incidents, "Save this view"),
            name: String::new(),
            public: false,
            replaces: own.map(|filter| (filter.id, filter.name.clone())),
            problem: view.blob().err().map(Problem::from),
            view,
        }
    }
}

pub async fn form(State(site): State<Site>, visitor: Visitor, RawQuery(query): RawQuery) -> PageResult {
    let view = View::parse(&FormFields::of_query(query.as_deref()));
    page(&SavePage::new(&site, &visitor, view))
}

pub async fn save(State(site): State<Site>, Posted { visitor, fields }: Posted) -> PageResult {
    let view = View::parse(&FormFields::of_query(fields.get("view")));
    let (name, public) = (fields.text("name"), fields.ticked("public"));
    let refuse = |problem: Problem| {
        let again = SavePage {
            name: name.clone(),
            public,
            problem: Some(problem),
            ..SavePage::new(&site, &visitor, view.clone())
        };
        refused(&again)
    };
    let blob = match view.blob() {
        Ok(blob) => Some(BlobEdit::Whole(blob)),
        Err(problem) => return refuse(problem.into()),
    };
    let replaced = fields.get("replace").and_then(|id| id.parse().ok()).map(FilterId);
    let draft = match replaced {
        Some(_) => FilterDraft { blob, ..FilterDraft::default() },
        None => FilterDraft { name: Some(name.clone()), public: Some(public), blob },
    };
    match site.service.notifications().put_filter(&visitor.caller, replaced, draft).await {
        Ok(filter) => {
            let view = View { sort: view.sort, ..View::of_filter(filter.id, &filter.blob) };
            Ok(done(&format!("/incidents/?{}", view.query()), &format!("Saved as “{}”.", filter.name)))
        }
        Err(error) => refuse(FormError::from(error).problem(Problem::refused)?),
    }
}

//! The list of sources and of their types, and the form for a new one.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, http::StatusCode};

use super::{Staff, problem};
use crate::{
    domain::{limits::HEARTBEAT_FREQUENCY, source::SourceDraft},
    service::{Action, SourceView, TokenState},
    web::{
        Site,
        answer::{Answer, PageError, done, page, page_with},
        form::Fields,
        frame::{Frame, Section},
        problem::Problem,
        visitor::{Posted, Visitor},
    },
};

#[derive(Template)]
#[template(path = "admin/sources.html")]
struct SourcesPage {
    frame: Frame,
    sources: Vec<SourceView>,
    /// There has been no incident yet.
    is_fresh: bool,
}

#[derive(Template)]
#[template(path = "admin/source_new.html")]
struct NewSourcePage {
    frame: Frame,
    types: Vec<String>,
    form: SourceForm,
    problem: Option<Problem>,
}

#[derive(Template)]
#[template(path = "admin/source_types.html")]
struct TypesPage {
    frame: Frame,
    /// With the number of sources.
    types: Vec<(String, usize)>,
    name: String,
    problem: Option<Problem>,
}

/// What was typed.
#[derive(Default)]
pub(super) struct SourceForm {
    pub name: String,
    pub source_type: String,
    pub new_type: String,
    pub base_url: String,
    pub username: String,
    /// Seconds; empty: not watched.
    pub frequency: String,
}

impl SourceForm {
    pub(super) fn read(fields: &Fields) -> Self {
        Self {
            name: fields.text("name"),
            source_type: fields.text("type"),
            new_type: fields.text("new_type"),
            base_url: fields.text("base_url"),
            username: fields.text("username"),
            frequency: fields.text("frequency"),
        }
    }

    /// Seconds.
    pub(super) fn parse_frequency(&self) -> Result<Option<u32>, Problem> {
        if self.frequency.is_empty() {
            return Ok(None);
        }
        let seconds = self.frequency.parse().ok().filter(|seconds| HEARTBEAT_FREQUENCY.contains(seconds));
        seconds.map(Some).ok_or_else(|| {
            let (least, most) = (HEARTBEAT_FREQUENCY.start(), HEARTBEAT_FREQUENCY.end());
            let text = format!("Heartbeat: a number of seconds from {least} to {most}, or nothing.");
            Problem::of("frequency", text)
        })
    }
}

pub async fn list(State(site): State<Site>, staff: Staff) -> Answer {
    let sources = site.service.source_views(&staff.visitor.caller).await?;
    let is_fresh = site.service.total_incidents() == 0;
    page(&SourcesPage { frame: frame(&site, &staff.visitor, "Sources"), sources, is_fresh })
}

pub async fn new(State(site): State<Site>, staff: Staff) -> Answer {
    staff.visitor.caller.require(Action::ManageSources)?;
    page(&new_page(&site, &staff.visitor, SourceForm::default(), None))
}

pub async fn create(State(site): State<Site>, Posted { visitor, fields }: Posted) -> Answer {
    visitor.caller.require(Action::ManageSources)?;
    let form = SourceForm::read(&fields);
    match make(&site, &visitor, &form).await? {
        Ok(id) => Ok(done(&format!("/sources/{id}/"), "The source is made. Now make a token for it.")),
        Err(problem) => page_with(StatusCode::UNPROCESSABLE_ENTITY, &new_page(&site, &visitor, form, Some(problem))),
    }
}

/// The key of the new source, or what is wrong with the form.
async fn make(site: &Site, visitor: &Visitor, form: &SourceForm) -> Result<Result<u64, Problem>, PageError> {
    let frequency = match form.parse_frequency() {
        Ok(frequency) => frequency,
        Err(problem) => return Ok(Err(problem)),
    };
    if form.source_type.is_empty() && form.new_type.is_empty() {
        return Ok(Err(Problem::of("type", "Type: choose one, or enter a new one.")));
    }
    let new_type = Some(form.new_type.to_lowercase()).filter(|new| !new.is_empty());
    let new = SourceDraft {
        name: Some(form.name.clone()),
        source_type: new_type.or_else(|| Some(form.source_type.clone())),
        base_url: Some(form.base_url.clone()),
        heartbeat_frequency: None,
        username: Some(form.username.clone()).filter(|name| !name.is_empty()).or_else(|| Some(username(&form.name))),
    };
    match site.service.create_source_with_type(&visitor.caller, new, !form.new_type.is_empty()).await {
        Ok(source) => {
            if frequency.is_some() {
                let edit = SourceDraft { heartbeat_frequency: Some(frequency), ..SourceDraft::default() };
                site.service.edit_source(&visitor.caller, source.id, edit).await?;
            }
            Ok(Ok(source.id.0))
        }
        Err(error) => problem(error).map(Err),
    }
}

/// What can be a username, made from a source's name.
fn username(name: &str) -> String {
    let letters = name.trim().chars().map(|c| if c.is_alphanumeric() || "@.+-_".contains(c) { c } else { '-' });
    letters.take(140).collect()
}

pub async fn types(State(site): State<Site>, staff: Staff) -> Answer {
    page(&types_page(&site, &staff.visitor, String::new(), None))
}

pub async fn create_type(State(site): State<Site>, Posted { visitor, fields }: Posted) -> Answer {
    visitor.caller.require(Action::ManageSources)?;
    let name = fields.text("name");
    match site.service.create_source_type(&visitor.caller, name.clone()).await {
        Ok(()) => Ok(done("/sources/types/", "The type is made.")),
        Err(error) => {
            let again = types_page(&site, &visitor, name, Some(problem(error)?));
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
        }
    }
}

fn new_page(site: &Site, visitor: &Visitor, form: SourceForm, problem: Option<Problem>) -> NewSourcePage {
    let types = site.service.directory().source_types.iter().cloned().collect();
    NewSourcePage { frame: frame(site, visitor, "New source"), types, form, problem }
}

fn types_page(site: &Site, visitor: &Visitor, name: String, problem: Option<Problem>) -> TypesPage {
    let directory = site.service.directory();
    let mut counts: BTreeMap<&str, usize> = directory.source_types.iter().map(|name| (name.as_str(), 0)).collect();
    for source in directory.sources.values() {
        *counts.entry(&source.source_type).or_default() += 1;
    }
    let types = counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    TypesPage { frame: frame(site, visitor, "Types of sources"), types, name, problem }
}

pub(super) fn frame(site: &Site, visitor: &Visitor, title: impl Into<String>) -> Frame {
    Frame::new(site, visitor, Section::Sources, title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_are_made_from_names() {
        assert_eq!(username(" NAV in Oslo "), "NAV-in-Oslo");
        assert_eq!(username("a<b>"), "a-b-");
    }

    #[test]
    fn frequencies_have_bounds() {
        let form = |text: &str| SourceForm { frequency: text.to_owned(), ..SourceForm::default() };
        assert_eq!(form("").parse_frequency(), Ok(None));
        assert_eq!(form("60").parse_frequency(), Ok(Some(60)));
        for bad in ["59", "86401", "x", "-60", "99999999999999"] {
            assert!(form(bad).parse_frequency().is_err(), "{bad}");
        }
    }
}

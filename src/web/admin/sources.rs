//! The lists of sources and source types, and the form for a new source.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Response};

use super::Staff;
use crate::{
    domain::{limits::HEARTBEAT_FREQUENCY, source::SourceDraft},
    service::{Action, SourceView, TokenState},
    web::{
        Site,
        answer::{PageError, PageResult, done, page},
        form::FormFields,
        form_page::{Ask, FormError, FormPage},
        layout::{Frame, Section},
        problem::Problem,
        visitor::Visitor,
    },
};

#[derive(Template)]
#[template(path = "admin/sources.html")]
struct SourcesPage {
    frame: Frame,
    sources: Vec<SourceView>,
    /// Whether there are no incidents yet.
    is_fresh: bool,
}

#[derive(Template)]
#[template(path = "admin/source_new.html")]
pub struct NewSourcePage {
    frame: Frame,
    types: Vec<String>,
    form: SourceForm,
    problem: Option<Problem>,
}

#[derive(Template)]
#[template(path = "admin/source_types.html")]
pub struct TypesPage {
    frame: Frame,
    /// Names, with their number of sources.
    types: Vec<(String, usize)>,
    name: String,
    problem: Option<Problem>,
}

/// Values that the user entered.
#[derive(Default)]
pub struct SourceForm {
    pub name: String,
    pub source_type: String,
    pub new_type: String,
    pub base_url: String,
    pub username: String,
    /// Heartbeat interval in seconds. Empty if the source is not watched.
    pub frequency: String,
}

impl SourceForm {
    pub(super) fn read(fields: &FormFields) -> Self {
        Self {
            name: fields.text("name"),
            source_type: fields.text("type"),
            new_type: fields.text("new_type"),
            base_url: fields.text("base_url"),
            username: fields.text("username"),
            frequency: fields.text("frequency"),
        }
    }

    /// Parses the heartbeat interval, in seconds.
    pub(super) fn parse_frequency(&self) -> Result<Option<u32>, Problem> {
        if self.frequency.is_empty() {
            return Ok(None);
        }
        let seconds = self.frequency.parse().ok().filter(|seconds| HEARTBEAT_FREQUENCY.contains(seconds));
        seconds.map(Some).ok_or_else(|| {
            let (least, most) = (HEARTBEAT_FREQUENCY.start(), HEARTBEAT_FREQUENCY.end());
            let text = format!("Heartbeat interval: enter {least} to {most} seconds, or leave it empty.");
            Problem::of("frequency", text)
        })
    }
}

pub async fn list(State(site): State<Site>, staff: Staff) -> PageResult {
    let sources = site.service.sources().source_views(&staff.visitor.caller).await?;
    let is_fresh = site.service.incidents().total_incidents() == 0;
    page(&SourcesPage { frame: frame(&site, &staff.visitor, "Sources"), sources, is_fresh })
}

impl FormPage for NewSourcePage {
    const CHANGE: Action = Action::ManageSources;
    type Id = u64;
    type Known = ();
    type Draft = SourceForm;

    fn read(ask: &Ask<Self>) -> SourceForm {
        SourceForm::read(&ask.fields)
    }

    async fn view(ask: &Ask<Self>, form: SourceForm, problem: Option<Problem>) -> Result<Self, PageError> {
        let types = ask.site.service.directory().source_types.iter().cloned().collect();
        Ok(Self { frame: frame(&ask.site, &ask.visitor, "New source"), types, form, problem })
    }

    async fn save(ask: &Ask<Self>, form: &mut SourceForm) -> Result<Response, FormError> {
        let (service, caller, frequency) = (&ask.site.service, &ask.visitor.caller, form.parse_frequency()?);
        let is_new_type = !form.new_type.is_empty();
        if form.source_type.is_empty() && !is_new_type {
            return Err(Problem::of("type", "Type: choose one, or enter a new one.").into());
        }
        let username = Some(form.username.clone()).filter(|name| !name.is_empty());
        let source_type = if is_new_type { form.new_type.to_lowercase() } else { form.source_type.clone() };
        let new = SourceDraft {
            name: Some(form.name.clone()),
            source_type: Some(source_type),
            base_url: Some(form.base_url.clone()),
            heartbeat_frequency: None,
            username: username.or_else(|| Some(self::username(&form.name))),
        };
        let source = service.sources().create_source_with_type(caller, new, is_new_type).await?;
        if frequency.is_some() {
            let edit = SourceDraft { heartbeat_frequency: Some(frequency), ..SourceDraft::default() };
            service.sources().edit_source(caller, source.id, edit).await.map_err(PageError::from)?;
        }
        Ok(done(&format!("/sources/{}/", source.id), "Source created. Now create a token for it."))
    }
}

/// Converts the name of a source to a valid username.
fn username(name: &str) -> String {
    let letters = name.trim().chars().map(|c| if c.is_alphanumeric() || "@.+-_".contains(c) { c } else { '-' });
    letters.take(140).collect()
}

pub async fn types(State(site): State<Site>, staff: Staff) -> PageResult {
    page(&types_page(&site, &staff.visitor, String::new(), None))
}

impl FormPage for TypesPage {
    const CHANGE: Action = Action::ManageSources;
    type Id = u64;
    type Known = ();
    type Draft = String;

    fn read(ask: &Ask<Self>) -> String {
        ask.fields.text("name")
    }

    async fn view(ask: &Ask<Self>, name: String, problem: Option<Problem>) -> Result<Self, PageError> {
        Ok(types_page(&ask.site, &ask.visitor, name, problem))
    }

    async fn save(ask: &Ask<Self>, name: &mut String) -> Result<Response, FormError> {
        ask.site.service.sources().create_source_type(&ask.visitor.caller, name.clone()).await?;
        Ok(done("/sources/types/", "Type created."))
    }
}

fn types_page(site: &Site, visitor: &Visitor, name: String, problem: Option<Problem>) -> TypesPage {
    let directory = site.service.directory();
    let mut counts: BTreeMap<&str, usize> = directory.source_types.iter().map(|name| (name.as_str(), 0)).collect();
    for source in directory.sources.values() {
        *counts.entry(&source.source_type).or_default() += 1;
    }
    let types = counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    TypesPage { frame: frame(site, visitor, "Source types"), types, name, problem }
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

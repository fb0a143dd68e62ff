//! The lists of sources and source types, and the forms for new ones.

use std::collections::BTreeMap;

use askama::Template;
use axum::{extract::State, response::Response};

use super::Staff;
use crate::domain::{
    SourceDraft,
    directory::Subject,
    limits::{HEARTBEAT_FREQUENCY, PERSON_NAME, SOURCE_NAME, SOURCE_TYPE_NAME, URL},
};
use crate::service::{Action, SourceView, TokenState};
use crate::web::{
    FormError, Frame, PageError, PageResult, Problem, Section, Site, Visitor, done,
    form_input::{Choice, FormInput, Line, Number, Url, Word},
    page,
    plain_form::{PlainAsk, PlainForm, PlainPage},
};

/// Path and title of the list of sources.
const LIST: (&str, &str) = ("/sources/", "Sources");

#[derive(Template)]
#[template(path = "admin/sources.html")]
struct SourcesPage {
    frame: Frame,
    sources: Vec<SourceView>,
    /// Whether there are no incidents yet.
    is_fresh: bool,
}

/// Parses the heartbeat interval, in seconds. Empty if the source is not watched.
pub(super) fn parse_frequency(text: &str) -> Result<Option<u32>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let seconds = text.parse().ok().filter(|seconds| HEARTBEAT_FREQUENCY.contains(seconds));
    seconds.map(Some).ok_or_else(|| {
        let (least, most) = (HEARTBEAT_FREQUENCY.start(), HEARTBEAT_FREQUENCY.end());
        let text = format!("Heartbeat interval: enter {least} to {most} seconds, or leave it empty.");
        Problem::of("frequency", text)
    })
}

pub async fn list(State(site): State<Site>, staff: Staff) -> PageResult {
    let sources = site.service.sources().source_views(&staff.visitor.caller).await?;
    let is_fresh = site.service.incidents().total_incidents() == 0;
    page(&SourcesPage { frame: frame(&site, &staff.visitor, "Sources"), sources, is_fresh })
}

/// Form of a new source.
pub enum NewSource {}

impl PlainForm for NewSource {
    const SUBJECT: Subject = Subject::Source;
    const LIST: (&'static str, &'static str) = LIST;
    const CHANGE: Action = Action::ManageSources;
    type Id = u64;
    type Known = ();

    fn page(ask: &PlainAsk<Self>, _: bool) -> Result<PlainPage<Self>, PageError> {
        let directory = ask.site.service.directory();
        let types = directory.source_types.iter().map(|name| (name.clone(), name.clone())).collect();
        let inputs = vec![
            FormInput::new(Line, "name", "Name").up_to(SOURCE_NAME).required(),
            FormInput { choices: types, ..FormInput::new(Choice, "type", "Type") }.help("type-help", ""),
            FormInput::new(Word, "new_type", "Or a new type")
                .up_to(SOURCE_TYPE_NAME)
                .placeholder("zabbix")
                .help("type-help", "What kind of system it is. Choose a type, or enter a new one in lower case."),
            FormInput::new(Url, "base_url", "Base URL")
                .up_to(URL)
                .placeholder("https://nav.example.org/")
                .help("base-help", "Incidents can link to pages relative to it."),
            frequency("60 to 86400. If the source is silent for longer, an incident is opened."),
            FormInput::new(Word, "username", "Account username")
                .up_to(PERSON_NAME)
                .placeholder("created from the name"),
        ];
        Ok(PlainPage::new(ask, "New source", None, inputs))
    }

    async fn save(ask: &PlainAsk<Self>) -> Result<Response, FormError> {
        let (service, caller, fields) = (&ask.site.service, &ask.visitor.caller, &ask.fields);
        let frequency = parse_frequency(&fields.text("frequency"))?;
        let (name, new_type) = (fields.text("name"), fields.filled("new_type"));
        let Some(source_type) = new_type.map(str::to_lowercase).or_else(|| Some(fields.filled("type")?.to_owned()))
        else {
            return Err(Problem::of("type", "Type: choose one, or enter a new one.").into());
        };
        let username = fields.filled("username").map_or_else(|| username(&name), str::to_owned);
        let new = SourceDraft {
            name: Some(name),
            source_type: Some(source_type),
            base_url: Some(fields.text("base_url")),
            heartbeat_frequency: None,
            username: Some(username),
        };
        let source = service.sources().create_source_with_type(caller, new, new_type.is_some()).await?;
        if frequency.is_some() {
            let edit = SourceDraft { heartbeat_frequency: Some(frequency), ..SourceDraft::default() };
            service.sources().edit_source(caller, source.id, edit).await.map_err(PageError::from)?;
        }
        Ok(done(&format!("/sources/{}/", source.id), "Source created. Now create a token for it."))
    }
}

/// Returns the input for the heartbeat interval.
pub(super) fn frequency(help: &'static str) -> FormInput {
    let input = FormInput::new(Number, "frequency", "Heartbeat interval (seconds)");
    input.placeholder("not watched").help("beat-help", help)
}

/// Converts the name of a source to a valid username.
fn username(name: &str) -> String {
    let letters = name.trim().chars().map(|c| if c.is_alphanumeric() || "@.+-_".contains(c) { c } else { '-' });
    letters.take(140).collect()
}

/// Types of sources, and the form of a new one.
pub enum SourceTypes {}

impl PlainForm for SourceTypes {
    const SUBJECT: Subject = Subject::SourceType;
    const LIST: (&'static str, &'static str) = LIST;
    const CHANGE: Action = Action::ManageSources;
    const OPEN: Action = Action::SeeAdministration;
    type Id = u64;
    type Known = ();

    fn page(ask: &PlainAsk<Self>, _: bool) -> Result<PlainPage<Self>, PageError> {
        let directory = ask.site.service.directory();
        let mut counts: BTreeMap<&str, usize> = directory.source_types.iter().map(|name| (name.as_str(), 0)).collect();
        for source in directory.sources.values() {
            *counts.entry(&source.source_type).or_default() += 1;
        }
        let lines = counts.into_iter().map(|(name, count)| {
            (None, name.to_owned(), format!("{count} {}", if count == 1 { "source" } else { "sources" }))
        });
        let name = FormInput::new(Word, "name", "Name, in lower case").up_to(SOURCE_TYPE_NAME).required();
        Ok(PlainPage {
            lines: lines.collect(),
            heading: "New type",
            action: "/sources/types/".to_owned(),
            button: "Create type".to_owned(),
            ..PlainPage::new(ask, "Source types", None, vec![name])
        })
    }

    async fn save(ask: &PlainAsk<Self>) -> Result<Response, FormError> {
        ask.site.service.sources().create_source_type(&ask.visitor.caller, ask.fields.text("name")).await?;
        Ok(done("/sources/types/", "Type created."))
    }
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
        assert_eq!(parse_frequency(""), Ok(None));
        assert_eq!(parse_frequency("60"), Ok(Some(60)));
        for bad in ["59", "86401", "x", "-60", "99999999999999"] {
            assert!(parse_frequency(bad).is_err(), "{bad}");
        }
    }
}

//! The form of a destination, made from what its medium wants to know.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    http::StatusCode,
};

use super::{destinations::PAGE, needed, words};
use crate::{
    domain::{
        destination::{Destination, DestinationDraft},
        ids::DestinationId,
        medium::AnyMedium,
        setting::{Form, Setting},
    },
    service::{Model, NotificationRefusal, OfferedMedium, Refusal, ServiceError},
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
#[template(path = "notifications/destination.html")]
struct DestinationPage {
    frame: Frame,
    tab: &'static str,
    action: String,
    managed: bool,
    media: Vec<OfferedMedium>,
    /// `None`: to be chosen first.
    medium: Option<OfferedMedium>,
    label: String,
    settings: Vec<SettingField>,
    /// The form that this one was opened from; empty: none.
    then: String,
    problem: Option<Problem>,
}

struct SettingField {
    key: &'static str,
    title: &'static str,
    description: &'static str,
    /// Of the input element.
    kind: &'static str,
    longest: usize,
    is_secret: bool,
    /// A secret that is there, but not shown.
    is_kept: bool,
    value: String,
}

impl DestinationPage {
    fn new(site: &Site, visitor: &Visitor, medium: Option<OfferedMedium>, known: Option<&Destination>) -> Self {
        let stored = |key: &str| known.and_then(|it| it.settings.get(key)).cloned();
        let fields = medium.iter().flat_map(|it| it.medium.settings()).map(|setting| {
            let is_secret = setting.secret;
            SettingField {
                key: setting.key,
                title: setting.title,
                description: setting.description,
                kind: input(setting),
                longest: setting.form.longest(),
                is_secret,
                is_kept: is_secret && stored(setting.key).is_some(),
                value: stored(setting.key).filter(|_| !is_secret).unwrap_or_default(),
            }
        });
        let name = medium.as_ref().map_or("destination", |it| it.name.as_str());
        let title =
            if known.is_some() { format!("Change a destination: {name}") } else { format!("New destination: {name}") };
        Self {
            frame: Frame::new(site, visitor, Section::Notifications, title),
            tab: "destinations",
            action: known.map_or_else(|| format!("{PAGE}new/"), |it| format!("{PAGE}{}/", it.id)),
            managed: known.is_some_and(|it| it.synced),
            media: site.service.media(),
            label: known.and_then(|it| it.label.clone()).unwrap_or_default(),
            settings: fields.collect(),
            then: String::new(),
            medium,
            problem: None,
        }
    }

    /// With what was typed, but for secrets.
    fn refuse(mut self, fields: &Fields, problem: Problem) -> Answer {
        self.label = fields.text("label");
        self.then = needed::then(fields);
        for setting in self.settings.iter_mut().filter(|it| !it.is_secret) {
            setting.value = fields.text(setting.key);
        }
        self.problem = Some(problem);
        page_with(StatusCode::UNPROCESSABLE_ENTITY, &self)
    }
}

/// For the medium of the query, or with a choice of media.
pub async fn new(State(site): State<Site>, visitor: Visitor, RawQuery(query): RawQuery) -> Answer {
    let fields = Fields::of_query(query.as_deref());
    let medium = fields.filled("medium").and_then(|slug| site.service.offered_medium(slug));
    page(&DestinationPage { then: needed::then(&fields), ..DestinationPage::new(&site, &visitor, medium, None) })
}

pub async fn show(State(site): State<Site>, visitor: Visitor, Path(id): Path<u64>) -> Answer {
    let destination = known(&site, &visitor, id)?;
    let medium = site.service.medium(&destination.medium);
    page(&DestinationPage::new(&site, &visitor, Some(medium), Some(&destination)))
}

pub async fn create(State(site): State<Site>, Posted { visitor, fields }: Posted) -> Answer {
    let medium = fields.filled("medium").and_then(|slug| site.service.offered_medium(slug));
    let Some(OfferedMedium { medium: wanted, .. }) = medium.clone() else {
        let again = DestinationPage::new(&site, &visitor, None, None);
        return again.refuse(&fields, "Medium: choose one.".into());
    };
    let problem = match read(&wanted, &fields) {
        Ok(given) => {
            let draft = DestinationDraft { medium: Some(wanted.clone()), ..draft(&fields, given) };
            match site.service.create_destination(&visitor.caller, draft).await {
                Ok(made) => {
                    let place = needed::back(&fields, "destinations", made.id.0, PAGE);
                    return Ok(done(&place, "The destination is saved. Send a test message to see that it arrives."));
                }
                Err(ServiceError::Refused(refusal)) => problem_of(&wanted, &refusal),
                Err(error) => return Err(error.into()),
            }
        }
        Err(problem) => problem,
    };
    DestinationPage::new(&site, &visitor, medium, None).refuse(&fields, problem)
}

pub async fn edit(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, fields }: Posted) -> Answer {
    let destination = known(&site, &visitor, id)?;
    let medium = site.service.medium(&destination.medium);
    let problem = match read(&medium.medium, &fields) {
        Ok(settings) => {
            let draft = draft(&fields, settings);
            match site.service.edit_destination(&visitor.caller, destination.id, draft).await {
                Ok(_) => return Ok(done(PAGE, "The destination is saved.")),
                Err(ServiceError::Refused(refusal)) => problem_of(&medium.medium, &refusal),
                Err(error) => return Err(error.into()),
            }
        }
        Err(problem) => problem,
    };
    DestinationPage::new(&site, &visitor, Some(medium), Some(&destination)).refuse(&fields, problem)
}

/// A secret that is left empty is not mentioned, so it stays; one that is to go is `None`.
fn read(medium: &AnyMedium, fields: &Fields) -> Result<BTreeMap<String, Option<String>>, Problem> {
    let mut settings = BTreeMap::new();
    for setting in medium.settings() {
        let (key, text) = (setting.key.to_owned(), fields.text(setting.key));
        let bad = |what: &str| Problem::of(setting.key, format!("{}: {what}", setting.title));
        if text.chars().count() > setting.form.longest() {
            return Err(bad(&format!("at most {} characters.", setting.form.longest())));
        }
        if setting.secret && text.is_empty() {
            if fields.ticked(&format!("remove-{key}")) {
                settings.insert(key, None);
            }
            continue;
        }
        if text.is_empty() {
            return Err(bad("it is missing."));
        }
        let value = setting.form.normalize(text).map_err(|error| bad(&error.to_string()))?;
        settings.insert(key, Some(value));
    }
    Ok(settings)
}

/// That there is one with this address already is about the first setting.
fn problem_of(medium: &AnyMedium, refusal: &Refusal) -> Problem {
    let problem = words::refusal(refusal);
    match (refusal, medium.settings().first()) {
        (Refusal::Notification(NotificationRefusal::DestinationExists), Some(address)) => problem.at(address.key),
        _ => problem,
    }
}

fn draft(fields: &Fields, settings: BTreeMap<String, Option<String>>) -> DestinationDraft {
    let label = fields.filled("label").map(str::to_owned);
    DestinationDraft { medium: None, label: Some(label), settings: Some(settings) }
}

const fn input(setting: &Setting) -> &'static str {
    match setting.form {
        _ if setting.secret => "password",
        Form::MailAddress => "email",
        Form::Phone => "tel",
        form if form.is_url() => "url",
        _ => "text",
    }
}

fn known(site: &Site, visitor: &Visitor, id: u64) -> Result<Arc<Destination>, PageError> {
    let directory = site.service.directory();
    directory.destination_of(visitor.caller.id(), DestinationId(id)).cloned().ok_or_else(|| missing(Model::Destination))
}

//! The form of a destination. Its fields are the settings of the medium.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use axum::response::Response;

use super::{destinations::PAGE, needed, words};
use crate::domain::{
    AnyMedium, Destination, DestinationDraft, DestinationId,
    setting::{Form, Setting},
};
use crate::service::{Action, Model, NotificationRefusal, OfferedMedium, Refusal};
use crate::web::{
    Ask, FormError, FormFields, FormPage, Frame, PageError, Problem, Section, Site, Visitor, done, missing,
};

#[derive(Template)]
#[template(path = "notifications/destination.html")]
pub struct DestinationPage {
    frame: Frame,
    tab: &'static str,
    action: String,
    managed: bool,
    media: Vec<OfferedMedium>,
    /// `None` if it must be chosen first.
    medium: Option<OfferedMedium>,
    label: String,
    settings: Vec<SettingField>,
    /// Address of the form that this one was opened from. Empty if there is none.
    then: String,
    problem: Option<Problem>,
}

struct SettingField {
    key: &'static str,
    title: &'static str,
    description: &'static str,
    /// Type of the input element.
    kind: &'static str,
    longest: usize,
    is_secret: bool,
    /// Whether a secret is stored, which is not shown.
    is_kept: bool,
    value: String,
}

impl FormPage for DestinationPage {
    const CHANGE: Action = Action::UseDesk;
    type Id = u64;
    type Known = Arc<Destination>;
    /// The medium, if it is chosen already.
    type Draft = Option<OfferedMedium>;

    async fn find(site: &Site, visitor: &Visitor, id: u64) -> Result<Arc<Destination>, PageError> {
        let (directory, caller) = (site.service.directory(), visitor.caller.id());
        directory.destination_of(caller, DestinationId(id)).cloned().ok_or_else(|| missing(Model::Destination))
    }

    /// Returns the medium of the destination, or that of the query. `None` shows a choice of media.
    fn start(ask: &Ask<Self>) -> Option<OfferedMedium> {
        let service = &ask.site.service;
        match &ask.known {
            Some(known) => Some(service.notifications().medium(&known.medium)),
            None => ask.fields.filled("medium").and_then(|slug| service.notifications().offered_medium(slug)),
        }
    }

    fn read(ask: &Ask<Self>) -> Option<OfferedMedium> {
        Self::start(ask)
    }

    /// Shows the entered values except for secrets.
    async fn view(ask: &Ask<Self>, medium: Option<OfferedMedium>, problem: Option<Problem>) -> Result<Self, PageError> {
        let (site, known) = (&ask.site, ask.known.as_ref());
        let typed = problem.is_some().then_some(&ask.fields);
        let stored = |key: &str| known.and_then(|it| it.settings.get(key)).cloned();
        let fields = medium.iter().flat_map(|it| it.medium.settings()).map(|setting| {
            let (key, is_secret) = (setting.key, setting.secret);
            let value = typed.map(|fields| fields.text(key)).or_else(|| stored(key)).filter(|_| !is_secret);
            SettingField {
                key,
                title: setting.title,
                description: setting.description,
                kind: input(setting),
                longest: setting.form.longest(),
                is_secret,
                is_kept: is_secret && stored(key).is_some(),
                value: value.unwrap_or_default(),
            }
        });
        let name = medium.as_ref().map_or("destination", |it| it.name.as_str());
        let title = if known.is_some() { "Change destination" } else { "New destination" };
        let label = typed.map(|fields| fields.text("label")).or_else(|| known.and_then(|it| it.label.clone()));
        let opened_from = known.is_none() || typed.is_some();
        Ok(Self {
            frame: Frame::new(site, &ask.visitor, Section::Notifications, format!("{title}: {name}")),
            tab: "destinations",
            action: known.map_or_else(|| format!("{PAGE}new/"), |it| format!("{PAGE}{}/", it.id)),
            managed: known.is_some_and(|it| it.synced),
            media: site.service.notifications().media(),
            label: label.unwrap_or_default(),
            settings: fields.collect(),
            then: if opened_from { needed::then(&ask.fields) } else { String::new() },
            medium,
            problem,
        })
    }

    async fn save(ask: &Ask<Self>, medium: &mut Option<OfferedMedium>) -> Result<Response, FormError> {
        let (service, caller, fields) = (&ask.site.service, &ask.visitor.caller, &ask.fields);
        let medium = &medium.as_ref().ok_or_else(|| Problem::from("Medium: choose one."))?.medium;
        let (label, settings) = (Some(fields.filled("label").map(str::to_owned)), Some(read(medium, fields)?));
        if let Some(known) = &ask.known {
            let draft = DestinationDraft { medium: None, label, settings };
            service.notifications().put_destination(caller, Some(known.id), draft).await?;
            return Ok(done(PAGE, "Destination saved."));
        }
        let draft = DestinationDraft { medium: Some(medium.clone()), label, settings };
        let made = service.notifications().put_destination(caller, None, draft).await?;
        let place = needed::back(fields, "destinations", made.id.0, PAGE);
        Ok(done(&place, "Destination saved. Send a test message to see that it arrives."))
    }

    /// If the address is in use already, the problem is about the first setting.
    fn refusal(ask: &Ask<Self>, refusal: &Refusal) -> Problem {
        let problem = words::refusal(refusal);
        let address = Self::start(ask).and_then(|it| Some(it.medium.settings().first()?.key));
        match (refusal, address) {
            (Refusal::Notification(NotificationRefusal::DestinationExists), Some(key)) => problem.at(key),
            _ => problem,
        }
    }
}

/// Reads the settings. A secret that is left empty is omitted, which keeps it. `None` deletes a secret.
fn read(medium: &AnyMedium, fields: &FormFields) -> Result<BTreeMap<String, Option<String>>, Problem> {
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
            return Err(bad("required."));
        }
        let value = setting.form.normalize(text).map_err(|error| bad(&error.to_string()))?;
        settings.insert(key, Some(value));
    }
    Ok(settings)
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

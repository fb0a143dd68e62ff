//! Contacts: people who are told without having an account.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use uuid::Uuid;

use super::{Staff, uuid};
use crate::{
    domain::{
        channel_types::address_types,
        contact::{Contact, ContactDraft, OriginEdit, looks_like_email},
        contact_filter::{Column, Filter, Test},
        destination::EMAIL,
        directory::Directory,
        limits::{ADDRESS, CONTACT_USERNAME, FULL_NAME},
    },
    service::{Action, ContactRefusal, GroupWithUsers, Model, Way},
    web::{
        Site,
        answer::{Answer, PageError, done, missing, page, page_with},
        form::Fields,
        frame::{Frame, Section},
        problem::Problem,
        visitor::{Posted, Visitor},
    },
};

/// Groups that the form offers by name.
const OFFERED: usize = 200;

/// Before the type of an address in the name of its field.
const ADDRESSES: &str = "address.";

#[derive(Template)]
#[template(path = "admin/contacts.html")]
struct ContactsPage {
    frame: Frame,
    tab: &'static str,
    has_channels: bool,
    rows: Vec<Row>,
    q: String,
    next: Option<String>,
    is_first: bool,
}

struct Row {
    contact: Contact,
    channel: String,
}

#[derive(Template)]
#[template(path = "admin/contact.html")]
struct ContactPage {
    frame: Frame,
    tab: &'static str,
    /// `None`: a new one.
    contact: Option<Contact>,
    form: ContactForm,
    /// UUID and name with type.
    channels: Vec<(String, String)>,
    groups: Vec<(Uuid, String)>,
    offered: Vec<String>,
    problem: Option<Problem>,
}

/// What was typed.
#[derive(Default)]
struct ContactForm {
    full_name: String,
    username: String,
    channel: String,
    /// Type and address.
    addresses: Vec<(String, String)>,
}

impl ContactForm {
    /// With a field for each type that there may be addresses of.
    fn of(contact: Option<&Contact>, directory: &Directory) -> Self {
        let known = contact.map(|contact| contact.addresses.clone()).unwrap_or_default();
        let address = |kind: String| {
            let address = known.get(&kind).cloned().unwrap_or_default();
            (kind, address)
        };
        Self {
            full_name: contact.map(|it| it.full_name.clone()).unwrap_or_default(),
            username: contact.and_then(|it| it.username.clone()).unwrap_or_default(),
            channel: contact.map(|it| it.default_channel.to_string()).unwrap_or_default(),
            addresses: types(directory, known.keys()).into_iter().map(address).collect(),
        }
    }

    fn read(fields: &Fields, directory: &Directory) -> Self {
        let sent: BTreeMap<String, String> = fields
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(ADDRESSES)?.to_owned(), value.trim().to_owned())))
            .collect();
        Self {
            full_name: fields.text("full_name"),
            username: fields.text("username"),
            channel: fields.text("channel"),
            addresses: types(directory, [].into_iter())
                .into_iter()
                .map(|kind| {
                    let address = sent.get(&kind).cloned().unwrap_or_default();
                    (kind, address)
                })
                .collect(),
        }
    }

    /// What the wire would check.
    fn draft(&self, uuid: Uuid) -> Result<ContactDraft, Problem> {
        if self.full_name.is_empty() {
            return Err(Problem::of("full_name", "Full name: it must not be empty."));
        }
        check_length("full_name", "Full name", &self.full_name, FULL_NAME)?;
        check_length("username", "Username", &self.username, CONTACT_USERNAME)?;
        let channel = self.channel.parse().map_err(|_| Problem::of("channel", "Default channel: choose one."))?;
        for (kind, address) in &self.addresses {
            let field = format!("{ADDRESSES}{kind}");
            check_length(&field, kind, address, ADDRESS)?;
            if kind == EMAIL && !address.is_empty() && !looks_like_email(address) {
                return Err(Problem::of(field, format!("{kind}: this is no e-mail address.")));
            }
        }
        Ok(ContactDraft {
            uuid,
            full_name: self.full_name.clone(),
            username: Some(self.username.clone()).filter(|name| !name.is_empty()),
            default_channel: channel,
            groups: None,
            addresses: self.addresses.iter().filter(|(_, address)| !address.is_empty()).cloned().collect(),
            origin: OriginEdit::Keep,
        })
    }
}

/// Those that a contact may have addresses of, and those that it has.
fn types<'a>(directory: &'a Directory, had: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut types: Vec<String> = address_types().map(str::to_owned).collect();
    for kind in directory.channels.values().map(|channel| &channel.kind).chain(had) {
        if !types.contains(kind) {
            types.push(kind.clone());
        }
    }
    types
}

pub async fn list(State(site): State<Site>, staff: Staff) -> Answer {
    let q = staff.query.text("q");
    let after = staff.query.get("after").and_then(|text| text.parse().ok());
    let filter = named(&q, &[Column::FullName, Column::Username]);
    let found = site.service.contacts_page(filter, after, staff.rows()).await?;
    let directory = site.service.directory();
    let rows = found.rows.into_iter().map(|contact| {
        let channel = directory.channels.get(&contact.default_channel);
        Row { channel: channel.map(|channel| channel.name.clone()).unwrap_or_default(), contact }
    });
    page(&ContactsPage {
        frame: staff.frame(&site, "Contacts"),
        tab: "contacts",
        has_channels: !directory.channels.is_empty(),
        rows: rows.collect(),
        next: found.next.map(|uuid| staff.address_with("after", &uuid.to_string())),
        is_first: after.is_none(),
        q,
    })
}

/// Rows that have the text somewhere in one of the columns.
pub(super) fn named(q: &str, columns: &[Column]) -> Filter {
    if q.is_empty() {
        return Filter::everything();
    }
    let pattern = format!("*{q}*");
    Filter::Any(columns.iter().map(|column| Filter::Text(*column, Test::Like(pattern.clone()))).collect())
}

pub async fn new(State(site): State<Site>, staff: Staff) -> Answer {
    staff.visitor.caller.require(Action::ManageContacts)?;
    let form = ContactForm::of(None, &site.service.directory());
    page(&contact_page(&site, &staff.visitor, None, form).await?)
}

pub async fn create(State(site): State<Site>, Posted { visitor, fields }: Posted) -> Answer {
    visitor.caller.require(Action::ManageContacts)?;
    let form = ContactForm::read(&fields, &site.service.directory());
    let problem = match form.draft(Uuid::new_v4()) {
        Err(problem) => problem,
        Ok(draft) => {
            let uuid = draft.uuid;
            match site.service.store_contact(&visitor.caller, Way::Create, draft).await {
                Ok(_) => return Ok(done(&path(uuid), "The contact is made.")),
                Err(refusal) => problem(refusal)?,
            }
        }
    };
    let again = ContactPage { problem: Some(problem), ..contact_page(&site, &visitor, None, form).await? };
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
}

pub async fn show(State(site): State<Site>, Path(id): Path<String>, staff: Staff) -> Answer {
    let contact = find(&site, &id).await?;
    let form = ContactForm::of(Some(&contact), &site.service.directory());
    page(&contact_page(&site, &staff.visitor, Some(contact), form).await?)
}

pub async fn save(State(site): State<Site>, Path(id): Path<String>, Posted { visitor, fields }: Posted) -> Answer {
    visitor.caller.require(Action::ManageContacts)?;
    let contact = find(&site, &id).await?;
    let form = ContactForm::read(&fields, &site.service.directory());
    let problem = match form.draft(contact.uuid) {
        Err(problem) => problem,
        Ok(draft) => match site.service.store_contact(&visitor.caller, Way::Put, draft).await {
            Ok(_) => return Ok(done(&path(contact.uuid), "Saved.")),
            Err(refusal) => problem(refusal)?,
        },
    };
    refuse(&site, &visitor, contact, form, problem).await
}

pub async fn delete(State(site): State<Site>, Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Answer {
    match site.service.delete_contact(&visitor.caller, uuid(&id, Model::Contact)?).await {
        Ok(()) => Ok(done("/admin/contacts/", "The contact is deleted.")),
        Err(refusal) => Err(PageError::BadRequest(problem(refusal)?.to_string())),
    }
}

/// Into a group that is named, or out of one.
pub async fn change_group(
    State(site): State<Site>,
    Path(id): Path<String>,
    Posted { visitor, fields }: Posted,
) -> Answer {
    visitor.caller.require(Action::ManageContacts)?;
    let contact = find(&site, &id).await?;
    let outcome = if let Some(group) = fields.filled("leave") {
        let group = uuid(group, Model::ContactGroup)?;
        site.service.set_membership(&visitor.caller, contact.uuid, group, false).await.map_err(problem)
    } else {
        match group_named(&site, fields.get("group").unwrap_or_default()).await? {
            Some(group) => {
                let group = group.group.uuid;
                site.service.set_membership(&visitor.caller, contact.uuid, group, true).await.map_err(problem)
            }
            None => Err(Ok(Problem::of("group", "Group: there is none with this name."))),
        }
    };
    match outcome {
        Ok(()) => Ok(done(&path(contact.uuid), "Saved.")),
        Err(problem) => {
            let form = ContactForm::of(Some(&contact), &site.service.directory());
            refuse(&site, &visitor, contact, form, problem?).await
        }
    }
}

/// By its whole name, but for the case, or by its UUID.
pub(super) async fn group_named(site: &Site, name: &str) -> Result<Option<GroupWithUsers>, PageError> {
    if let Ok(uuid) = name.parse::<Uuid>()
        && let Some(group) = site.service.contact_group(uuid).await?
    {
        return Ok(Some(group));
    }
    let filter = Filter::Text(Column::Name, Test::OneOf(vec![name.to_owned()]));
    Ok(site.service.contact_groups_page(filter, None, 1).await?.rows.pop())
}

/// By username or by UUID, or else the only one with this full name.
pub(super) async fn contact_named(site: &Site, name: &str) -> Result<Result<Contact, String>, PageError> {
    if let Ok(uuid) = name.parse::<Uuid>()
        && let Some(contact) = site.service.contact(uuid).await?
    {
        return Ok(Ok(contact));
    }
    for column in [Column::Username, Column::FullName] {
        let filter = Filter::Text(column, Test::OneOf(vec![name.to_owned()]));
        let mut found = site.service.contacts_page(filter, None, 2).await?.rows;
        match (found.pop(), found.is_empty()) {
            (Some(contact), true) => return Ok(Ok(contact)),
            (Some(_), false) => {
                return Ok(Err(format!("Contact: there are several called {name}. Name the username or the UUID.")));
            }
            (None, _) => {}
        }
    }
    Ok(Err(format!("Contact: there is none called {name}.")))
}

/// What was refused; other errors end the request.
pub(super) fn problem(refusal: ContactRefusal) -> Result<Problem, PageError> {
    match refusal {
        ContactRefusal::Forbidden => Err(PageError::Forbidden),
        ContactRefusal::NotFound => Err(PageError::NotFound("It is not there (any more).".to_owned())),
        ContactRefusal::Store(error) => Err(error.into()),
        ContactRefusal::AddressRequired(kind) => {
            let text = format!("Addresses: the default channel needs one for {kind}.");
            Ok(Problem::of(format!("{ADDRESSES}{kind}"), text))
        }
        ContactRefusal::UsernameTaken(name) => {
            Ok(Problem::of("username", format!("Username: another contact has {name} already.")))
        }
        ContactRefusal::NameTaken(name) => {
            Ok(Problem::of("name", format!("Name: another group is called {name} already.")))
        }
        ContactRefusal::UnknownChannel(_) => Ok(Problem::of("channel", "Default channel: the channel was deleted.")),
        other => Ok(format!("This was not done: {other}.").into()),
    }
}

pub(super) fn check_length(field: &str, what: &str, text: &str, limit: usize) -> Result<(), Problem> {
    let is_short = text.chars().nth(limit).is_none();
    if is_short { Ok(()) } else { Err(Problem::of(field.to_owned(), format!("{what}: at most {limit} characters."))) }
}

/// Names to choose from, as many as fit.
pub(super) async fn offered_groups(site: &Site) -> Result<Vec<String>, PageError> {
    let found = site.service.contact_groups_page(Filter::everything(), None, OFFERED).await?;
    let mut names: Vec<String> = found.rows.into_iter().map(|group| group.group.name).collect();
    names.sort();
    Ok(names)
}

async fn find(site: &Site, id: &str) -> Result<Contact, PageError> {
    site.service.contact(uuid(id, Model::Contact)?).await?.ok_or_else(|| missing(Model::Contact))
}

fn path(uuid: Uuid) -> String {
    format!("/admin/contacts/{uuid}/")
}

async fn contact_page(
    site: &Site,
    visitor: &Visitor,
    contact: Option<Contact>,
    form: ContactForm,
) -> Result<ContactPage, PageError> {
    let directory = site.service.directory();
    let mut channels: Vec<(String, String)> = directory
        .channels
        .values()
        .map(|channel| (channel.uuid.to_string(), format!("{} ({})", channel.name, channel.kind)))
        .collect();
    channels.sort_by(|one, other| one.1.cmp(&other.1));
    let mut groups = Vec::new();
    for group in contact.iter().flat_map(|contact| &contact.groups) {
        groups.extend(site.service.contact_group(*group).await?.map(|it| (it.group.uuid, it.group.name)));
    }
    let title = contact.as_ref().map_or("New contact".to_owned(), |contact| contact.full_name.clone());
    Ok(ContactPage {
        frame: Frame::new(site, visitor, Section::Admin, title),
        tab: "contacts",
        offered: offered_groups(site).await?,
        contact,
        form,
        channels,
        groups,
        problem: None,
    })
}

async fn refuse(site: &Site, visitor: &Visitor, contact: Contact, form: ContactForm, problem: Problem) -> Answer {
    let again = contact_page(site, visitor, Some(contact), form).await?;
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &ContactPage { problem: Some(problem), ..again })
}

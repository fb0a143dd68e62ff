//! Contacts, who are notified without having an account: list and form.

use std::{collections::BTreeMap, sync::Arc};

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use uuid::Uuid;

use super::{Staff, uuid};
use crate::domain::{
    Channel, Contact, ContactDraft, Directory,
    channel_types::address_types,
    contact::{OriginEdit, looks_like_email},
    contact_filter::{Column, Filter, Test},
    destination::EMAIL,
    limits::{ADDRESS, CONTACT_USERNAME, FULL_NAME},
};
use crate::service::{Action, ContactRefusal, GroupWithUsers, Model, WriteMode};
use crate::web::{
    Ask, FormError, FormFields, FormPage, Frame, PageError, PageResult, Posted, Problem, Section, Site, Visitor, done,
    form_input::{Choice, FormInput, Line, Word, filled, group},
    missing, page,
};

/// Number of groups that the form suggests.
const OFFERED: usize = 200;

/// Prefix of the names of address fields, before the channel type.
const ADDRESSES: &str = "address.";

#[derive(Template)]
#[template(path = "admin/contacts.html")]
struct ContactsPage {
    frame: Frame,
    tab: &'static str,
    has_channels: bool,
    rows: Vec<ContactRow>,
    q: String,
    next: Option<String>,
    is_first: bool,
}

struct ContactRow {
    contact: Contact,
    channel: String,
}

#[derive(Template)]
#[template(path = "admin/contact.html")]
pub struct ContactPage {
    frame: Frame,
    tab: &'static str,
    /// `None` for a new contact.
    contact: Option<Contact>,
    inputs: Vec<FormInput>,
    groups: Vec<(Uuid, String)>,
    offered: Vec<String>,
    problem: Option<Problem>,
}

/// Returns the inputs of a contact, with one for each channel type that a contact may have an address for.
fn inputs(contact: Option<&Contact>, directory: &Directory) -> Vec<FormInput> {
    let known = contact.map(|contact| contact.addresses.clone()).unwrap_or_default();
    let username = contact.and_then(|it| it.username.clone()).unwrap_or_default();
    let channel = contact.map(|it| it.default_channel.to_string()).unwrap_or_default();
    let channels =
        FormInput { choices: channel_choices(directory), ..FormInput::new(Choice, "channel", "Default channel") };
    let addresses = types(directory, known.keys()).into_iter().map(|kind| {
        let address = known.get(&kind).cloned().unwrap_or_default();
        FormInput::new(Word, format!("{ADDRESSES}{kind}"), kind).up_to(ADDRESS).holding(address)
    });
    let mut inputs = vec![
        FormInput::new(Line, "full_name", "Full name")
            .up_to(FULL_NAME)
            .required()
            .holding(contact.map(|it| it.full_name.clone()).unwrap_or_default()),
        FormInput::new(Word, "username", "Username")
            .up_to(CONTACT_USERNAME)
            .holding(username)
            .help("username-help", "The account of this person, if there is one. It prevents duplicate notifications."),
        channels.required().holding(channel),
    ];
    inputs.extend(group("Addresses, by type of channel", addresses.collect()));
    inputs
}

/// Checks what the contact API checks, and converts what was typed to a draft.
fn draft(fields: &FormFields, uuid: Uuid, directory: &Directory) -> Result<ContactDraft, Problem> {
    let (full_name, username) = (fields.text("full_name"), fields.text("username"));
    if full_name.is_empty() {
        return Err(Problem::of("full_name", "Full name: must not be empty."));
    }
    Problem::check_length("full_name", "Full name", &full_name, FULL_NAME)?;
    Problem::check_length("username", "Username", &username, CONTACT_USERNAME)?;
    let bad_channel = |_| Problem::of("channel", "Default channel: choose one.");
    let default_channel = fields.text("channel").parse().map_err(bad_channel)?;
    let mut addresses = BTreeMap::new();
    for kind in types(directory, [].into_iter()) {
        let field = format!("{ADDRESSES}{kind}");
        let Some(address) = fields.filled(&field) else { continue };
        Problem::check_length(&field, &kind, address, ADDRESS)?;
        if kind == EMAIL && !looks_like_email(address) {
            return Err(Problem::of(field, format!("{kind}: not a valid e-mail address.")));
        }
        addresses.insert(kind, address.to_owned());
    }
    Ok(ContactDraft {
        uuid,
        full_name,
        username: Some(username).filter(|name| !name.is_empty()),
        default_channel,
        groups: None,
        addresses,
        origin: OriginEdit::Keep,
    })
}

/// Returns the channel types that a contact may have addresses for, and those in `had`.
fn types<'a>(directory: &'a Directory, had: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut types: Vec<String> = address_types().map(str::to_owned).collect();
    for kind in directory.channels.values().map(|channel| &channel.kind).chain(had) {
        if !types.contains(kind) {
            types.push(kind.clone());
        }
    }
    types
}

pub async fn list(State(site): State<Site>, staff: Staff) -> PageResult {
    let q = staff.query.text("q");
    let after = staff.query.get("after").and_then(|text| text.parse().ok());
    let filter = named(&q, &[Column::FullName, Column::Username]);
    let found = site.service.contacts().contacts_page(filter, after, staff.rows()).await?;
    let directory = site.service.directory();
    let rows = found.rows.into_iter().map(|contact| {
        let channel = directory.channels.get(&contact.default_channel);
        ContactRow { channel: channel.map(|channel| channel.name.clone()).unwrap_or_default(), contact }
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

/// Returns a filter for rows that contain the text in one of the columns.
pub(super) fn named(q: &str, columns: &[Column]) -> Filter {
    if q.is_empty() {
        return Filter::everything();
    }
    let pattern = format!("*{q}*");
    Filter::Any(columns.iter().map(|column| Filter::Text(*column, Test::Like(pattern.clone()))).collect())
}

impl FormPage for ContactPage {
    const CHANGE: Action = Action::ManageContacts;
    type Id = String;
    type Known = Contact;
    type Draft = Option<FormFields>;

    async fn find(site: &Site, _: &Visitor, id: String) -> Result<Contact, PageError> {
        site.service.contacts().contact(uuid(&id, Model::Contact)?).await?.ok_or_else(|| missing(Model::Contact))
    }

    fn read(ask: &Ask<Self>) -> Option<FormFields> {
        Some(ask.fields.clone())
    }

    async fn view(ask: &Ask<Self>, typed: Option<FormFields>, problem: Option<Problem>) -> Result<Self, PageError> {
        let mut groups = Vec::new();
        for group in ask.known.iter().flat_map(|contact| &contact.groups) {
            groups.extend(
                ask.site.service.contacts().contact_group(*group).await?.map(|it| (it.group.uuid, it.group.name)),
            );
        }
        let stored = ask.known.as_ref().filter(|_| typed.is_none());
        let inputs = inputs(stored, &ask.site.service.directory());
        let title = ask.known.as_ref().map_or("New contact".to_owned(), |contact| contact.full_name.clone());
        Ok(Self {
            frame: Frame::new(&ask.site, &ask.visitor, Section::Admin, title),
            tab: "contacts",
            offered: offered_groups(&ask.site).await?,
            inputs: filled(inputs, typed.as_ref()),
            contact: ask.known.clone(),
            groups,
            problem,
        })
    }

    async fn save(ask: &Ask<Self>, _: &mut Option<FormFields>) -> Result<Response, FormError> {
        let (uuid, way, notice) = match &ask.known {
            None => (Uuid::new_v4(), WriteMode::Create, "Contact created."),
            Some(contact) => (contact.uuid, WriteMode::Put, "Saved."),
        };
        let draft = draft(&ask.fields, uuid, &ask.site.service.directory())?;
        ask.site.service.contacts().store_contact(&ask.visitor.caller, way, draft).await?;
        Ok(done(&path(uuid), notice))
    }
}

pub async fn delete(State(site): State<Site>, Path(id): Path<String>, Posted { visitor, .. }: Posted) -> PageResult {
    site.service
        .contacts()
        .delete_contact(&visitor.caller, uuid(&id, Model::Contact)?)
        .await
        .map_err(FormError::from)?;
    Ok(done("/admin/contacts/", "Contact deleted."))
}

/// Adds the contact to the named group, or removes it from a group.
pub async fn change_group(ask: Ask<ContactPage>) -> PageResult {
    match set_group(&ask).await {
        Ok(saved) => Ok(saved),
        Err(failure) => ask.refuse(failure).await,
    }
}

async fn set_group(ask: &Ask<ContactPage>) -> Result<Response, FormError> {
    let contact = ask.known()?.uuid;
    let leave = ask.fields.filled("leave");
    let group = if let Some(group) = leave {
        uuid(group, Model::ContactGroup)?
    } else {
        let found = group_named(&ask.site, ask.fields.get("group").unwrap_or_default()).await?;
        found.ok_or_else(|| Problem::of("group", "Group: no group has this name."))?.group.uuid
    };
    ask.site.service.contacts().set_membership(&ask.visitor.caller, contact, group, leave.is_none()).await?;
    Ok(done(&path(contact), "Saved."))
}

/// Finds a group by its full name, ignoring case, or by its UUID.
pub(super) async fn group_named(site: &Site, name: &str) -> Result<Option<GroupWithUsers>, PageError> {
    if let Ok(uuid) = name.parse::<Uuid>()
        && let Some(group) = site.service.contacts().contact_group(uuid).await?
    {
        return Ok(Some(group));
    }
    let filter = Filter::Text(Column::Name, Test::OneOf(vec![name.to_owned()]));
    Ok(site.service.contacts().contact_groups_page(filter, None, 1).await?.rows.pop())
}

/// Finds a contact by username or UUID, or by full name if only one has it. `field` is the field with the name, for
/// errors.
pub(super) async fn contact_named(site: &Site, field: &'static str, name: &str) -> Result<Contact, FormError> {
    if let Ok(uuid) = name.parse::<Uuid>()
        && let Some(contact) = site.service.contacts().contact(uuid).await?
    {
        return Ok(contact);
    }
    for column in [Column::Username, Column::FullName] {
        let filter = Filter::Text(column, Test::OneOf(vec![name.to_owned()]));
        let mut found = site.service.contacts().contacts_page(filter, None, 2).await?.rows;
        match (found.pop(), found.is_empty()) {
            (Some(contact), true) => return Ok(contact),
            (Some(_), false) => {
                let text = format!("Contact: several are named {name}. Enter the username or the UUID.");
                return Err(Problem::of(field, text).into());
            }
            (None, _) => {}
        }
    }
    Err(Problem::of(field, format!("Contact: no contact is named {name}.")).into())
}

impl From<ContactRefusal> for FormError {
    fn from(refusal: ContactRefusal) -> Self {
        Self::Problem(match refusal {
            ContactRefusal::Forbidden => return Self::Page(PageError::Forbidden),
            ContactRefusal::NotFound => {
                return Self::Page(PageError::NotFound("This does not exist or was deleted.".to_owned()));
            }
            ContactRefusal::Store(error) => return Self::Page(error.into()),
            ContactRefusal::AddressRequired(kind) => {
                let text = format!("Addresses: the default channel needs one for {kind}.");
                Problem::of(format!("{ADDRESSES}{kind}"), text)
            }
            ContactRefusal::UsernameTaken(name) => {
                Problem::of("username", format!("Username: another contact already has {name}."))
            }
            ContactRefusal::NameTaken(name) => {
                Problem::of("name", format!("Name: another group is already named {name}."))
            }
            ContactRefusal::UnknownChannel(_) => Problem::of("channel", "Default channel: the channel was deleted."),
            other => format!("Not saved: {other}.").into(),
        })
    }
}

/// Returns names of groups to suggest, at most `OFFERED`.
pub(super) async fn offered_groups(site: &Site) -> Result<Vec<String>, PageError> {
    let found = site.service.contacts().contact_groups_page(Filter::everything(), None, OFFERED).await?;
    let mut names: Vec<String> = found.rows.into_iter().map(|group| group.group.name).collect();
    names.sort();
    Ok(names)
}

fn path(uuid: Uuid) -> String {
    format!("/admin/contacts/{uuid}/")
}

/// Returns UUID and name with type of all channels, sorted by name.
pub(super) fn channel_choices(directory: &Directory) -> Vec<(String, String)> {
    let name = |channel: &Arc<Channel>| (channel.uuid.to_string(), format!("{} ({})", channel.name, channel.kind));
    let mut channels: Vec<(String, String)> = directory.channels.values().map(name).collect();
    channels.sort_by(|one, other| one.1.cmp(&other.1));
    channels
}

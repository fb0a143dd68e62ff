//! Wire shape of contacts (contact API contract section 7.1).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Dialect, Problem,
    fields::{self, IcingaFields, check_length, optional, origin, required},
    request_path::Endpoint,
};
use crate::domain::{
    Contact, ContactDraft, Directory,
    contact::looks_like_email,
    destination::EMAIL,
    limits::{ADDRESS, CONTACT_USERNAME, FULL_NAME, GROUPS_PER_CONTACT},
};
use crate::service::{Service, contacts::contact::check_channel};

const MISSING: &str =
    "Invalid request body: the fields id, full_name and default_channel must be present and of type string";

pub(super) fn shown(contact: &Contact) -> Value {
    let mut shown = json!({
        "id": contact.uuid.to_string(),
        "full_name": contact.full_name,
        "username": contact.username,
        "default_channel": contact.default_channel.to_string(),
        "groups": contact.groups.iter().map(Uuid::to_string).collect::<Vec<_>>(),
        "addresses": contact.addresses,
    });
    if let (Some(shown), Some(origin)) = (shown.as_object_mut(), &contact.origin) {
        shown.insert("origin".to_owned(), origin.clone().into());
    }
    shown
}

/// Reads a contact. Checks the fields in the order of the contract's table, except for what depends on other contacts
/// and groups.
pub(super) fn draft(dialect: Dialect, fields: &IcingaFields, service: &Service) -> Result<ContactDraft, Problem> {
    let directory = &*service.directory();
    let [id, full_name, channel] = required(dialect, fields, ["id", "full_name", "default_channel"], MISSING)?;
    let id =
        fields::uuid(id).ok_or_else(|| Problem::bad_request("Invalid request body: given id is not a valid UUID"))?;
    let channel = fields::uuid(channel)
        .ok_or_else(|| Problem::unprocessable("Invalid request body: given default_channel is not a valid UUID"))?;
    let sent = optional(fields, "addresses");
    let entry = |kind: &str| sent.and_then(|addresses| addresses.as_object()?.get(kind));
    check_channel(directory, channel, |kind| entry(kind).is_some_and(|address| !fields::is_empty(address)))
        .map_err(|refusal| Problem::refused(refusal, Endpoint::Contacts))?;
    let addresses = sent.map(|sent| addresses(sent, service, directory)).transpose()?.unwrap_or_default();
    let username = optional(fields, "username").map(username).transpose()?;
    let groups = optional(fields, "groups").map(groups).transpose()?;
    check_length("full_name", full_name, FULL_NAME)?;
    Ok(ContactDraft {
        uuid: id,
        full_name: full_name.to_owned(),
        username: username.filter(|username| !username.is_empty()),
        default_channel: channel,
        groups,
        addresses,
        origin: origin(fields)?,
    })
}

/// Reads the addresses. Empty ones are dropped.
fn addresses(sent: &Value, service: &Service, directory: &Directory) -> Result<BTreeMap<String, String>, Problem> {
    let no_strings = || Problem::unprocessable("Invalid request body: expects addresses to be an object of strings");
    let sent = match sent {
        Value::Object(sent) => sent,
        Value::Array(items) if items.is_empty() => return Ok(BTreeMap::new()),
        _ => return Err(no_strings()),
    };
    let unknown: Vec<&str> =
        sent.keys().map(String::as_str).filter(|kind| !service.contacts().is_address_type(directory, kind)).collect();
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        return Err(Problem::unprocessable(format!("Invalid request body: undefined address type {unknown} given")));
    }
    let mut addresses = BTreeMap::new();
    for (kind, address) in sent {
        let address = address.as_str().ok_or_else(no_strings)?;
        check_length(&format!("the {kind} address"), address, ADDRESS)?;
        if kind == EMAIL && !address.is_empty() && !looks_like_email(address) {
            return Err(Problem::unprocessable("Invalid request body: an invalid email address given"));
        }
        if !address.is_empty() {
            addresses.insert(kind.clone(), address.to_owned());
        }
    }
    Ok(addresses)
}

fn username(sent: &Value) -> Result<String, Problem> {
    let text = sent.as_str().filter(|text| text.chars().count() <= CONTACT_USERNAME).map(str::to_owned);
    text.ok_or_else(|| Problem::unprocessable("Invalid request body: expects username to be of type string"))
}

fn groups(sent: &Value) -> Result<Vec<Uuid>, Problem> {
    let Some(sent) = sent.as_array() else {
        return Err(Problem::unprocessable("Invalid request body: expects groups to be of type array"));
    };
    let texts: Option<Vec<&str>> = sent.iter().map(Value::as_str).collect();
    let texts = texts
        .ok_or_else(|| Problem::unprocessable("Invalid request body: an invalid group identifier format given"))?;
    if texts.len() > GROUPS_PER_CONTACT {
        return Err(Problem::unprocessable(format!(
            "Invalid request body: expects groups to have at most {GROUPS_PER_CONTACT} elements"
        )));
    }
    let parse = |text: &str| {
        fields::uuid(text).ok_or_else(|| {
            Problem::unprocessable(format!("Invalid request body: the group identifier {text} is not a valid UUID"))
        })
    };
    texts.into_iter().map(parse).collect()
}

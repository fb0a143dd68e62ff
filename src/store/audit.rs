//! What the change log says of a configuration record: a JSON object without secrets.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::{
    channel::Channel,
    contact::{Contact, ContactGroup},
    destination::{Destination, shows_settings},
    directory::DecisionSettings,
    event::EventType,
    maintenance::Maintenance,
    profile::Profile,
    rule::{Addressee, Recipient, Rule},
    severity::Level,
    source::Source,
    stored_filter::{FilterBlob, StoredFilter},
    time::Timestamp,
    timeslot::Timeslot,
    token::{Token, TokenKind, TokenOrigin},
    user::User,
};

fn moment(at: Timestamp) -> Value {
    at.to_datetime().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true).into()
}

pub fn user(user: &User) -> String {
    json!({
        "username": user.username,
        "password": user.password_hash.is_some(),
        "first_name": user.first_name,
        "last_name": user.last_name,
        "email": user.email,
        "is_staff": user.is_staff,
        "is_superuser": user.is_superuser,
        "is_active": user.is_active,
        "created": moment(user.created),
        "grants": user.grants,
    })
    .to_string()
}

pub fn token(token: &Token) -> String {
    json!({
        "user": token.user.0,
        "kind": match token.kind {
            TokenKind::Classic => "classic",
            TokenKind::Login => "login",
            TokenKind::Session => "session",
        },
        "created": moment(token.created),
        "expires": token.expires.map(moment),
        "replaceable": token.replaceable,
        "by_password": token.origin == TokenOrigin::Password,
        "note": token.note,
    })
    .to_string()
}

pub fn source(source: &Source) -> String {
    json!({
        "name": source.name,
        "type": source.source_type,
        "user": source.user.0,
        "base_url": source.base_url,
        "heartbeat_frequency": source.heartbeat_frequency,
    })
    .to_string()
}

pub fn timeslot(timeslot: &Timeslot) -> String {
    let recurrences: Vec<Value> = timeslot
        .recurrences
        .iter()
        .map(|r| json!({ "days": r.days, "start_micros": r.start.0, "end_micros": r.end.0 }))
        .collect();
    json!({ "owner": timeslot.owner.0, "name": timeslot.name, "recurrences": recurrences }).to_string()
}

pub fn filter(filter: &StoredFilter) -> String {
    let mut text = json!({ "owner": filter.owner.0, "name": filter.name, "public": filter.public });
    if let (Value::Object(whole), Value::Object(criteria)) = (&mut text, blob(&filter.blob)) {
        whole.extend(criteria);
    }
    text.to_string()
}

fn blob(blob: &FilterBlob) -> Value {
    let codes = |kinds: &Vec<EventType>| kinds.iter().map(|kind| kind.code()).collect::<Vec<_>>();
    json!({
        "source_ids": blob.source_ids.as_ref().map(|ids| ids.iter().map(|id| id.0).collect::<Vec<_>>()),
        "source_types": blob.source_types,
        "tags": blob.tags,
        "open": blob.open,
        "acked": blob.acked,
        "stateful": blob.stateful,
        "max_level": blob.max_level.map(Level::get),
        "event_types": blob.event_types.as_ref().map(codes),
        "hide_closed_acked": blob.hide_closed_acked,
    })
}

pub fn profile(profile: &Profile) -> String {
    json!({
        "owner": profile.owner.0,
        "name": profile.name,
        "timeslot": profile.timeslot.0,
        "filters": profile.filters.iter().map(|id| id.0).collect::<Vec<_>>(),
        "destinations": profile.destinations.iter().map(|id| id.0).collect::<Vec<_>>(),
        "active": profile.active,
    })
    .to_string()
}

pub fn rule(rule: &Rule) -> String {
    let recipient = |it: &Recipient| {
        let (who, uuid) = match it.who {
            Addressee::Contact(uuid) => ("contact", uuid),
            Addressee::Group(uuid) => ("group", uuid),
        };
        json!({ who: uuid.to_string(), "channel": it.channel.map(|uuid| uuid.to_string()) })
    };
    json!({
        "owner": rule.owner.0,
        "name": rule.name,
        "timeslot": rule.timeslot.0,
        "filters": rule.filters.iter().map(|id| id.0).collect::<Vec<_>>(),
        "recipients": rule.recipients.iter().map(recipient).collect::<Vec<_>>(),
        "active": rule.active,
    })
    .to_string()
}

pub fn maintenance(maintenance: &Maintenance) -> String {
    json!({
        "created_by": maintenance.created_by.0,
        "created": moment(maintenance.created),
        "start": moment(maintenance.start),
        "end": maintenance.end.map(moment),
        "description": maintenance.description,
        "filters": maintenance.filters.iter().map(|id| id.0).collect::<Vec<_>>(),
    })
    .to_string()
}

pub fn settings(settings: &DecisionSettings) -> String {
    json!({
        "time_zone": settings.time_zone.name(),
        "send": settings.send,
        "fallback_filter": blob(&settings.fallback),
    })
    .to_string()
}

/// Settings of media other than e-mail and SMS may hold secrets, so only their names are told.
pub fn destination(destination: &Destination) -> String {
    let settings: serde_json::Map<String, Value> = destination
        .settings
        .iter()
        .map(|(key, value)| {
            let open = shows_settings(&destination.medium);
            (key.clone(), if open { value.clone().into() } else { Value::Bool(true) })
        })
        .collect();
    json!({
        "owner": destination.owner.0,
        "medium": destination.medium,
        "label": destination.label,
        "settings": settings,
        "synced": destination.synced,
    })
    .to_string()
}

/// Of the settings only their names: any of them may be secret.
pub fn channel(channel: &Channel) -> String {
    let names = channel.config.as_ref().map(|config| config.keys().collect::<Vec<_>>());
    json!({ "name": channel.name, "type": channel.kind, "settings": names, "offered": channel.offered }).to_string()
}

pub fn contact(contact: &Contact) -> String {
    json!({
        "full_name": contact.full_name,
        "username": contact.username,
        "default_channel": contact.default_channel.to_string(),
        "groups": contact.groups.iter().map(Uuid::to_string).collect::<Vec<_>>(),
        "addresses": contact.addresses,
        "origin": contact.origin,
    })
    .to_string()
}

/// Who is in it is told of each contact.
pub fn contact_group(group: &ContactGroup) -> String {
    json!({ "name": group.name, "origin": group.origin }).to_string()
}

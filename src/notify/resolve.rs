//! Looks up everything that a message needs, at the time it is sent.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

use serde_json::Value;
use url::Url;
use uuid::Uuid;

use super::{ContactCard, Content, Notice, Outgoing, Summary};
use crate::domain::{
    Channel, ChannelId, Contact, ContactId, DestinationId, Directory, EventId, Incident, IncidentId, Message,
    MessageId, MessageSubject, Timestamp, UserId,
    channel_types::{CHANNEL_TYPES, find},
    destination::DESTINATION_URL,
    limits::{LATE_MICROS, SUMMARY_NOTICES},
    message::Route,
    setting::same_origin,
};
use crate::store::{Snapshot, StoreError};

/// Result of the lookup. `Gone` says which thing that the message needs was deleted.
#[derive(Debug)]
pub enum Resolved {
    Outgoing(Box<Outgoing>),
    Gone(String),
}

pub struct Resolver<'a> {
    pub snapshot: &'a Snapshot,
    pub directory: &'a Directory,
    /// Generation of the data file, so that ids of two servers differ.
    pub generation: &'a str,
    pub public_url: Option<&'a Url>,
    pub now: Timestamp,
}

impl Resolver<'_> {
    pub fn resolve(&self, message: &Message) -> Result<Resolved, StoreError> {
        let way = match &message.route {
            Route::Destination { user, destination, .. } => self.to_user(*user, *destination),
            Route::Contact { contact, uuid, channel, .. } => self.to_contact(*contact, *uuid, *channel)?,
        };
        let way = match way {
            Ok(way) => way,
            Err(gone) => return Ok(Resolved::Gone(gone)),
        };
        let content = match &message.about {
            MessageSubject::Event { incident, event } => {
                self.notice(*incident, *event, message.created)?.map(Content::Event)
            }
            MessageSubject::Summary(of) => self.summary(of)?.map(Content::Summary),
        };
        Ok(match content {
            Some(content) => Resolved::Outgoing(Box::new(Outgoing {
                id: self.id(message),
                medium: way.medium,
                settings: way.settings,
                content,
                contact: way.contact,
            })),
            None => Resolved::Gone("The incident was deleted before the message could leave.".to_owned()),
        })
    }

    fn to_user(&self, user: UserId, destination: DestinationId) -> Result<DeliveryRoute, String> {
        if !self.directory.user(user).is_some_and(|user| user.is_active) {
            return Err("The user was deactivated before the message could leave.".to_owned());
        }
        let destination = self.directory.destinations.get(&destination);
        let destination = destination.ok_or("The destination was deleted before the message could leave.")?;
        let contact = ContactCard::of_destination(self.directory, destination)?;
        let (medium, settings) = (destination.medium.clone(), destination.settings.clone());
        Ok(DeliveryRoute { medium, settings, contact })
    }

    fn to_contact(
        &self,
        id: ContactId,
        uuid: Uuid,
        channel: ChannelId,
    ) -> Result<Result<DeliveryRoute, String>, StoreError> {
        // Another contact may have the same UUID by now.
        let Some(contact) = self.snapshot.contact(uuid)?.filter(|contact| contact.id == id) else {
            return Ok(Err("The contact was deleted before the message could leave.".to_owned()));
        };
        let Some(channel) = self.directory.channels.values().find(|it| it.id == channel) else {
            return Ok(Err("The channel was deleted before the message could leave.".to_owned()));
        };
        let Some(settings) = settings(channel, &contact) else {
            return Ok(Err("The contact has no address for the channel any more.".to_owned()));
        };
        let contact = ContactCard {
            full_name: contact.full_name,
            addresses: contact.addresses.into_iter().collect(),
            channel: Some(Arc::clone(channel)),
        };
        Ok(Ok(DeliveryRoute { medium: channel.kind.clone(), settings, contact: Some(contact) }))
    }

    /// Looks up an event with its incident. `None` if the incident was deleted.
    fn notice(&self, incident: IncidentId, event: EventId, decided: Timestamp) -> Result<Option<Notice>, StoreError> {
        let (Some(incident), Some(event)) = (self.snapshot.incident(incident)?, self.snapshot.event(incident, event)?)
        else {
            return Ok(None);
        };
        let source = self.directory.source(incident.source);
        let late = self.now.micros().saturating_sub(decided.micros());
        Ok(Some(Notice {
            actor: self.directory.user(event.actor).map(|actor| actor.username.clone()).unwrap_or_default(),
            source: source.map(|source| source.name.clone()).unwrap_or_default(),
            source_type: source.map(|source| source.source_type.clone()).unwrap_or_default(),
            base_url: source.map(|source| source.base_url.clone()).unwrap_or_default(),
            link: self.link(incident.id),
            thread: self.thread(&incident),
            late: (late > LATE_MICROS).then_some(late),
            closed_since: event.after.open && !incident.is_open(self.now),
            incident: Arc::new(incident),
            event: Arc::new(event),
        }))
    }

    /// Returns the id of a message, the same for each attempt. Numbers are assigned again after a copy of the data file
    /// replaced a newer one, so the time of creation is part of it.
    fn id(&self, message: &Message) -> String {
        format!("m{}.{:x}.{}", message.id, message.created.micros(), self.generation)
    }

    /// Returns the id of a thread, the same for all messages about an incident. The start, which never changes,
    /// distinguishes it from another incident with the same number.
    fn thread(&self, incident: &Incident) -> String {
        format!("i{}.{:x}.{}", incident.id, incident.start.micros(), self.generation)
    }

    fn link(&self, incident: IncidentId) -> Option<String> {
        let base = self.public_url?.as_str().trim_end_matches('/');
        Some(format!("{base}/incidents/{incident}/"))
    }

    /// Looks up the events of a summary. `None` if all its incidents were deleted.
    fn summary(&self, of: &[MessageId]) -> Result<Option<Summary>, StoreError> {
        let mut notices = Vec::new();
        for id in of {
            let Some(message) = self.snapshot.message(*id)? else { continue };
            let MessageSubject::Event { incident, event } = message.about else { continue };
            notices.extend(self.notice(incident, event, message.created)?);
        }
        let total = notices.len();
        notices.sort_by_key(|notice| (notice.incident.level, Reverse(notice.event.timestamp)));
        notices.truncate(SUMMARY_NOTICES);
        Ok((total > 0).then_some(Summary { notices, total }))
    }
}

/// Medium, settings and recipient of a message.
struct DeliveryRoute {
    medium: String,
    settings: BTreeMap<String, String>,
    contact: Option<ContactCard>,
}

/// Returns the settings of a channel, with the contact's address under the name that destinations use. `None`: there is
/// no address.
fn settings(channel: &Channel, contact: &Contact) -> Option<BTreeMap<String, String>> {
    let mut settings = BTreeMap::new();
    for (name, value) in channel.config.iter().flatten() {
        match value {
            Value::String(text) => settings.insert(name.clone(), text.clone()),
            Value::Number(_) | Value::Bool(_) | Value::Object(_) => settings.insert(name.clone(), value.to_string()),
            _ => None,
        };
    }
    let url = settings.get("url").cloned().unwrap_or_default();
    let own = channel.address_of(contact)?;
    let address = if own.is_empty() { url.clone() } else { own };
    if address.is_empty() {
        return None;
    }
    // Users who can write contacts must not obtain the secrets of a channel.
    if address != url && !same_origin(&address, &url) {
        settings.retain(|name, _| !CHANNEL_TYPES.iter().any(|known| known.sent_along.contains(&name.as_str())));
    }
    let name = find(&channel.kind).map_or(DESTINATION_URL, |known| known.address().key);
    settings.insert(name.to_owned(), address);
    Some(settings)
}

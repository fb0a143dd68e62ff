//! A message with all data that a transport needs.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::domain::{
    Channel, Destination, Directory, Event, Incident, User, channel_types::find, destination::ADDRESS,
};

#[derive(Clone)]
pub struct Outgoing {
    /// Id of the message. The same for each attempt and after a restart, so that receivers recognize repetitions.
    pub id: String,
    /// Slug of the medium.
    pub medium: String,
    /// Settings of the destination, or those of the channel with the contact's address: `email_address`,
    /// `phone_number`, `destination_url`, `secret`, `token`.
    pub settings: BTreeMap<String, String>,
    pub content: Content,
    /// Recipient of a message that is sent via a channel that an administrator created.
    pub contact: Option<ContactCard>,
}

/// Recipient of a message via a channel.
#[derive(Clone)]
pub struct ContactCard {
    pub full_name: String,
    /// Types and addresses: all that are known, not only that of the channel's type.
    pub addresses: Vec<(String, String)>,
    /// The channel with its current settings.
    pub channel: Option<Arc<Channel>>,
}

impl ContactCard {
    /// Returns the recipient for a destination whose medium is a channel that is offered to all users. `None` for
    /// built-in media.
    ///
    /// # Errors
    /// If the channel is not offered anymore.
    pub fn of_destination(directory: &Directory, destination: &Destination) -> Result<Option<Self>, String> {
        if find(&destination.medium).is_some() {
            return Ok(None);
        }
        let channel = directory
            .offered_channel(&destination.medium)
            .ok_or_else(|| format!("The medium {:?} is no longer offered.", destination.medium))?;
        let owner = directory.user(destination.owner);
        let address = destination.settings.get(ADDRESS).cloned().unwrap_or_default();
        Ok(Some(Self {
            full_name: owner.map(|owner| full_name(owner)).unwrap_or_default(),
            addresses: vec![(destination.medium.clone(), address)],
            channel: Some(Arc::clone(channel)),
        }))
    }
}

fn full_name(user: &User) -> String {
    let name = format!("{} {}", user.first_name, user.last_name);
    let name = name.trim();
    if name.is_empty() { user.username.clone() } else { name.to_owned() }
}

#[derive(Clone, Debug)]
pub enum Content {
    Event(Notice),
    /// Many events in one message, so that a storm does not bury its reader.
    Summary(Summary),
    /// Test message, requested by `username`.
    Test {
        username: String,
    },
}

#[derive(Clone, Debug)]
pub struct Summary {
    /// Worst first.
    pub notices: Vec<Notice>,
    /// Number of events. It can be larger than the number of notices.
    pub total: usize,
}

/// One event of one incident.
#[derive(Clone, Debug)]
pub struct Notice {
    pub incident: Arc<Incident>,
    pub event: Arc<Event>,
    /// Username of the user who caused the event.
    pub actor: String,
    pub source: String,
    pub source_type: String,
    /// URL that a relative `details_url` is joined to. May be empty.
    pub base_url: String,
    /// URL of the incident's page.
    pub link: Option<String>,
    /// Id of the thread, the same for all events of an incident.
    pub thread: String,
    /// Microseconds between decision and sending, if they are worth mentioning.
    pub late: Option<i64>,
    /// Whether the incident was open after the event and is closed now.
    pub closed_since: bool,
}

impl Outgoing {
    /// Returns the channel that an administrator created, if the message is sent via one. It has settings of its own.
    pub(super) fn own_channel(&self) -> Option<&Channel> {
        self.contact.as_ref()?.channel.as_deref()
    }

    pub(super) fn setting(&self, name: &str) -> &str {
        self.settings.get(name).map_or("", String::as_str)
    }
}

/// Leaves out the settings, which may contain secrets.
impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("id", &self.id).field("medium", &self.medium).finish_non_exhaustive()
    }
}

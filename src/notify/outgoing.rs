//! A message with all data that a transport needs.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::domain::{
    channel::Channel,
    channel_types::find,
    destination::{ADDRESS, Destination},
    directory::Directory,
    event::Event,
    incident::Incident,
    user::User,
};

#[derive(Clone)]
pub struct Outgoing {
    /// The same for each attempt, and after a restart: receivers know repeats by it.
    pub id: String,
    /// The slug of the medium.
    pub medium: String,
    /// The destination's, or the channel's with the contact's address: `email_address`, `phone_number`, `destination_url`, `secret`, `token`.
    pub settings: BTreeMap<String, String>,
    pub content: Content,
    /// Of a message that leaves through a channel that an administrator set up.
    pub contact: Option<ContactCard>,
}

/// Whom a channel is to tell.
#[derive(Clone)]
pub struct ContactCard {
    pub full_name: String,
    /// Type and address; all that are known, not only those of the channel's type.
    pub addresses: Vec<(String, String)>,
    /// With its settings as they are now.
    pub channel: Option<Arc<Channel>>,
}

impl ContactCard {
    /// Of a destination whose medium is a channel that is offered to everybody. `None`: it is another medium's.
    ///
    /// # Errors
    /// There is no such channel any more.
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
    /// Asked for by `username`, to see whether messages arrive.
    Test {
        username: String,
    },
}

#[derive(Clone, Debug)]
pub struct Summary {
    /// Worst first.
    pub notices: Vec<Notice>,
    /// May be more than are shown.
    pub total: usize,
}

/// One event of one incident.
#[derive(Clone, Debug)]
pub struct Notice {
    pub incident: Arc<Incident>,
    pub event: Arc<Event>,
    /// Who caused the event.
    pub actor: String,
    pub source: String,
    pub source_type: String,
    /// What a relative `details_url` is joined to; may be empty.
    pub base_url: String,
    /// The incident's page.
    pub link: Option<String>,
    /// The same for all events of an incident.
    pub thread: String,
    /// Microseconds between decision and departure, if that is worth a word.
    pub late: Option<i64>,
    /// The incident was open after the event, and is closed by now.
    pub closed_since: bool,
}

impl Outgoing {
    /// That an administrator set up, with settings of its own.
    pub(super) fn own_channel(&self) -> Option<&Channel> {
        self.contact.as_ref()?.channel.as_deref()
    }

    pub(super) fn setting(&self, name: &str) -> &str {
        self.settings.get(name).map_or("", String::as_str)
    }
}

/// Without the settings, which may hold secrets.
impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("id", &self.id).field("medium", &self.medium).finish_non_exhaustive()
    }
}

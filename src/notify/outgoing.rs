//! One fully resolved message: all that a channel needs, so that it never looks anything up.

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::domain::{event::Event, ids::ChannelId, incident::Incident};

#[derive(Clone)]
pub struct Outgoing {
    /// The same for each attempt, and after a restart: receivers know repeats by it.
    pub id: String,
    /// The slug of the medium.
    pub medium: String,
    /// The destination's, or the channel's with the contact's address: `email_address`, `phone_number`, `destination_url`, `secret`, `token`.
    pub settings: BTreeMap<String, String>,
    pub content: Content,
    /// Whom it is for; `None`: a user's own destination.
    pub contact: Option<ContactCard>,
}

/// A contact as a channel may have to know it.
#[derive(Clone)]
pub struct ContactCard {
    pub full_name: String,
    /// By type.
    pub addresses: Vec<(String, String)>,
    /// By which it is told.
    pub channel: ChannelId,
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

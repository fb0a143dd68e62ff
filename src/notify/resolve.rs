//! Looks up all that a message needs to be sent, as it is at that moment.

use std::{cmp::Reverse, sync::Arc};

use url::Url;

use super::{ContactCard, Content, Notice, Outgoing, Summary};
use crate::{
    domain::{
        destination::Destination,
        directory::Directory,
        ids::{EventId, IncidentId, MessageId},
        limits::{LATE_MICROS, SUMMARY_NOTICES},
        message::{About, Message, Route},
        time::Timestamp,
    },
    store::{Snapshot, StoreError},
};

/// What a message cannot be sent without is there no more; says what.
#[derive(Debug)]
pub enum Resolved {
    Outgoing(Box<Outgoing>),
    Gone(String),
}

pub struct Resolver<'a> {
    pub snapshot: &'a Snapshot,
    pub directory: &'a Directory,
    /// Names the data file, so that ids of two servers differ.
    pub generation: &'a str,
    pub public_url: Option<&'a Url>,
    pub now: Timestamp,
}

impl Resolver<'_> {
    pub fn resolve(&self, message: &Message) -> Result<Resolved, StoreError> {
        let destination = match self.destination(&message.route) {
            Ok(destination) => destination,
            Err(gone) => return Ok(Resolved::Gone(gone)),
        };
        let contact = match ContactCard::of_destination(self.directory, destination) {
            Ok(contact) => contact,
            Err(gone) => return Ok(Resolved::Gone(gone)),
        };
        let content = match &message.about {
            About::Event { incident, event } => self.notice(*incident, *event, message.created)?.map(Content::Event),
            About::Summary(of) => self.summary(of)?.map(Content::Summary),
        };
        Ok(match content {
            Some(content) => Resolved::Outgoing(Box::new(Outgoing {
                id: format!("m{}.{}", message.id, self.generation),
                medium: destination.medium.clone(),
                settings: destination.settings.clone(),
                content,
                contact,
            })),
            None => Resolved::Gone("The incident was deleted before the message could leave.".to_owned()),
        })
    }

    fn destination(&self, route: &Route) -> Result<&Arc<Destination>, String> {
        let Route::Destination { user, destination, .. } = route;
        if !self.directory.user(*user).is_some_and(|user| user.is_active) {
            return Err("The user was deactivated before the message could leave.".to_owned());
        }
        self.directory
            .destinations
            .get(destination)
            .ok_or_else(|| "The destination was deleted before the message could leave.".to_owned())
    }

    /// `None` if the incident is gone.
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
            thread: format!("i{}.{}", incident.id, self.generation),
            late: (late > LATE_MICROS).then_some(late),
            closed_since: event.after.open && !incident.is_open(self.now),
            incident: Arc::new(incident),
            event: Arc::new(event),
        }))
    }

    fn link(&self, incident: IncidentId) -> Option<String> {
        let base = self.public_url?.as_str().trim_end_matches('/');
        Some(format!("{base}/incidents/{incident}/"))
    }

    /// `None` if none of its incidents is left.
    fn summary(&self, of: &[MessageId]) -> Result<Option<Summary>, StoreError> {
        let mut notices = Vec::new();
        for id in of {
            let Some(message) = self.snapshot.message(*id)? else { continue };
            let About::Event { incident, event } = message.about else { continue };
            notices.extend(self.notice(incident, event, message.created)?);
        }
        let total = notices.len();
        notices.sort_by_key(|notice| (notice.incident.level, Reverse(notice.event.timestamp)));
        notices.truncate(SUMMARY_NOTICES);
        Ok((total > 0).then_some(Summary { notices, total }))
    }
}

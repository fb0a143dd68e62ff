//! Medium `email` (contract section 19.3).

use std::sync::Arc;

use futures_util::future::BoxFuture;
use lettre::Message;

use super::{
    Outcome, Transcript, Transport,
    mail::{Letter, address},
    office::{Office, Offices},
    unusable,
};
use crate::{
    clock::Clock,
    domain::{
        channel_types::email::{HTML, STABLE_SUBJECT, SUBJECT, TEXT},
        limits,
        time::Timestamp,
    },
    notify::{
        outgoing::{Content, Outgoing},
        template::Templates,
        text::clean,
        view::View,
    },
};

pub(super) struct Email {
    pub offices: Arc<Offices>,
    pub templates: Arc<Templates>,
    pub time_zone: chrono_tz::Tz,
    /// Mails about an incident have the same subject whatever happens to it.
    pub stable_subject: bool,
    pub clock: Arc<dyn Clock>,
}

impl Transport for Email {
    fn carry<'a>(&'a self, message: &'a Outgoing, transcript: &'a mut Transcript) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let office = match self.offices.of(message.own_channel()) {
                Ok(office) => office,
                Err(error) => return unusable(&error),
            };
            let mail = match self.compose(message, &office, self.clock.now()) {
                Ok(mail) => mail,
                Err(reason) => return Outcome::fail(clean(&reason, limits::PROVIDER_ANSWER)),
            };
            office.smtp.submit(&mail, transcript).await
        })
    }
}

impl Email {
    fn compose(&self, message: &Outgoing, office: &Office, now: Timestamp) -> Result<Message, String> {
        let to = address(message.setting("email_address"))
            .map_err(|reason| format!("The destination's address is not valid: {reason}."))?;
        let view = View::new(&message.content, self.time_zone);
        let subject =
            if self.stable_subject && matches!(message.content, Content::Event(_)) { STABLE_SUBJECT } else { SUBJECT };
        let letter = Letter {
            id: message.id.clone(),
            to,
            subject: format!("{}{}", office.subject_prefix, self.templates.render(subject, &view)),
            text: self.templates.render(TEXT, &view),
            html: Some(self.templates.render(HTML, &view)),
            thread: match &message.content {
                Content::Event(notice) => Some(notice.thread.clone()),
                Content::Summary(_) | Content::Test { .. } => None,
            },
        };
        office.letterhead.write(letter, now).map_err(|error| format!("The mail cannot be written: {error}."))
    }
}

#[cfg(test)]
mod tests;

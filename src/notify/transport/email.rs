//! Medium `email` (contract section 19.3).

use std::sync::Arc;

use futures_util::future::BoxFuture;
use lettre::Message;

use super::{
    AttemptOutcome, Transcript, Transport,
    email_message::{Email, address},
    smtp_pool::{SmtpPool, SmtpPools},
    unusable,
};
use crate::clock::Clock;
use crate::domain::{
    Timestamp,
    channel_types::email::{HTML, STABLE_SUBJECT, SUBJECT, TEXT},
    limits,
};
use crate::notify::{Content, Outgoing, template::Templates, text::clean, view::MessageView};

pub(super) struct EmailTransport {
    pub smtp_pools: Arc<SmtpPools>,
    pub templates: Arc<Templates>,
    pub time_zone: chrono_tz::Tz,
    /// Whether all mails about an incident have the same subject.
    pub stable_subject: bool,
    pub clock: Arc<dyn Clock>,
}

impl Transport for EmailTransport {
    fn carry<'a>(&'a self, message: &'a Outgoing, transcript: &'a mut Transcript) -> BoxFuture<'a, AttemptOutcome> {
        Box::pin(async move {
            let smtp_pool = match self.smtp_pools.of(message.own_channel()) {
                Ok(smtp_pool) => smtp_pool,
                Err(error) => return unusable(&error),
            };
            let mail = match self.compose(message, &smtp_pool, self.clock.now()) {
                Ok(mail) => mail,
                Err(reason) => return AttemptOutcome::fail(clean(&reason, limits::PROVIDER_ANSWER)),
            };
            smtp_pool.smtp.submit(&mail, transcript).await
        })
    }
}

impl EmailTransport {
    fn compose(&self, message: &Outgoing, smtp_pool: &SmtpPool, now: Timestamp) -> Result<Message, String> {
        let to = address(message.setting("email_address"))
            .map_err(|reason| format!("The destination's address is not valid: {reason}."))?;
        let view = MessageView::new(&message.content, self.time_zone);
        let subject =
            if self.stable_subject && matches!(message.content, Content::Event(_)) { STABLE_SUBJECT } else { SUBJECT };
        let email = Email {
            id: message.id.clone(),
            to,
            subject: format!("{}{}", smtp_pool.subject_prefix, self.templates.render(subject, &view)),
            text: self.templates.render(TEXT, &view),
            html: Some(self.templates.render(HTML, &view)),
            thread: match &message.content {
                Content::Event(notice) => Some(notice.thread.clone()),
                Content::Summary(_) | Content::Test { .. } => None,
            },
        };
        smtp_pool.sender.write(email, now).map_err(|error| format!("The mail cannot be written: {error}."))
    }
}

#[cfg(test)]
mod tests;

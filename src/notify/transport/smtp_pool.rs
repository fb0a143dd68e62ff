//! Mail servers with their senders: the server's own, and those of channels that have settings of their own.

use std::sync::Arc;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    SetupError,
    email_message::{SenderIdentity, address},
    per_channel::PerChannel,
    smtp::{Authorities, MailProbe, Smtp},
};
use crate::domain::{Channel, MailFailure, MailStep};
use crate::notify::{Encryption, MailSettings};

pub(super) struct SmtpPool {
    pub smtp: Arc<Smtp>,
    pub sender: SenderIdentity,
    pub subject_prefix: String,
}

pub(super) struct SmtpPools {
    settings: MailSettings,
    authorities: Authorities,
    own: Arc<SmtpPool>,
    of_channels: PerChannel<Map<String, Value>, SmtpPool>,
}

impl SmtpPools {
    /// Creates the pools. Reads the file with certificate authorities.
    pub(super) fn new(settings: &MailSettings) -> Result<Self, SetupError> {
        let authorities = Authorities::load(settings)?;
        let own = SmtpPool {
            smtp: Arc::new(Smtp::new(settings, &authorities)?),
            sender: SenderIdentity::new(&settings.from)?,
            subject_prefix: settings.subject_prefix.clone(),
        };
        Ok(Self { settings: settings.clone(), authorities, own: Arc::new(own), of_channels: PerChannel::default() })
    }

    /// Returns the pool of a channel with its current settings, or the server's own if it has none.
    pub(super) fn of(&self, channel: Option<&Channel>) -> Result<Arc<SmtpPool>, SetupError> {
        let Some((channel, config)) = channel.and_then(|it| Some((it, it.config.as_ref()?))) else {
            return Ok(Arc::clone(&self.own));
        };
        self.of_channels.get(channel.uuid, config, || self.build(config))
    }

    /// Asks the server's own mail server whether it would accept a mail to `recipient`.
    pub(super) async fn probe(&self, recipient: &str) -> MailProbe {
        match address(recipient) {
            Ok(to) => self.own.smtp.probe(self.own.sender.address().clone(), to).await,
            Err(answer) => {
                let failure = MailFailure { step: MailStep::Recipient, answer, code: None };
                MailProbe { result: Err(failure), certificate: None }
            }
        }
    }

    pub(super) fn sender_address(&self) -> String {
        self.own.sender.address().to_string()
    }

    pub(super) fn keep(&self, is_there: impl Fn(Uuid) -> bool) {
        self.of_channels.keep(is_there);
    }

    fn build(&self, config: &Map<String, Value>) -> Result<SmtpPool, SetupError> {
        let settings = completed(config, &self.settings);
        // Channels with the same server and login share its connections.
        let smtp = if settings.same_server(&self.settings) {
            Arc::clone(&self.own.smtp)
        } else {
            Arc::new(Smtp::new(&settings, &self.authorities)?)
        };
        let sender = self.own.sender.of_sender(text(config, "sender_name"), text(config, "sender_mail"))?;
        Ok(SmtpPool { smtp, sender, subject_prefix: settings.subject_prefix })
    }
}

/// Completes the settings of a channel with those of the server. The server's login is only used at its own mail
/// server.
fn completed(own: &Map<String, Value>, ours: &MailSettings) -> MailSettings {
    let mut settings = ours.clone();
    let encryption = text(own, "encryption").and_then(Encryption::named);
    if let Some(encryption) = encryption {
        settings.encryption = encryption;
        settings.port = encryption.usual_port();
    }
    if let Some(host) = text(own, "host") {
        host.clone_into(&mut settings.host);
    }
    if let Some(port) = number(own, "port") {
        settings.port = port;
    }
    let (server, other) = ((&settings.host, settings.port), (&ours.host, ours.port));
    if server != other || settings.encryption != ours.encryption {
        settings.credentials = None;
    }
    if let (Some(user), Some(password)) = (text(own, "user"), text(own, "password")) {
        settings.credentials = Some((user.to_owned(), password.into()));
    }
    if let Some(prefix) = text(own, "subject_prefix") {
        prefix.clone_into(&mut settings.subject_prefix);
    }
    settings
}

/// Returns a text. An empty one counts as missing.
pub(super) fn text<'a>(config: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    config.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// Returns a number, which may also be written as text.
fn number(config: &Map<String, Value>, key: &str) -> Option<u16> {
    match config.get(key)? {
        Value::Number(number) => number.as_u64()?.try_into().ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_login_goes_to_no_server_but_its_own() {
        let login = Some(("ours".to_owned(), "geheim".into()));
        let ours = MailSettings { host: "a.org".to_owned(), credentials: login, ..MailSettings::default() };
        let with = |own: Value| completed(own.as_object().unwrap(), &ours);
        assert_eq!(with(json!({"sender_name": "x", "host": ""})).login(), ours.login());
        assert_eq!(with(json!({"host": "a.org", "port": "25"})).login(), ours.login());
        for elsewhere in [json!({"host": "b.org"}), json!({"port": 26}), json!({"encryption": "tls"})] {
            assert_eq!(with(elsewhere.clone()).login(), None, "{elsewhere}");
        }
        let own = with(json!({"host": "b.org", "user": "u", "password": "p", "subject_prefix": "[x] "}));
        assert_eq!((own.host.as_str(), own.port, own.subject_prefix.as_str()), ("b.org", 25, "[x] "));
        assert_eq!(own.login(), Some(("u", "p")));
        assert_eq!(with(json!({"encryption": "starttls"})).port, 587);
        assert_eq!(with(json!({"encryption": "tls", "port": 2465})).port, 2465);
    }
}

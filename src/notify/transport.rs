//! Transports: each sends one message and returns the result.

mod email;
mod email_message;
mod http;
mod ntfy;
mod per_channel;
mod ping;
mod post;
mod presented;
mod reach;
mod roots;
mod sms;
mod smtp;
mod smtp_pool;
mod transcript;
mod webhook;

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;

use self::{
    email::EmailTransport,
    http::Http,
    ntfy::Ntfy,
    post::Poster,
    sms::{Gateway, Sms},
    smtp_pool::SmtpPools,
    webhook::Webhook,
};
pub use self::{
    ping::Pinger,
    presented::{PresentedCertificate, presented},
    smtp::MailProbe,
    transcript::Transcript,
};
use super::{
    ContactCard, Content, Outgoing,
    plugin::Plugins,
    settings::{ChannelSettings, PluginSettings},
    template::Templates,
    text::clean,
};
use crate::clock::{Clock, random_bytes};
use crate::domain::{
    AttemptOutcome, Destination, Directory, PluginInfo, Zoned,
    channel_types::{CHANNEL_TYPES, Protocol},
    destination::{EMAIL, EMAIL_ADDRESS},
    limits::PROVIDER_ANSWER,
};

/// A way to send messages: that of one channel type, or of all.
pub trait Transport: Send + Sync {
    /// Sends a message. Ends within a bounded time whatever the other side does. The transcript records the steps,
    /// without secrets.
    fn carry<'a>(&'a self, message: &'a Outgoing, transcript: &'a mut Transcript) -> BoxFuture<'a, AttemptOutcome>;
}

/// The transports of all channel types.
pub struct Channels {
    /// Replaced as a whole when settings are read again. A message that is being sent keeps those that it began with.
    built_in: ArcSwap<BuiltInTransports>,
    plugins: Plugins,
}

/// The transports of argusd's own channel types.
pub struct BuiltInTransports {
    by_type: Vec<(&'static str, Box<dyn Transport>)>,
    smtp_pools: Arc<SmtpPools>,
}

/// Reason for which transports cannot be created from their settings.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("{setting}: {reason}")]
    BadSetting { setting: &'static str, reason: String },
    /// `place` is the file and the line.
    #[error("template {place}: {reason}")]
    BadTemplate { place: String, reason: String },
}

/// Returns the result for a channel with unusable settings. It is a retry, because an administrator can fix them.
fn unusable(error: &SetupError) -> AttemptOutcome {
    AttemptOutcome::retry(clean(&format!("The channel's settings cannot be used: {error}"), PROVIDER_ANSWER))
}

impl BuiltInTransports {
    /// Creates the transports. Reads templates and certificates from files.
    pub fn new(settings: &ChannelSettings, clock: &Arc<dyn Clock>) -> Result<Self, SetupError> {
        let time_zone = settings.time_zone;
        let templates = Arc::new(Templates::load(settings.templates.as_deref())?);
        let smtp_pools = Arc::new(SmtpPools::new(&settings.mail)?);
        let http = Arc::new(Http::new(settings.allow_private_addresses, settings.http_timeout, Arc::clone(clock))?);
        let sms = Gateway::new(&settings.sms)?.map(Arc::new);
        let build = |protocol: &'static Protocol| -> Box<dyn Transport> {
            let (http, templates, clock) = (Arc::clone(&http), Arc::clone(&templates), Arc::clone(clock));
            let smtp_pools = Arc::clone(&smtp_pools);
            match protocol {
                Protocol::Mail => {
                    let stable_subject = settings.mail.stable_subject;
                    Box::new(EmailTransport { smtp_pools, templates, time_zone, stable_subject, clock })
                }
                Protocol::Sms => Box::new(Sms { gateway: sms.clone(), smtp_pools, http, templates, time_zone, clock }),
                Protocol::Webhook => Box::new(Webhook { http, zoned: Zoned::new(time_zone), clock }),
                Protocol::Ntfy => Box::new(Ntfy { http, templates, time_zone }),
                Protocol::Post(what) => Box::new(Poster { what, http, templates, time_zone }),
            }
        };
        let by_type = CHANNEL_TYPES.iter().map(|known| (known.key, build(&known.protocol))).collect();
        Ok(Self { by_type, smtp_pools })
    }

    fn of(&self, medium: &str) -> Option<&dyn Transport> {
        self.by_type.iter().find(|(known, _)| *known == medium).map(|(_, transport)| transport.as_ref())
    }
}

impl Channels {
    /// Creates all transports. Reads templates and certificates from files.
    pub fn new(settings: &ChannelSettings, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let built_in = ArcSwap::from_pointee(BuiltInTransports::new(settings, &clock)?);
        Ok(Self { built_in, plugins: Plugins::new(settings.plugins.clone(), clock) })
    }

    /// Replaces the transports for the messages that are sent from now on.
    pub fn replace(&self, built_in: BuiltInTransports) {
        self.built_in.store(Arc::new(built_in));
    }

    /// Sends a message via the transport of its medium.
    pub async fn send(&self, message: &Outgoing) -> (AttemptOutcome, Transcript) {
        let mut transcript = Transcript::default();
        let outcome = self.carry(message, &mut transcript).await;
        (outcome, transcript)
    }

    /// Sends one test message at once, requested by `username`.
    pub async fn test(
        &self,
        directory: &Directory,
        destination: &Destination,
        username: &str,
    ) -> (AttemptOutcome, Transcript) {
        let contact = match ContactCard::of_destination(directory, destination) {
            Ok(contact) => contact,
            Err(answer) => return (AttemptOutcome::fail(answer), Transcript::default()),
        };
        let message = Outgoing {
            // Random, so that a test is not taken for a repetition of another one.
            id: format!("test-{:032x}", u128::from_be_bytes(random_bytes())),
            medium: destination.medium.clone(),
            settings: destination.settings.clone(),
            content: Content::Test { username: username.to_owned() },
            contact,
        };
        self.send(&message).await
    }

    /// Sends a test mail to an address through the server's own mail server, requested on the command line.
    pub async fn test_mail(&self, address: &str) -> (AttemptOutcome, Transcript) {
        let message = Outgoing {
            id: format!("test-{:032x}", u128::from_be_bytes(random_bytes())),
            medium: EMAIL.to_owned(),
            settings: [(EMAIL_ADDRESS.to_owned(), address.to_owned())].into(),
            content: Content::Test { username: "argusd mail test".to_owned() },
            contact: None,
        };
        self.send(&message).await
    }

    /// Asks the server's own mail server whether it would accept a mail, without sending one.
    pub async fn probe_mail(&self, recipient: &str) -> MailProbe {
        let built_in = self.built_in.load_full();
        built_in.smtp_pools.probe(recipient).await
    }

    /// Returns the address from which mails are sent.
    #[must_use]
    pub fn mail_sender(&self) -> String {
        self.built_in.load().smtp_pools.sender_address()
    }

    /// Stops the plug-ins of channels that were deleted, and drops the mail settings of these channels.
    pub fn tend(&self, directory: &Directory) {
        self.built_in.load().smtp_pools.keep(|channel| directory.channels.contains_key(&channel));
        self.plugins.tend(directory);
    }

    /// Stops all plug-ins. Messages that are sent through one afterwards are to be retried.
    pub async fn close(&self) {
        self.plugins.close().await;
    }

    /// Lists the channel types of the installed plug-ins. Reads their directory.
    #[must_use]
    pub fn installed_plugins(settings: &PluginSettings) -> Vec<String> {
        Plugins::installed(settings)
    }

    /// Asks each installed plug-in for its description. Returns the reason if it gives none.
    pub async fn describe_plugins(settings: &PluginSettings) -> BTreeMap<String, Result<PluginInfo, String>> {
        Plugins::describe_all(settings).await
    }
}

impl Transport for Channels {
    fn carry<'a>(&'a self, message: &'a Outgoing, transcript: &'a mut Transcript) -> BoxFuture<'a, AttemptOutcome> {
        Box::pin(async move {
            let built_in = self.built_in.load_full();
            if let Some(transport) = built_in.of(&message.medium) {
                return transport.carry(message, transcript).await;
            }
            match message.contact.as_ref().and_then(|contact| Some((contact, contact.channel.as_ref()?))) {
                Some((contact, channel)) => self.plugins.send(contact, channel, message).await,
                None => AttemptOutcome::fail(format!("The medium {:?} is not set up on this server.", message.medium)),
            }
        })
    }
}

//! The ways out: each channel sends one message, and says only what became of it.

mod email;
mod http;
mod mail;
mod ntfy;
mod reach;
mod roots;
mod slack;
mod sms;
mod smtp;
mod transcript;
mod webhook;

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::BoxFuture;

pub use self::transcript::Transcript;
use self::{
    email::Email,
    http::Http,
    mail::Letterhead,
    ntfy::Ntfy,
    slack::Slack,
    sms::{Gateway, Sms},
    smtp::Smtp,
    webhook::Webhook,
};
use super::{
    Outgoing,
    plugin::Plugins,
    settings::{ChannelSettings, PluginSettings},
    template::Templates,
};
use crate::{
    clock::Clock,
    domain::{datetime::Zoned, directory::Directory, plugin::PluginInfo},
};

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took it, and said this.
    Sent(String),
    /// Not now: worth another attempt.
    Retry(String),
    /// Never: another attempt would end the same way.
    Fail(String),
}

/// Sends messages of one medium.
trait Channel: Send + Sync {
    /// Ends within a bounded time whatever the other side does.
    fn send<'a>(&'a self, message: &'a Outgoing, transcript: &'a mut Transcript) -> BoxFuture<'a, Outcome>;
}

/// All that are set up.
pub struct Channels {
    channels: Vec<(&'static str, Box<dyn Channel>)>,
    plugins: Plugins,
}

/// Why channels cannot be built from their settings.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("{setting}: {reason}")]
    BadSetting { setting: &'static str, reason: String },
    /// Names the file and the line.
    #[error("template {place}: {reason}")]
    BadTemplate { place: String, reason: String },
}

impl Channels {
    /// Reads files: templates and certificates.
    pub fn new(settings: &ChannelSettings, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let time_zone = settings.time_zone;
        let templates = Arc::new(Templates::load(settings.templates.as_deref())?);
        let letterhead = Letterhead::new(&settings.mail.from)?;
        let smtp = Arc::new(Smtp::new(&settings.mail)?);
        let http = Arc::new(Http::new(settings.allow_private_addresses, settings.http_timeout)?);
        let mut channels: Vec<(&'static str, Box<dyn Channel>)> = Vec::new();
        if let Some(gateway) = Gateway::new(&settings.sms)? {
            let (smtp, http, letterhead) = (Arc::clone(&smtp), Arc::clone(&http), letterhead.clone());
            let (templates, clock) = (Arc::clone(&templates), Arc::clone(&clock));
            channels.push(("sms", Box::new(Sms { gateway, smtp, http, letterhead, templates, time_zone, clock })));
        }
        let (own, ours) = (Arc::clone(&http), Arc::clone(&templates));
        channels.push(("slack", Box::new(Slack { http: own, templates: ours, time_zone })));
        let (own, ours) = (Arc::clone(&http), Arc::clone(&templates));
        channels.push(("ntfy", Box::new(Ntfy { http: own, templates: ours, time_zone })));
        let zoned = Zoned::new(time_zone);
        channels.push(("webhook", Box::new(Webhook { http, zoned, clock: Arc::clone(&clock) })));
        let subject_prefix = settings.mail.subject_prefix.clone();
        channels.push((
            "email",
            Box::new(Email { smtp, letterhead, templates, subject_prefix, time_zone, clock: Arc::clone(&clock) }),
        ));
        let plugins = Plugins::new(settings.plugins.clone(), clock);
        Ok(Self { channels, plugins })
    }

    /// The slugs of the media that messages can be sent over.
    pub fn media(&self) -> impl Iterator<Item = &'static str> {
        self.channels.iter().map(|(medium, _)| *medium)
    }

    /// The transcript tells what happened on the way, without secrets.
    pub async fn send(&self, message: &Outgoing) -> (Outcome, Transcript) {
        let mut transcript = Transcript::default();
        let built_in = self.channels.iter().find(|(medium, _)| *medium == message.medium);
        let plugin = || message.contact.as_ref().and_then(|contact| Some((contact, contact.channel.as_ref()?)));
        let outcome = match built_in.map(|(_, channel)| channel) {
            Some(channel) => channel.send(message, &mut transcript).await,
            None if let Some((contact, channel)) = plugin() => self.plugins.send(contact, channel, message).await,
            None => Outcome::Fail(format!("The medium {:?} is not set up on this server.", message.medium)),
        };
        (outcome, transcript)
    }

    /// Stops the plug-ins of channels that are gone.
    pub fn tend(&self, directory: &Directory) {
        self.plugins.tend(directory);
    }

    /// Stops all plug-ins; what is sent through one from now on is for later.
    pub async fn close(&self) {
        self.plugins.close().await;
    }

    /// The types of the plug-ins that are installed. Reads their directory.
    #[must_use]
    pub fn installed_plugins(settings: &PluginSettings) -> Vec<String> {
        Plugins::installed(settings)
    }

    /// Asks each plug-in that is installed what it is, or says why it does not tell.
    pub async fn describe_plugins(settings: &PluginSettings) -> BTreeMap<String, Result<PluginInfo, String>> {
        Plugins::describe_all(settings).await
    }
}

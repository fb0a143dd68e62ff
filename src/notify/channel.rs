//! The ways out: each channel sends one message, and says only what became of it.

mod email;
mod http;
mod mail;
mod ntfy;
mod office;
mod per_channel;
mod post;
mod reach;
mod roots;
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
    ntfy::Ntfy,
    office::Offices,
    post::Poster,
    sms::{Gateway, Sms},
    webhook::Webhook,
};
use super::{
    Outgoing,
    plugin::Plugins,
    settings::{ChannelSettings, PluginSettings},
    template::Templates,
    text::clean,
};
use crate::{
    clock::Clock,
    domain::{
        channel_types::{CHANNEL_TYPES, Transport},
        datetime::Zoned,
        directory::Directory,
        limits::PROVIDER_ANSWER,
        plugin::PluginInfo,
    },
};

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took it, and said this.
    Sent(String),
    /// Not now: worth another attempt.
    Retry(String),
    /// Not before so many microseconds have passed: the provider asked for that.
    RetryAfter { answer: String, micros: i64 },
    /// Never: another attempt would end the same way.
    Fail(String),
}

impl Outcome {
    /// What the provider, or the network, said.
    #[must_use]
    pub fn answer(&self) -> &str {
        match self {
            Self::Sent(answer) | Self::Retry(answer) | Self::Fail(answer) | Self::RetryAfter { answer, .. } => answer,
        }
    }
}

/// Sends messages of one medium.
trait Channel: Send + Sync {
    /// Ends within a bounded time whatever the other side does.
    fn send<'a>(&'a self, message: &'a Outgoing, transcript: &'a mut Transcript) -> BoxFuture<'a, Outcome>;
}

/// All that are set up.
pub struct Channels {
    built_in: Vec<(&'static str, Box<dyn Channel>)>,
    offices: Arc<Offices>,
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

/// Whoever looks after the channel can put it right.
fn unusable(error: &SetupError) -> Outcome {
    Outcome::Retry(clean(&format!("The channel's settings cannot be used: {error}"), PROVIDER_ANSWER))
}

impl Channels {
    /// Reads files: templates and certificates.
    pub fn new(settings: &ChannelSettings, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let time_zone = settings.time_zone;
        let templates = Arc::new(Templates::load(settings.templates.as_deref())?);
        let offices = Arc::new(Offices::new(&settings.mail)?);
        let http = Arc::new(Http::new(settings.allow_private_addresses, settings.http_timeout, Arc::clone(&clock))?);
        let sms = Gateway::new(&settings.sms)?.map(Arc::new);
        let build = |transport: &'static Transport| -> Box<dyn Channel> {
            let (http, templates, clock) = (Arc::clone(&http), Arc::clone(&templates), Arc::clone(&clock));
            let offices = Arc::clone(&offices);
            match transport {
                Transport::Mail => {
                    let stable_subject = settings.mail.stable_subject;
                    Box::new(Email { offices, templates, time_zone, stable_subject, clock })
                }
                Transport::Sms => Box::new(Sms { gateway: sms.clone(), offices, http, templates, time_zone, clock }),
                Transport::Webhook => Box::new(Webhook { http, zoned: Zoned::new(time_zone), clock }),
                Transport::Ntfy => Box::new(Ntfy { http, templates, time_zone }),
                Transport::Post(what) => Box::new(Poster { what, http, templates, time_zone }),
            }
        };
        let built_in = CHANNEL_TYPES.iter().map(|known| (known.key, build(&known.transport))).collect();
        let plugins = Plugins::new(settings.plugins.clone(), clock);
        Ok(Self { built_in, offices, plugins })
    }

    /// The transcript tells what happened on the way, without secrets.
    pub async fn send(&self, message: &Outgoing) -> (Outcome, Transcript) {
        let mut transcript = Transcript::default();
        let built_in = self.built_in.iter().find(|(medium, _)| *medium == message.medium);
        let plugin = || message.contact.as_ref().and_then(|contact| Some((contact, contact.channel.as_ref()?)));
        let outcome = match built_in.map(|(_, channel)| channel) {
            Some(channel) => channel.send(message, &mut transcript).await,
            None if let Some((contact, channel)) = plugin() => self.plugins.send(contact, channel, message).await,
            None => Outcome::Fail(format!("The medium {:?} is not set up on this server.", message.medium)),
        };
        (outcome, transcript)
    }

    /// Stops the plug-ins of channels that are gone, and forgets their settings.
    pub fn tend(&self, directory: &Directory) {
        self.offices.keep(|channel| directory.channels.contains_key(&channel));
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

//! Sends the messages of the outbox, each via one channel.
//!
//! Does not know who is notified and why. Everything that it needs is in the message, or is looked up from there.

mod deliver;
mod dispatcher;
mod health;
mod outgoing;
mod plugin;
mod python;
mod queue;
mod resolve;
mod retry;
mod samples;
mod settings;
mod template;
mod text;
mod transport;
mod view;

pub use self::{
    dispatcher::{DispatchSettings, Dispatcher},
    health::{Health, MediumReach, MediumRecord, MessageCounts},
    outgoing::{ContactCard, Content, Notice, Outgoing, Summary},
    queue::QueueSettings,
    settings::{ChannelSettings, Encryption, HttpGateway, MailSettings, PluginSettings, SmsSettings},
    transport::{
        BuiltInTransports, Channels, MailProbe, Pinger, PresentedCertificate, SetupError, Transcript, Transport,
        presented,
    },
};

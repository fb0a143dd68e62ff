//! Sends messages that were decided, with all their data, via one channel each.
//!
//! Knows nothing of who is to be told and why. What it needs to know stands in the message.

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
    health::{Health, MediumReach, MediumRecord},
    outgoing::{ContactCard, Content, Notice, Outgoing, Summary},
    queue::QueueSettings,
    settings::{ChannelSettings, Encryption, HttpGateway, MailSettings, PluginSettings, SmsSettings},
    transport::{Channels, SetupError, Transcript, Transport},
};

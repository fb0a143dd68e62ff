//! The ways out: each channel sends one message, and says only what became of it.

mod transcript;

use std::sync::Arc;

use futures_util::future::BoxFuture;

pub use self::transcript::Transcript;
use super::{Outgoing, settings::ChannelSettings};
use crate::clock::Clock;

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
    pub fn new(settings: &ChannelSettings, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let _ = (settings, clock);
        Ok(Self { channels: Vec::new() })
    }

    /// The transcript tells what happened on the way, without secrets.
    pub async fn send(&self, message: &Outgoing) -> (Outcome, Transcript) {
        let mut transcript = Transcript::default();
        let outcome = match self.channels.iter().find(|(medium, _)| *medium == message.medium) {
            Some((_, channel)) => channel.send(message, &mut transcript).await,
            None => Outcome::Fail(format!("The medium {:?} is not set up on this server.", message.medium)),
        };
        (outcome, transcript)
    }
}

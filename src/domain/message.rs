//! Messages of the outbox: the promise to tell somebody of an event, and what became of it.

use super::{
    ids::{ChannelId, ContactId, DestinationId, EventId, IncidentId, MessageId, ProfileId, RuleId, UserId},
    time::Timestamp,
};
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: MessageId,
    /// When it was decided.
    pub created: Timestamp,
    pub about: About,
    pub route: Route,
    /// As it was when the message was made, for people to read; without secrets.
    pub address: String,
    pub state: State,
    /// So many times it was handed to the channel.
    pub attempts: u32,
    pub last_attempt: Option<Timestamp>,
    /// What the provider, or the network, said at the last attempt; see [`public_answer`].
    pub answer: String,
}

/// What a private address answered is for administrators: others could read with it what only this server can reach. Of
/// such an answer the first line, without the words of whoever answered, is for everybody.
#[must_use]
pub fn restricted_answer(for_everybody: &str, for_administrators: &str) -> String {
    format!("{for_everybody}\n{for_administrators}")
}

/// As everybody may read it to whom the message belongs.
#[must_use]
pub fn public_answer(answer: &str) -> &str {
    answer.split_once('\n').map_or(answer, |(for_everybody, _)| for_everybody)
}

/// As administrators read it.
#[must_use]
pub fn full_answer(answer: &str) -> &str {
    answer.split_once('\n').map_or(answer, |(_, for_administrators)| for_administrators)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    Event {
        incident: IncidentId,
        event: EventId,
    },
    /// Stands for these, which are [`State::Gathered`], in the order they were made.
    Summary(Vec<MessageId>),
}

/// Who gets it, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// A user, because of a profile; of a summary, the first one.
    Destination {
        user: UserId,
        profile: ProfileId,
        destination: DestinationId,
        /// The slug of the medium.
        medium: String,
    },
    /// A contact, because of a rule; of a summary, the first one.
    Contact {
        rule: RuleId,
        contact: ContactId,
        uuid: Uuid,
        /// As it was then.
        full_name: String,
        channel: ChannelId,
        /// The channel's type.
        medium: String,
    },
}

impl Route {
    #[must_use]
    pub fn medium(&self) -> &str {
        match self {
            Self::Destination { medium, .. } | Self::Contact { medium, .. } => medium,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// To be sent at `at`; tried since `since`.
    Due {
        at: Timestamp,
        since: Timestamp,
    },
    Delivered {
        at: Timestamp,
    },
    /// Given up; can be sent again by hand.
    Dead {
        at: Timestamp,
    },
    /// Part of a summary, whose state counts.
    Gathered {
        into: MessageId,
        at: Timestamp,
    },
}

impl Message {
    #[must_use]
    pub const fn is_due(&self) -> bool {
        matches!(self.state, State::Due { .. })
    }

    #[must_use]
    pub const fn is_dead(&self) -> bool {
        matches!(self.state, State::Dead { .. })
    }

    /// `None` for summaries.
    #[must_use]
    pub const fn incident(&self) -> Option<IncidentId> {
        match self.about {
            About::Event { incident, .. } => Some(incident),
            About::Summary(_) => None,
        }
    }
}

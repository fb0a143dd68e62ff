//! Messages of the outbox: one notification to one recipient, and its state.

use super::{
    ChannelId, ContactId, DestinationId, EventId, IncidentId, MessageId, ProfileId, RuleId, Timestamp, UserId,
};
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: MessageId,
    /// Time of the decision.
    pub created: Timestamp,
    pub about: MessageSubject,
    pub route: Route,
    /// Address at the time of the decision, for people to read, without secrets.
    pub address: String,
    pub state: MessageState,
    /// Number of times that the message was given to a transport.
    pub attempts: u32,
    pub last_attempt: Option<Timestamp>,
    /// Answer of the provider or error of the network at the last attempt; see [`public_answer`].
    pub answer: String,
}

/// Joins the two forms of an answer from a private address. The full answer is for administrators only, because others
/// could use it to read what only this server can reach. The first line is public and has no words of the answer.
#[must_use]
pub fn restricted_answer(for_everybody: &str, for_administrators: &str) -> String {
    format!("{for_everybody}\n{for_administrators}")
}

/// Returns the part of an answer that everybody may read who may see the message.
#[must_use]
pub fn public_answer(answer: &str) -> &str {
    answer.split_once('\n').map_or(answer, |(for_everybody, _)| for_everybody)
}

/// Returns the part of an answer for administrators.
#[must_use]
pub fn full_answer(answer: &str) -> &str {
    answer.split_once('\n').map_or(answer, |(_, for_administrators)| for_administrators)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageSubject {
    Event {
        incident: IncidentId,
        event: EventId,
    },
    /// A summary of these messages, which are [`MessageState::Gathered`], in the order in which they were created.
    Summary(Vec<MessageId>),
}

/// Recipient of a message, with the destination or channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// A user, because of a profile. For summaries: of the first message.
    Destination {
        user: UserId,
        profile: ProfileId,
        destination: DestinationId,
        /// Slug of the medium.
        medium: String,
    },
    /// A contact, because of a rule. For summaries: of the first message.
    Contact {
        rule: RuleId,
        contact: ContactId,
        uuid: Uuid,
        /// Name at the time of the decision.
        full_name: String,
        channel: ChannelId,
        /// Type of the channel.
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
pub enum MessageState {
    /// Queued: to be sent at `at`, after attempts since `since`.
    Due {
        at: Timestamp,
        since: Timestamp,
    },
    Delivered {
        at: Timestamp,
    },
    /// Failed. It can be sent again by hand.
    Dead {
        at: Timestamp,
    },
    /// Replaced by a summary, whose state counts.
    Gathered {
        into: MessageId,
        at: Timestamp,
    },
}

/// Delivery of a message, in the only words that pages, API texts and documents use. A recipient counts as notified
/// only if a message was sent. Whether it was also delivered is not known, since no provider says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delivery {
    /// Accepted by the next server.
    Sent,
    /// Not sent yet, and waiting for the first or another attempt.
    Queued,
    /// Not sent, and not tried again. It can be sent again by hand.
    Failed,
}

impl Delivery {
    pub const ALL: [Self; 3] = [Self::Sent, Self::Queued, Self::Failed];

    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Queued => "queued",
            Self::Failed => "failed",
        }
    }
}

impl MessageState {
    #[must_use]
    pub const fn delivery(self) -> Delivery {
        match self {
            Self::Delivered { .. } => Delivery::Sent,
            // The state of a message in a summary is that of the summary.
            Self::Due { .. } | Self::Gathered { .. } => Delivery::Queued,
            Self::Dead { .. } => Delivery::Failed,
        }
    }
}

/// Delivery of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageOutcome<'a> {
    pub delivery: Delivery,
    pub attempts: u32,
    /// Last answer of the provider or error of the network. May be empty.
    pub answer: &'a str,
}

/// Describes the deliveries of messages, such as "1 message sent, 2 messages queued, not sent yet (451 later, 3
/// tries)". Empty if there are no messages.
#[must_use]
pub fn outcomes_in_words(outcomes: &[MessageOutcome<'_>]) -> String {
    let words = Delivery::ALL.into_iter().filter_map(|delivery| {
        let outcomes: Vec<&MessageOutcome<'_>> =
            outcomes.iter().filter(|outcome| outcome.delivery == delivery).collect();
        let messages = format!("{} {}", counted(outcomes.len(), "message", "messages"), delivery.word());
        let tries = outcomes.iter().map(|outcome| outcome.attempts).max()?;
        let answer =
            outcomes.iter().map(|outcome| outcome.answer.trim_end_matches('.')).find(|answer| !answer.is_empty());
        let tries = (tries > 0).then(|| counted(usize::try_from(tries).unwrap_or(usize::MAX), "try", "tries"));
        let why: Vec<&str> = answer.into_iter().chain(tries.as_deref()).collect();
        let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join(", ")) };
        Some(match delivery {
            Delivery::Sent => messages,
            Delivery::Queued => format!("{messages}, not sent yet{why}"),
            Delivery::Failed => format!("{messages}{why}"),
        })
    });
    words.collect::<Vec<_>>().join(", ")
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

impl Message {
    #[must_use]
    pub const fn is_due(&self) -> bool {
        matches!(self.state, MessageState::Due { .. })
    }

    #[must_use]
    pub const fn is_dead(&self) -> bool {
        matches!(self.state, MessageState::Dead { .. })
    }

    /// Returns the incident. `None` for summaries.
    #[must_use]
    pub const fn incident(&self) -> Option<IncidentId> {
        match self.about {
            MessageSubject::Event { incident, .. } => Some(incident),
            MessageSubject::Summary(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::saturating_from_micros(0);

    #[test]
    fn every_state_has_one_word() {
        let gathered = MessageState::Gathered { into: MessageId(1), at: NOW };
        for (state, word) in [
            (MessageState::Due { at: NOW, since: NOW }, "queued"),
            (MessageState::Delivered { at: NOW }, "sent"),
            (MessageState::Dead { at: NOW }, "failed"),
            (gathered, "queued"),
        ] {
            assert_eq!(state.delivery().word(), word);
        }
    }

    #[test]
    fn fates_are_said_in_words() {
        let outcome = |delivery, attempts, answer| MessageOutcome { delivery, attempts, answer };
        let sent = outcome(Delivery::Sent, 1, "250 OK");
        let fresh = outcome(Delivery::Queued, 0, "");
        let refused = outcome(Delivery::Queued, 1, "localhost:25: Connection refused.");
        let silent = outcome(Delivery::Queued, 3, "");
        let failed = outcome(Delivery::Failed, 9, "550 no such user");
        for (outcomes, words) in [
            (vec![], ""),
            (vec![sent], "1 message sent"),
            (vec![fresh], "1 message queued, not sent yet"),
            (vec![refused], "1 message queued, not sent yet (localhost:25: Connection refused, 1 try)"),
            (
                vec![silent, refused, fresh],
                "3 messages queued, not sent yet (localhost:25: Connection refused, 3 tries)",
            ),
            (
                vec![failed, sent, silent, sent],
                "2 messages sent, 1 message queued, not sent yet (3 tries), 1 message failed (550 no such user, 9 tries)",
            ),
        ] {
            assert_eq!(outcomes_in_words(&outcomes), words);
        }
    }
}

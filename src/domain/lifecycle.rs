//! The state machine of an incident (contract section 9): who may post which event, and its effect.

use super::{EndTime, EventType, Timestamp, datetime::was_last_moment};

/// The poster of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poster {
    /// The account of a source.
    Source,
    /// A user, superusers included.
    EndUser,
}

/// Reasons to refuse an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventRefusal {
    #[error("A source system cannot post events of type '{}'.", .0.code())]
    NotForSources(EventType),
    #[error("An end user cannot post events of type '{}'.", .0.code())]
    NotForEndUsers(EventType),
    #[error("The incident is already closed.")]
    AlreadyClosed,
    #[error("The incident is already open.")]
    AlreadyOpen,
    #[error("Cannot change the state of a stateless incident.")]
    Stateless,
    /// Acknowledgements have an endpoint of their own.
    #[error("Acknowledgements are posted as acknowledgements.")]
    IsAcknowledgement,
}

/// Checks whether `poster` may add an event of type `kind` to an incident that ends at `end`. Sources are never refused
/// because of the incident's state.
///
/// # Errors
/// The first reason to refuse.
pub fn may_post(poster: Poster, kind: EventType, end: EndTime, now: Timestamp) -> Result<(), EventRefusal> {
    use EventType as T;
    match (poster, kind) {
        (Poster::Source, T::Close | T::Reopen | T::Acknowledge) => Err(EventRefusal::NotForSources(kind)),
        (Poster::EndUser, T::Close | T::Reopen) if !end.is_stateful() => Err(EventRefusal::Stateless),
        (Poster::EndUser, T::Close) if !end.is_open(now) => Err(EventRefusal::AlreadyClosed),
        (Poster::EndUser, T::Reopen) if end.is_open(now) => Err(EventRefusal::AlreadyOpen),
        (Poster::Source, _) | (Poster::EndUser, T::Close | T::Reopen | T::Other) => Ok(()),
        (Poster::EndUser, T::Acknowledge) => Err(EventRefusal::IsAcknowledgement),
        (Poster::EndUser, _) => Err(EventRefusal::NotForEndUsers(kind)),
    }
}

/// Returns the end of the incident after an event of type `kind` that happened at `timestamp`.
#[must_use]
pub fn end_after(end: EndTime, kind: EventType, timestamp: Timestamp, now: Timestamp) -> EndTime {
    match kind {
        EventType::End | EventType::Close if end.is_open(now) && was_last_moment(timestamp) => EndTime::Infinity,
        EventType::End | EventType::Close if end.is_open(now) => EndTime::At(timestamp),
        EventType::Restart | EventType::Reopen if end.is_stateful() && !end.is_open(now) => EndTime::Infinity,
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(micros: i64) -> Timestamp {
        Timestamp::saturating_from_micros(micros)
    }

    const NOW: Timestamp = at(100);
    const CLOSED: EndTime = EndTime::At(at(50));
    const ENDS_LATER: EndTime = EndTime::At(at(150));

    #[test]
    fn sources_are_never_refused_for_the_state() {
        for end in [EndTime::Stateless, EndTime::Infinity, CLOSED, ENDS_LATER] {
            for kind in EventType::ALL {
                let refused = matches!(kind, EventType::Close | EventType::Reopen | EventType::Acknowledge);
                assert_eq!(may_post(Poster::Source, kind, end, NOW).is_err(), refused, "{kind:?} {end:?}");
            }
        }
    }

    #[test]
    fn end_users_close_what_is_open_and_reopen_what_is_closed() {
        let may = |kind, end| may_post(Poster::EndUser, kind, end, NOW);
        assert_eq!(may(EventType::Close, EndTime::Infinity), Ok(()));
        assert_eq!(may(EventType::Close, ENDS_LATER), Ok(()));
        assert_eq!(may(EventType::Close, CLOSED), Err(EventRefusal::AlreadyClosed));
        assert_eq!(may(EventType::Close, EndTime::Stateless), Err(EventRefusal::Stateless));
        assert_eq!(may(EventType::Reopen, CLOSED), Ok(()));
        assert_eq!(may(EventType::Reopen, ENDS_LATER), Err(EventRefusal::AlreadyOpen));
        assert_eq!(may(EventType::Acknowledge, CLOSED), Err(EventRefusal::IsAcknowledgement));
        assert_eq!(may(EventType::End, CLOSED), Err(EventRefusal::NotForEndUsers(EventType::End)));
        assert_eq!(may(EventType::Other, EndTime::Stateless), Ok(()));
    }

    #[test]
    fn ends_only_what_is_open_and_opens_only_what_is_closed() {
        let after = |end, kind| end_after(end, kind, at(70), NOW);
        for kind in [EventType::End, EventType::Close] {
            assert_eq!(after(EndTime::Infinity, kind), EndTime::At(at(70)));
            assert_eq!(after(ENDS_LATER, kind), EndTime::At(at(70)));
            assert_eq!(after(CLOSED, kind), CLOSED);
            assert_eq!(after(EndTime::Stateless, kind), EndTime::Stateless);
        }
        for kind in [EventType::Restart, EventType::Reopen] {
            assert_eq!(after(CLOSED, kind), EndTime::Infinity);
            assert_eq!(after(ENDS_LATER, kind), ENDS_LATER);
            assert_eq!(after(EndTime::Stateless, kind), EndTime::Stateless);
        }
        assert_eq!(after(EndTime::Infinity, EventType::Other), EndTime::Infinity);
    }
}

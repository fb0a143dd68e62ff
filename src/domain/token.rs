//! API tokens (contract section 2.1). The secret itself is never kept, only its SHA-256.

use super::{
    ids::{TokenId, UserId},
    limits::EXPIRED_TOKEN_KEPT_MICROS,
    time::{Moment, Now, Timestamp},
};

/// SHA-256 of the secret's text as sent.
pub type TokenHash = [u8; 32];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// 40 hex digits, for programs.
    Classic,
    /// 64 hex digits, made by `auth/token/login/`.
    Login,
    /// What the cookie of a browser that is logged in holds.
    Session,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: TokenId,
    pub user: UserId,
    pub kind: TokenKind,
    pub hash: TokenHash,
    pub created: Timestamp,
    /// `None`: never.
    pub expires: Option<Timestamp>,
    /// Made by `token-auth/`, whose next call replaces it; tokens made otherwise stay.
    pub replaceable: bool,
    /// What it is for, or, of a session, in which browser it was made.
    pub note: String,
}

/// The time up to which the time of day can be believed when expired tokens are to be deleted.
///
/// It follows the time of day, but at most twice as fast as time passes by the monotonic clock, so a clock that jumps
/// far ahead for some hours deletes nothing. It never goes back, and is stored, so a restart does not hurry it either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiryClock {
    reached: Timestamp,
    looked: Moment,
}

impl ExpiryClock {
    /// `stored`: how far it was when the server last ran; `None` if it never did.
    #[must_use]
    pub fn new(stored: Option<Timestamp>, now: Now) -> Self {
        let reached = stored.unwrap_or_else(|| now.wall.saturating_add_micros(-EXPIRED_TOKEN_KEPT_MICROS));
        Self { reached, looked: now.moment }
    }

    pub fn look(&mut self, now: Now) -> Timestamp {
        let passed = now.moment.micros_since(self.looked);
        let at_most = self.reached.saturating_add_micros(passed.saturating_mul(2));
        self.reached = self.reached.max(now.wall.min(at_most));
        self.looked = now.moment;
        self.reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;
    const DAY: i64 = 24 * HOUR;

    fn at(wall: i64, moment: i64) -> Now {
        Now { wall: Timestamp::saturating_from_micros(wall), moment: Moment::from_micros(moment) }
    }

    #[test]
    fn follows_the_time_of_day_no_faster_than_twice() {
        let mut clock = ExpiryClock::new(Some(at(0, 0).wall), at(0, 0));
        assert_eq!(clock.look(at(HOUR, HOUR)).micros(), HOUR);
        // A month ahead, for an hour.
        assert_eq!(clock.look(at(30 * DAY + HOUR, 2 * HOUR)).micros(), 3 * HOUR);
        assert_eq!(clock.look(at(3 * HOUR, 3 * HOUR)).micros(), 3 * HOUR);
        // A month back.
        assert_eq!(clock.look(at(-30 * DAY, 4 * HOUR)).micros(), 3 * HOUR);
        assert_eq!(clock.look(at(5 * HOUR, 5 * HOUR)).micros(), 5 * HOUR);
    }

    #[test]
    fn a_start_with_a_clock_that_is_ahead_hurries_nothing() {
        let mut clock = ExpiryClock::new(Some(at(0, 0).wall), at(30 * DAY, 0));
        assert_eq!(clock.look(at(30 * DAY, HOUR)).micros(), 2 * HOUR);
        let mut first = ExpiryClock::new(None, at(0, 0));
        assert_eq!(first.look(at(0, 0)).micros(), -EXPIRED_TOKEN_KEPT_MICROS);
    }
}

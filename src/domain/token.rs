//! Tokens and sessions (contract section 2.1). Only the SHA-256 of the secret is stored.

use std::time::Duration;

use super::{
    MonotonicTime, Now, Timestamp, TokenId, User, UserId,
    limits::{EXPIRED_TOKEN_KEPT_MICROS, SESSION_EXTENDED_EVERY, SESSION_LIFE},
};

/// SHA-256 of the secret as it is sent, as text.
pub type TokenHash = [u8; 32];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// 40 hex digits, for programs.
    Classic,
    /// 64 hex digits, created by `auth/token/login/`.
    Login,
    /// Content of the session cookie of a browser.
    Session,
}

/// Way in which a token was obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenOrigin {
    /// With the user's password, or with a session or token that was obtained with it.
    Password,
    /// By hand, on a page or the command line, or with a token that was created by hand.
    Hand,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub id: TokenId,
    pub user: UserId,
    pub kind: TokenKind,
    pub hash: TokenHash,
    pub created: Timestamp,
    /// Time of expiry. `None`: does not expire.
    pub expires: Option<Timestamp>,
    /// Whether it was created by `token-auth/`, whose next call replaces it. Other tokens stay.
    pub replaceable: bool,
    pub origin: TokenOrigin,
    /// Purpose of a token, or browser of a session.
    pub note: String,
}

impl Token {
    /// Returns whether this change of its user ends the token. A token that was obtained with a password ends with it.
    ///
    /// Deactivation ends only sessions, since programs must get the answer that the user is inactive. Tokens that were
    /// obtained with a password end when the user is activated again.
    #[must_use]
    pub fn is_ended_by(&self, before: &User, after: &User) -> bool {
        let has_new_password = before.password_hash != after.password_hash;
        let comes_back = !before.is_active && after.is_active;
        let goes = before.is_active && !after.is_active;
        (self.origin == TokenOrigin::Password && (has_new_password || comes_back))
            || (self.kind == TokenKind::Session && goes)
    }

    /// Returns when a session that is used now expires. `None`: not a valid session, or extended recently.
    #[must_use]
    pub fn extended(&self, now: Timestamp) -> Option<Timestamp> {
        let micros = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        let expires = self.expires.filter(|expires| self.kind == TokenKind::Session && *expires > now)?;
        let extended = now.saturating_add_micros(micros(SESSION_LIFE));
        let gained = extended.micros().saturating_sub(expires.micros());
        (gained >= micros(SESSION_EXTENDED_EVERY)).then_some(extended)
    }
}

/// Clock by which expired tokens are deleted. It limits the effect of a wrong time of day.
///
/// It follows the time of day, but at most twice as fast as the monotonic clock, so a clock that is far ahead for some
/// hours deletes nothing. It never goes back. It is stored, so a restart does not advance it either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiryClock {
    reached: Timestamp,
    looked: MonotonicTime,
}

impl ExpiryClock {
    /// Starts the clock. `stored` is its last time in the previous run. `None`: there was no previous run.
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

    const NOW: Timestamp = Timestamp::saturating_from_micros(1_700_000_000_000_000);

    fn user(password: &str, is_active: bool) -> User {
        User {
            id: UserId(1),
            username: "ann".to_owned(),
            password_hash: Some(password.to_owned()),
            first_name: String::new(),
            last_name: String::new(),
            email: String::new(),
            is_staff: false,
            is_superuser: false,
            is_active,
            created: NOW,
            grants: Vec::new(),
        }
    }

    #[test]
    fn what_a_change_of_the_user_ends() {
        let token = |kind, origin| Token {
            id: TokenId(1),
            user: UserId(1),
            kind,
            hash: [0; 32],
            created: NOW,
            expires: None,
            replaceable: false,
            origin,
            note: String::new(),
        };
        let session = token(TokenKind::Session, TokenOrigin::Password);
        let login = token(TokenKind::Login, TokenOrigin::Password);
        let derived = token(TokenKind::Login, TokenOrigin::Hand);
        let by_hand = token(TokenKind::Classic, TokenOrigin::Hand);
        let (active, inactive) = (user("old", true), user("old", false));
        let promoted = User { is_staff: true, ..user("old", true) };
        for (before, after, ended) in [
            (&active, &promoted, [false, false, false, false]),
            (&active, &user("new", true), [true, true, false, false]),
            (&active, &inactive, [true, false, false, false]),
            (&inactive, &active, [true, true, false, false]),
            (&inactive, &user("new", false), [true, true, false, false]),
        ] {
            let got = [&session, &login, &derived, &by_hand].map(|token| token.is_ended_by(before, after));
            assert_eq!(got, ended, "{before:?} {after:?}");
        }
    }

    #[test]
    fn sessions_are_extended_once_a_day_while_they_are_used() {
        let token = |kind, expires: i64| Token {
            id: TokenId(1),
            user: UserId(1),
            kind,
            hash: [0; 32],
            created: NOW,
            expires: Some(NOW.saturating_add_micros(expires)),
            replaceable: false,
            origin: TokenOrigin::Password,
            note: String::new(),
        };
        let session = |expires| token(TokenKind::Session, expires).extended(NOW);
        let extended = Some(NOW.saturating_add_micros(14 * DAY));
        for (expires, expected) in [
            (14 * DAY, None),
            (13 * DAY + 1, None),
            (13 * DAY, extended),
            (1, extended),
            (0, None),
            (-1, None),
            // The clock was set back meanwhile.
            (20 * DAY, None),
        ] {
            assert_eq!(session(expires), expected, "{expires}");
        }
        assert_eq!(token(TokenKind::Login, DAY).extended(NOW), None);
        assert_eq!(Token { expires: None, ..token(TokenKind::Session, 0) }.extended(NOW), None);
    }

    const HOUR: i64 = 3_600_000_000;
    const DAY: i64 = 24 * HOUR;

    fn at(wall: i64, moment: i64) -> Now {
        Now { wall: Timestamp::saturating_from_micros(wall), moment: MonotonicTime::from_micros(moment) }
    }

    #[test]
    fn follows_the_time_of_day_no_faster_than_twice() {
        let mut clock = ExpiryClock::new(Some(at(0, 0).wall), at(0, 0));
        assert_eq!(clock.look(at(HOUR, HOUR)).micros(), HOUR);
        // A month ahead, for one hour.
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

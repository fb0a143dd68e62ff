//! The only reader of the clocks and of randomness; everything else gets both as arguments.

use std::{
    sync::{LazyLock, Mutex, PoisonError},
    time::Instant,
};

use crate::domain::time::{MonotonicTime, Now, Timestamp};

/// Tells the time in UTC, and how much of it has passed.
pub trait Clock: Send + Sync {
    /// The time of day. It may be set, in either direction, at any time: nothing waits by it.
    fn now(&self) -> Timestamp;

    /// A reading of the clock that only goes forward, by which everything waits.
    fn moment(&self) -> MonotonicTime;

    fn both(&self) -> Now {
        Now { wall: self.now(), moment: self.moment() }
    }
}

/// The host's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// What moments are counted from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the clock is read")]
    fn now(&self) -> Timestamp {
        Timestamp::saturating_from_micros(chrono::Utc::now().timestamp_micros())
    }

    fn moment(&self) -> MonotonicTime {
        MonotonicTime::from_micros(i64::try_from(START.elapsed().as_micros()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until it is told otherwise, for tests.
#[derive(Debug)]
pub struct ManualClock(Mutex<Now>);

impl ManualClock {
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self(Mutex::new(Now { wall: now, moment: MonotonicTime::from_micros(0) }))
    }

    /// Time passes until then. An earlier time is a jump back, during which no time passes.
    pub fn set(&self, now: Timestamp) {
        let mut clock = self.lock();
        let passed = now.micros().saturating_sub(clock.wall.micros()).max(0);
        *clock = Now { wall: now, moment: clock.moment.saturating_add_micros(passed) };
    }

    /// So much time passes.
    pub fn advance_micros(&self, micros: i64) {
        let mut clock = self.lock();
        clock.wall = clock.wall.saturating_add_micros(micros);
        clock.moment = clock.moment.saturating_add_micros(micros.max(0));
    }

    /// The time of day is set forward, or back, while no time passes.
    pub fn jump_micros(&self, micros: i64) {
        let mut clock = self.lock();
        clock.wall = clock.wall.saturating_add_micros(micros);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Now> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.lock().wall
    }

    fn moment(&self) -> MonotonicTime {
        self.lock().moment
    }

    fn both(&self) -> Now {
        *self.lock()
    }
}

/// Random bytes from the operating system, for secrets and names.
///
/// # Panics
/// If the operating system has no randomness to give, which no supported one does after boot.
#[must_use]
#[expect(clippy::expect_used, reason = "without randomness no secret may be made")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_goes_forward() {
        let (one, other) = (SystemClock.moment(), SystemClock.moment());
        assert!(other >= one && one >= MonotonicTime::from_micros(0));
    }

    #[test]
    fn a_clock_that_is_set_by_hand_tells_what_passes_from_what_is_skipped() {
        let clock = ManualClock::new(Timestamp::saturating_from_micros(1_000));
        let both = || (clock.now().micros(), clock.moment().micros());
        clock.advance_micros(10);
        assert_eq!(both(), (1_010, 10));
        clock.jump_micros(-500);
        assert_eq!(both(), (510, 10));
        clock.set(Timestamp::saturating_from_micros(520));
        assert_eq!(both(), (520, 20));
        clock.set(Timestamp::saturating_from_micros(0));
        assert_eq!(both(), (0, 20));
    }
}

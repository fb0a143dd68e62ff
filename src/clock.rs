//! The only reader of the clocks and of randomness. Everything else receives both as arguments.

use std::{
    sync::{LazyLock, Mutex, PoisonError},
    time::Instant,
};

use crate::domain::{MonotonicTime, Now, Timestamp};

/// Source of the time of day in UTC, and of a monotonic time by which waits are measured.
pub trait Clock: Send + Sync {
    /// Returns the time of day. It may be set in either direction at any time, so no wait depends on it.
    fn now(&self) -> Timestamp;

    /// Returns the monotonic time, by which all waits are measured.
    fn moment(&self) -> MonotonicTime;

    fn both(&self) -> Now {
        Now { wall: self.now(), moment: self.moment() }
    }
}

/// The clocks of the host.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// Origin of monotonic times: the first reading in this process.
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

/// A clock that stands still until it is moved, for tests.
#[derive(Debug)]
pub struct ManualClock(Mutex<Now>);

impl ManualClock {
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self(Mutex::new(Now { wall: now, moment: MonotonicTime::from_micros(0) }))
    }

    /// Moves the time of day to `now`, and the monotonic time by the difference. An earlier `now` only sets the time of
    /// day back.
    pub fn set(&self, now: Timestamp) {
        let mut clock = self.lock();
        let passed = now.micros().saturating_sub(clock.wall.micros()).max(0);
        *clock = Now { wall: now, moment: clock.moment.saturating_add_micros(passed) };
    }

    /// Moves both clocks forward. A negative number sets the time of day back only.
    pub fn advance_micros(&self, micros: i64) {
        let mut clock = self.lock();
        clock.wall = clock.wall.saturating_add_micros(micros);
        clock.moment = clock.moment.saturating_add_micros(micros.max(0));
    }

    /// Sets the time of day forward or back by `micros`, without a change of the monotonic time.
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

/// Returns random bytes from the operating system, for secrets and names.
///
/// # Panics
/// If the operating system has no randomness, which does not happen on a supported system after boot.
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

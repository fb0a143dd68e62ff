//! Decides when to retry a message and when to stop. Pure: time and randomness are arguments.

use crate::domain::{
    MonotonicTime,
    limits::{DESTINATION_BACKOFF_FIRST_MICROS, DESTINATION_BACKOFF_MAX_MICROS, RETRY_FIRST_MICROS, RETRY_MAX_MICROS},
};

/// Returns when a message that was tried `attempts` times is tried again. `chance` is between 0 and 1 and spreads
/// messages that failed together over four fifths to six fifths of the delay. The last attempt is made at `until`.
#[must_use]
pub fn next_attempt(attempts: u32, now: MonotonicTime, until: MonotonicTime, chance: f64) -> MonotonicTime {
    let delay = spread(doubled(RETRY_FIRST_MICROS, attempts, RETRY_MAX_MICROS), chance);
    now.saturating_add_micros(delay).min(until).max(now)
}

/// Returns the longest wait of a message that was tried `attempts` times for the next attempt, in microseconds.
#[must_use]
pub fn longest_wait(attempts: u32) -> i64 {
    spread(doubled(RETRY_FIRST_MICROS, attempts, RETRY_MAX_MICROS), 1.0)
}

/// Returns until when a destination that failed `failures` times in a row is paused, whatever is waiting for it.
#[must_use]
pub fn blocked_until(failures: u32, now: MonotonicTime, chance: f64) -> MonotonicTime {
    let delay = spread(doubled(DESTINATION_BACKOFF_FIRST_MICROS, failures, DESTINATION_BACKOFF_MAX_MICROS), chance);
    now.saturating_add_micros(delay)
}

/// Returns `first` at the first time, then twice as much each time, up to `max`.
fn doubled(first: i64, times: u32, max: i64) -> i64 {
    let factor = 1_i64 << times.saturating_sub(1).min(30);
    first.saturating_mul(factor).min(max)
}

fn spread(delay: i64, chance: f64) -> i64 {
    (delay as f64 * (0.8 + 0.4 * chance.clamp(0.0, 1.0))) as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: MonotonicTime = MonotonicTime::from_micros(1_700_000_000_000_000);
    const FAR: MonotonicTime = MonotonicTime::from_micros(i64::MAX);

    proptest! {
        #[test]
        fn attempts_move_apart_but_never_past_the_end(attempts in 0_u32..100, window in 0_i64..100_000_000_000, chance in 0.0..1.0_f64) {
            let until = NOW.saturating_add_micros(window);
            let next = next_attempt(attempts, NOW, until, chance);
            prop_assert!(next >= NOW && next <= until);
            prop_assert!(next.micros_since(NOW) <= longest_wait(attempts));
            let (this, following) = (next_attempt(attempts, NOW, FAR, 0.5), next_attempt(attempts + 1, NOW, FAR, 0.5));
            prop_assert!(this <= following);
            prop_assert!(next_attempt(attempts, NOW, FAR, chance) <= NOW.saturating_add_micros(RETRY_MAX_MICROS * 6 / 5));
        }
    }

    #[test]
    fn the_first_attempts_come_soon() {
        assert_eq!(next_attempt(1, NOW, FAR, 0.5), NOW.saturating_add_micros(RETRY_FIRST_MICROS));
        assert_eq!(next_attempt(3, NOW, FAR, 0.5), NOW.saturating_add_micros(4 * RETRY_FIRST_MICROS));
        assert_eq!(blocked_until(1, NOW, 0.5), NOW.saturating_add_micros(DESTINATION_BACKOFF_FIRST_MICROS));
        assert_eq!(blocked_until(40, NOW, 0.5), NOW.saturating_add_micros(DESTINATION_BACKOFF_MAX_MICROS));
    }
}

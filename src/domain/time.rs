//! Timestamps, and readings of the monotonic clock.

use chrono::{DateTime, Utc};

/// Microseconds since 1970-01-01T00:00:00 UTC, between the years 1 and 9999.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0001-01-01T00:00:00 UTC.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// 9999-12-31T23:59:59.999999 UTC.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// Returns the timestamp. `None` outside the years 1 to 9999.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if micros < Self::MIN.0 || micros > Self::MAX.0 {
            return None;
        }
        Some(Self(micros))
    }

    /// Returns the nearest valid timestamp, for arithmetic that may leave the years 1 to 9999.
    #[must_use]
    pub const fn saturating_from_micros(micros: i64) -> Self {
        if micros < Self::MIN.0 {
            Self::MIN
        } else if micros > Self::MAX.0 {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// Returns the timestamp, without digits below a microsecond. `None` outside the years 1 to 9999.
    #[must_use]
    pub fn from_datetime(at: DateTime<Utc>) -> Option<Self> {
        Self::from_micros(at.timestamp_micros())
    }

    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    #[must_use]
    pub fn to_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }

    #[must_use]
    pub const fn saturating_add_micros(self, micros: i64) -> Self {
        Self::saturating_from_micros(self.0.saturating_add(micros))
    }
}

/// A reading of the monotonic clock: microseconds since a moment that is the same for the whole run of the program.
///
/// It advances evenly, however the time of day is set. Readings of different runs cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonotonicTime(i64);

impl MonotonicTime {
    /// The earliest reading.
    pub const MIN: Self = Self(i64::MIN);

    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn saturating_add_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Returns the microseconds from `earlier` to this moment, or 0 if `earlier` is later.
    #[must_use]
    pub const fn micros_since(self, earlier: Self) -> i64 {
        let micros = self.0.saturating_sub(earlier.0);
        if micros < 0 { 0 } else { micros }
    }
}

/// Readings of both clocks at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    pub wall: Timestamp,
    pub moment: MonotonicTime,
}

impl Now {
    /// Returns the time of day at that moment, past or future, provided that the clock is not set.
    #[must_use]
    pub const fn wall_at(self, moment: MonotonicTime) -> Timestamp {
        self.wall.saturating_add_micros(moment.0.saturating_sub(self.moment.0))
    }
}

/// Detector of changes of the time of day: between two looks, both clocks advance by different times.
#[derive(Clone, Copy, Debug)]
pub struct StepDetector(Now);

impl StepDetector {
    #[must_use]
    pub const fn new(now: Now) -> Self {
        Self(now)
    }

    /// Returns the microseconds by which the time of day was set forward since the last look, or back if negative.
    /// `None`: less than `least`, as when a clock is slowly adjusted.
    pub fn look(&mut self, now: Now, least: i64) -> Option<i64> {
        let expected = self.0.wall_at(now.moment);
        self.0 = now;
        let step = now.wall.micros().saturating_sub(expected.micros());
        (step.unsigned_abs() >= least.unsigned_abs()).then_some(step)
    }
}

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Formats a duration in microseconds, with its two largest units.
#[must_use]
pub fn span(micros: i64) -> String {
    let parts = [(DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")];
    let Some(first) = parts.iter().position(|(unit, _)| micros >= *unit) else { return "0 s".to_owned() };
    let mut words = Vec::new();
    let mut left = micros;
    for (unit, name) in parts.iter().skip(first).take(2) {
        let count = left / unit;
        left %= unit;
        if count > 0 {
            words.push(format!("{count} {name}"));
        }
    }
    words.join(" ")
}

/// Formats a time relative to now, such as "3 h ago" or "in 2 d".
#[must_use]
pub fn ago(now: Timestamp, at: Timestamp) -> String {
    let passed = now.micros().saturating_sub(at.micros());
    match passed {
        passed if passed.saturating_abs() < SECOND => "now".to_owned(),
        passed if passed > 0 => format!("{} ago", span(passed)),
        passed => format!("in {}", span(passed.saturating_neg())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: i64 = 5 * SECOND;

    #[test]
    fn time_that_passes_is_no_step_and_a_clock_that_is_set_is_one() {
        let (mut wall, mut moment) = (1_700_000_000 * SECOND, 0);
        let mut look = |passed: i64, set: i64| {
            (wall, moment) = (wall + passed + set, moment + passed);
            Now { wall: Timestamp::saturating_from_micros(wall), moment: MonotonicTime::from_micros(moment) }
        };
        let mut detector = StepDetector::new(look(0, 0));
        assert_eq!(detector.look(look(3_600 * SECOND, 0), LEAST), None);
        assert_eq!(detector.look(look(SECOND, 4 * SECOND), LEAST), None);
        for step in [-30 * 86_400 * SECOND, -60 * SECOND, 60 * SECOND, 30 * 86_400 * SECOND] {
            assert_eq!(detector.look(look(SECOND, step), LEAST), Some(step));
        }
        assert_eq!(detector.look(look(SECOND, 0), LEAST), None, "each step is noticed once");
    }
}

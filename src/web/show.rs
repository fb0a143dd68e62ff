//! Times and durations, formatted for a user.

use chrono::{SecondsFormat, Timelike};
use chrono_tz::Tz;

pub use crate::domain::time::span;
use crate::domain::{DateFormat, Timestamp, time::ago};

/// Format of times for a user, at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Show {
    pub zone: Tz,
    pub format: DateFormat,
    pub now: Timestamp,
}

impl Show {
    /// Formats a time as the user prefers. If the language of the browser decides, this is what is shown without
    /// scripts.
    #[must_use]
    pub fn moment(&self, at: &Timestamp) -> String {
        let local = at.to_datetime().with_timezone(&self.zone);
        match self.format {
            DateFormat::Locale => local.format("%-d %b %Y %H:%M:%S").to_string(),
            DateFormat::Iso => local.format("%Y-%m-%d %H:%M:%S").to_string(),
            DateFormat::Rfc5322 => local.format("%a, %-d %b %Y %H:%M:%S %z").to_string(),
            DateFormat::Epoch => at.to_datetime().timestamp().to_string(),
        }
    }

    /// Formats a time for `datetime` attributes, in UTC.
    #[must_use]
    pub fn machine(&self, at: &Timestamp) -> String {
        at.to_datetime().to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// Formats a time for input fields of type `datetime-local`, in the time zone of the user.
    #[must_use]
    pub fn input(&self, at: &Timestamp) -> String {
        let local = at.to_datetime().with_timezone(&self.zone);
        let format = if local.second() == 0 { "%Y-%m-%dT%H:%M" } else { "%Y-%m-%dT%H:%M:%S" };
        local.format(format).to_string()
    }

    /// Formats a time relative to now, such as "3 h ago" or "in 2 d".
    #[must_use]
    pub fn relative(&self, at: &Timestamp) -> String {
        ago(self.now, *at)
    }

    /// Formats the time that has passed since `at`.
    #[must_use]
    pub fn since(&self, at: &Timestamp) -> String {
        span(self.now.micros().saturating_sub(at.micros()).max(0))
    }

    #[must_use]
    pub fn between(&self, from: &Timestamp, to: &Timestamp) -> String {
        span(to.micros().saturating_sub(from.micros()).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;
    const MINUTE: i64 = 60 * SECOND;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;

    #[test]
    fn spans_have_two_units() {
        for (micros, text) in [
            (0, "0 s"),
            (59 * SECOND, "59 s"),
            (61 * SECOND, "1 min 1 s"),
            (HOUR, "1 h"),
            (DAY + 59 * SECOND, "1 d"),
            (3 * DAY + 4 * HOUR + 5 * MINUTE, "3 d 4 h"),
        ] {
            assert_eq!(span(micros), text);
        }
    }

    #[test]
    fn writes_moments_in_four_ways() {
        let at = Timestamp::saturating_from_micros(1_763_000_000 * SECOND);
        let show = |format| Show { zone: Tz::Europe__Oslo, format, now: at };
        assert_eq!(show(DateFormat::Iso).moment(&at), "2025-11-13 03:13:20");
        assert_eq!(show(DateFormat::Rfc5322).moment(&at), "Thu, 13 Nov 2025 03:13:20 +0100");
        assert_eq!(show(DateFormat::Epoch).moment(&at), "1763000000");
        assert_eq!(show(DateFormat::Locale).moment(&at), "13 Nov 2025 03:13:20");
        assert_eq!(show(DateFormat::Iso).input(&at), "2025-11-13T03:13:20");
    }
}

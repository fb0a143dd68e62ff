//! Rules of scheduled backups: their names, when the next one is due, and which old ones are deleted.

use chrono::{NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;

use super::{MonotonicTime, Now, Timestamp};

const MINUTE_MICROS: i64 = 60_000_000;
const HOUR_MICROS: i64 = 60 * MINUTE_MICROS;
/// Time of day, in microseconds after midnight, at which a daily backup is due.
const TIME_OF_DAY_MICROS: i64 = 2 * HOUR_MICROS;
/// Delay after the start of the server, and after a failure, in microseconds. With short periods it is a quarter of the
/// period.
const START_DELAY_MICROS: i64 = 15 * MINUTE_MICROS;
const RETRY_MICROS: i64 = HOUR_MICROS;
/// Microseconds by which the name of a backup may be ahead of the clock without being of the future.
const TOLERANCE_MICROS: i64 = HOUR_MICROS;

const NAME_FORMAT: &str = "%Y-%m-%dT%H%MZ";
const SUFFIX: &str = ".redb";

/// Returns the name of a backup of a data file, such as `argusd-2026-11-28T0200Z.redb`. `stem` is the name of the data
/// file without its extension. Names sort by time.
#[must_use]
pub fn name(stem: &str, at: Timestamp) -> String {
    format!("{stem}-{}{SUFFIX}", at.to_datetime().format(NAME_FORMAT))
}

/// Returns the time in the name of a backup, in whole minutes. `None` for all other names.
#[must_use]
pub fn time_of(stem: &str, file: &str) -> Option<Timestamp> {
    let time = file.strip_prefix(stem)?.strip_prefix('-')?.strip_suffix(SUFFIX)?;
    let at = Timestamp::from_datetime(NaiveDateTime::parse_from_str(time, NAME_FORMAT).ok()?.and_utc())?;
    // The parser accepts signs, and numbers with fewer digits.
    (name(stem, at) == file).then_some(at)
}

/// Returns whether a backup has a name that the clock does not explain, because it was wrong then or is wrong now. Such
/// a backup neither counts nor is deleted.
#[must_use]
pub fn is_of_the_future(at: Timestamp, now: Timestamp) -> bool {
    at > now.saturating_add_micros(TOLERANCE_MICROS)
}

/// Returns the newest backup that is not of the future.
#[must_use]
pub fn newest(backups: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
    backups.iter().copied().filter(|at| !is_of_the_future(*at, now)).max()
}

/// Returns the backups that can be deleted after the one of the time `written` was written, so that `keep` are left.
#[must_use]
pub fn surplus(backups: &[Timestamp], written: Timestamp, keep: usize, now: Timestamp) -> Vec<Timestamp> {
    let mut old: Vec<Timestamp> =
        backups.iter().copied().filter(|at| *at != written && !is_of_the_future(*at, now)).collect();
    old.sort_unstable();
    old.truncate(old.len().saturating_sub(keep.saturating_sub(1)));
    old
}

/// State of a schedule, from which it follows whether its next backup is due.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// Period in microseconds.
    pub every: i64,
    /// Zone in which the periods begin: a daily backup at two o'clock.
    pub zone: Tz,
    pub started: MonotonicTime,
    /// Time of the newest backup, by its name.
    pub newest: Option<Timestamp>,
    /// Moments of the last backup and of the last attempt of this process.
    pub last_success: Option<MonotonicTime>,
    pub last_attempt: Option<MonotonicTime>,
}

impl Schedule {
    /// Returns whether a backup is due: none was written in the current period, which begins at the same time of day
    /// each day. However the clock is set, there are one to four backups in a period.
    #[must_use]
    pub fn is_due(&self, now: Now) -> bool {
        let quarter = self.every / 4;
        let too_soon = |since: Option<MonotonicTime>, wait: i64| {
            since.is_some_and(|since| now.moment.micros_since(since) < wait.min(quarter))
        };
        if too_soon(Some(self.started), START_DELAY_MICROS)
            || too_soon(self.last_success, quarter)
            || too_soon(self.last_attempt, RETRY_MICROS)
        {
            return false;
        }
        let in_new_period = self.newest.is_none_or(|newest| self.period(now.wall) > self.period(newest));
        let is_overdue =
            || self.last_success.is_some_and(|last| now.moment.micros_since(last) > self.every + self.every / 8);
        in_new_period || is_overdue()
    }

    fn period(&self, at: Timestamp) -> i64 {
        let offset = self.zone.offset_from_utc_datetime(&at.to_datetime().naive_utc()).fix().local_minus_utc();
        let local = at.micros().saturating_add(i64::from(offset) * 1_000_000);
        local.saturating_sub(TIME_OF_DAY_MICROS).div_euclid(self.every.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::datetime::parse;

    const DAY: i64 = 24 * HOUR_MICROS;

    fn at(text: &str) -> Timestamp {
        parse(text, Tz::UTC).unwrap()
    }

    fn now(text: &str, moment: i64) -> Now {
        Now { wall: at(text), moment: MonotonicTime::from_micros(moment) }
    }

    fn nightly(newest: Option<&str>) -> Schedule {
        Schedule {
            every: DAY,
            zone: Tz::Europe__Oslo,
            started: MonotonicTime::from_micros(0),
            newest: newest.map(at),
            last_success: None,
            last_attempt: None,
        }
    }

    #[test]
    fn names_sort_by_time_and_only_they_are_backups() {
        let (one, other) = (at("2026-11-28T02:00:59Z"), at("2026-12-01T00:00:00Z"));
        assert_eq!(name("argusd", one), "argusd-2026-11-28T0200Z.redb");
        assert!(name("argusd", one) < name("argusd", other));
        assert_eq!(time_of("argusd", "argusd-2026-11-28T0200Z.redb"), Some(at("2026-11-28T02:00:00Z")));
        for foreign in [
            "argusd.redb",
            "argusd-2026-11-28T0200Z.redb.partial",
            "argusd-2026-11-28T0200Z.red",
            "argusd-2026-11-28T020000Z.redb",
            "argusd-2026-11-28T0200.redb",
            "argusd-2026-13-28T0200Z.redb",
            "argusd--2026-11-28T0200Z.redb",
            "argusd-+2026-1-28T0200Z.redb",
            "argusd-2-2026-11-28T0200Z.redb",
            "other-2026-11-28T0200Z.redb",
            "argusd-before-the-move.redb",
        ] {
            assert_eq!(time_of("argusd", foreign), None, "{foreign}");
        }
        assert!(time_of("argusd-2", "argusd-2-2026-11-28T0200Z.redb").is_some());
    }

    #[test]
    fn a_nightly_backup_is_due_after_two_in_the_morning() {
        let later = 16 * MINUTE_MICROS;
        // 02:00 in Oslo is 01:00 UTC.
        let last = nightly(Some("2026-11-28T01:00:00Z"));
        for (time, due) in [
            ("2026-11-28T01:30:00Z", false),
            ("2026-11-29T00:59:00Z", false),
            ("2026-11-29T01:00:00Z", true),
            ("2026-12-09T13:00:00Z", true),
        ] {
            assert_eq!(last.is_due(now(time, later)), due, "{time}");
        }
        assert!(nightly(None).is_due(now("2026-11-28T13:00:00Z", later)), "there is none");
        assert!(!nightly(None).is_due(now("2026-11-28T13:00:00Z", 14 * MINUTE_MICROS)), "not right after the start");
    }

    #[test]
    fn a_failed_backup_is_tried_again_after_an_hour() {
        let schedule = Schedule { last_attempt: Some(MonotonicTime::from_micros(DAY)), ..nightly(None) };
        assert!(!schedule.is_due(now("2026-11-28T02:30:00Z", DAY + 59 * MINUTE_MICROS)));
        assert!(schedule.is_due(now("2026-11-28T02:31:00Z", DAY + 60 * MINUTE_MICROS)));
    }

    #[test]
    fn a_clock_that_jumps_causes_no_flood_and_no_gap() {
        let moment = MonotonicTime::from_micros(DAY);
        let written = |newest| Schedule { last_success: Some(moment), last_attempt: Some(moment), ..nightly(newest) };
        // It jumps ten days forward every hour.
        let mut schedule = written(Some("2026-11-28T01:00:00Z"));
        let mut backups = 0;
        for hour in 1..=48 {
            let wall = at("2026-11-28T01:00:00Z").saturating_add_micros(hour * 10 * DAY);
            let now = Now { wall, moment: moment.saturating_add_micros(hour * HOUR_MICROS) };
            if schedule.is_due(now) {
                backups += 1;
                schedule = Schedule { newest: Some(wall), last_success: Some(now.moment), ..schedule };
            }
        }
        assert_eq!(backups, 8, "four a day");
        // It stands still, or was set back for good.
        let schedule = written(Some("2026-11-28T01:00:00Z"));
        assert!(!schedule.is_due(now("2026-11-28T01:10:00Z", 2 * DAY)));
        assert!(schedule.is_due(now("2026-11-28T01:10:00Z", 2 * DAY + DAY / 8 + 1)));
    }

    #[test]
    fn old_backups_are_deleted_by_their_names() {
        let days = |days: &[i64]| -> Vec<Timestamp> {
            days.iter().map(|day| at("2026-11-01T02:00:00Z").saturating_add_micros(day * DAY)).collect()
        };
        let day = |number| days(&[number])[0];
        let delete = |found: &[i64], written, keep| surplus(&days(found), day(written), keep, day(written));
        assert_eq!(delete(&[1, 2, 3], 3, 3), []);
        assert_eq!(delete(&[4, 1, 3, 2], 4, 3), days(&[1]));
        assert_eq!(delete(&[1, 2, 3, 4, 5], 5, 2), days(&[1, 2, 3]), "fewer are kept than before");
        assert_eq!(delete(&[1, 2], 2, 1), days(&[1]));
        // The clock is far behind: the good ones stay, and those of the wrong time do not pile up.
        assert_eq!(delete(&[10, 11, 12, 1], 1, 3), []);
        assert_eq!(delete(&[10, 11, 12, 1, 2, 3, 4], 4, 3), days(&[1]));
        // The clock is right again after it was far ahead.
        assert_eq!(delete(&[900, 901, 1, 2, 3, 4], 4, 3), days(&[1]));
        assert_eq!(newest(&days(&[1, 900, 2]), day(3)), Some(day(2)));
    }
}

//! Decides whether a timeslot contains a moment. Recurrences are local times of a time zone on its weekdays.
//!
//! Each moment has one local time, so nothing is ambiguous. When clocks are put back, local times that occur twice
//! count twice. When clocks are put forward, skipped local times never occur, and a recurrence that starts among them
//! opens at the first local time after them.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use super::{Recurrence, TimeOfDay, Timestamp};

/// Two weeks and a day, because an opening that occurs once a week may be skipped once when clocks are put forward.
const LOOK_AHEAD_DAYS: u64 = 15;
/// Time from noon UTC to either end of the day in any zone.
const AROUND_NOON: TimeDelta = TimeDelta::hours(26);

/// Returns whether the timeslot contains the moment. Start and end of a recurrence are included (contract section
/// 19.2).
#[must_use]
pub fn is_open(recurrences: &[Recurrence], zone: Tz, at: Timestamp) -> bool {
    let local = at.to_datetime().with_timezone(&zone);
    let day = local.weekday().number_from_monday() as u8;
    let micros = u64::from(local.num_seconds_from_midnight()) * 1_000_000 + u64::from(local.nanosecond() / 1_000);
    let time = TimeOfDay(micros);
    recurrences.iter().any(|it| it.days.contains(&day) && it.start <= time && time <= it.end)
}

/// Returns the first moment after `after` at which the timeslot opens. `None` if that never happens, because it is
/// always or never open.
#[must_use]
pub fn next_opening(recurrences: &[Recurrence], zone: Tz, after: Timestamp) -> Option<Timestamp> {
    let opens = |at: &Timestamp| {
        let before = at.saturating_add_micros(-1);
        *at > after && is_open(recurrences, zone, *at) && !is_open(recurrences, zone, before)
    };
    let today = after.to_datetime().with_timezone(&zone).date_naive();
    let days = (0..=LOOK_AHEAD_DAYS).filter_map(|ahead| today.checked_add_days(Days::new(ahead)));
    days.flat_map(|day| {
        let starts = recurrences.iter().flat_map(move |it| moments_of(day, it.start, zone));
        starts.chain(change_of_clocks(day, zone))
    })
    .filter_map(Timestamp::from_datetime)
    .filter(opens)
    .min()
}

/// Returns the moments at which clocks show this time on this day: none, one or two.
fn moments_of(day: NaiveDate, time: TimeOfDay, zone: Tz) -> impl Iterator<Item = DateTime<Utc>> {
    let (seconds, micros) = (time.0 / 1_000_000, time.0 % 1_000_000);
    let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds as u32, micros as u32 * 1_000);
    let found = time.map(|time| zone.from_local_datetime(&day.and_time(time)));
    let moments = found.map(|found| [found.earliest(), found.latest()]);
    moments.into_iter().flatten().flatten().map(|at| at.to_utc())
}

/// Returns the first moment after clocks are put forward or back around this day. `None`: they are not.
fn change_of_clocks(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let noon = day.and_hms_opt(12, 0, 0)?.and_utc();
    let (mut before, mut behind) = (noon.checked_sub_signed(AROUND_NOON)?, noon.checked_add_signed(AROUND_NOON)?);
    let offset = |at: DateTime<Utc>| zone.offset_from_utc_datetime(&at.naive_utc()).fix();
    let first = offset(before);
    if first == offset(behind) {
        return None;
    }
    while behind - before > TimeDelta::seconds(1) {
        let middle = before + TimeDelta::seconds((behind - before).num_seconds() / 2);
        if offset(middle) == first { before = middle } else { behind = middle }
    }
    Some(behind)
}

#[cfg(test)]
mod tests;

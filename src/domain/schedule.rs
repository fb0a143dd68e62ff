//! When a timeslot is open: local times of a zone, on the weekdays of that zone.
//!
//! A moment has one local time, so nothing is ambiguous: when clocks are put back, local times that come twice count
//! twice; when they are put forward, those that are skipped never come, and a recurrence that starts among them opens
//! at the first local time that does.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;

use super::{
    time::Timestamp,
    timeslot::{Recurrence, TimeOfDay, Timeslot},
};

const DAY_MICROS: i64 = 86_400_000_000;

/// Does the moment fall into the timeslot? Both ends of a recurrence count (contract section 19.2).
#[must_use]
pub fn is_open(recurrences: &[Recurrence], zone: Tz, at: Timestamp) -> bool {
    let local = at.to_datetime().with_timezone(&zone);
    let day = local.weekday().number_from_monday() as u8;
    let seconds = u64::from(local.num_seconds_from_midnight());
    // Leap seconds do not reach us, but chrono counts them as more than a second's worth of nanoseconds.
    let micros = u64::from(local.nanosecond() / 1_000).min(999_999);
    let time = TimeOfDay(seconds * 1_000_000 + micros);
    recurrences.iter().any(|it| it.days.contains(&day) && it.start <= time && time <= it.end)
}

/// The first moment after `after` at which the timeslot opens; `None` if it never does within the next nine days, which
/// is to say never, or if it is open without an end.
#[must_use]
pub fn next_opening(timeslot: &Timeslot, zone: Tz, after: Timestamp) -> Option<Timestamp> {
    let open = |at: Timestamp| is_open(&timeslot.recurrences, zone, at);
    let opens = |at: &Timestamp| *at > after && open(*at) && !open(at.saturating_add_micros(-1));
    let today = after.to_datetime().with_timezone(&zone).date_naive();
    let days = (0..=9_u64).filter_map(|offset| today.checked_add_days(Days::new(offset)));
    days.flat_map(|day| {
        let mut moments: Vec<Timestamp> = transition(day, zone).into_iter().collect();
        moments.extend(timeslot.recurrences.iter().flat_map(|it| moments_of(day, it.start, zone)));
        moments
    })
    .filter(opens)
    .min()
}

/// Every moment at which clocks show this time on this day: none, one or two.
fn moments_of(day: NaiveDate, time: TimeOfDay, zone: Tz) -> Vec<Timestamp> {
    let (seconds, micros) = (time.0 / 1_000_000, time.0 % 1_000_000);
    let Some(time) = NaiveTime::from_num_seconds_from_midnight_opt(seconds as u32, micros as u32 * 1_000) else {
        return Vec::new();
    };
    let local = zone.from_local_datetime(&day.and_time(time));
    [local.earliest(), local.latest()].into_iter().flatten().filter_map(|at| timestamp(at.to_utc())).collect()
}

/// When clocks are put forward or back on this day, if they are.
fn transition(day: NaiveDate, zone: Tz) -> Option<Timestamp> {
    let noon = day.and_hms_opt(12, 0, 0)?.and_utc();
    // Wide enough for the day as any zone sees it.
    let (mut before, mut behind) =
        (noon.checked_sub_signed(TimeDelta::hours(26))?, noon.checked_add_signed(TimeDelta::hours(26))?);
    let first = utc_offset(before, zone);
    if first == utc_offset(behind, zone) {
        return None;
    }
    while behind.timestamp_micros() - before.timestamp_micros() > 1 {
        let middle = before + TimeDelta::microseconds((behind.timestamp_micros() - before.timestamp_micros()) / 2);
        if utc_offset(middle, zone) == first { before = middle } else { behind = middle }
    }
    timestamp(behind)
}

fn utc_offset(at: DateTime<Utc>, zone: Tz) -> i64 {
    let local = at.with_timezone(&zone).naive_local();
    (local - at.naive_utc()).num_microseconds().unwrap_or(DAY_MICROS)
}

fn timestamp(at: DateTime<Utc>) -> Option<Timestamp> {
    Timestamp::from_datetime(at)
}

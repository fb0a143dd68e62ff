//! Compares timeslots with a scan, minute by minute, that has its own arithmetic of time zones.

use chrono_tz::Tz;
use proptest::{collection::vec, prelude::*, sample::select};

use super::{is_open, next_opening};
use crate::domain::{
    time::Timestamp,
    timeslot::{Recurrence, TimeOfDay},
};

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A zone for the oracle: minutes east of UTC in winter and in summer, and when summer begins and ends.
#[derive(Clone, Copy, Debug)]
struct Zone {
    tz: Tz,
    winter: i64,
    summer: i64,
    /// Begin and end of summers in 2025 to 2027, in UTC, in the order of the northern hemisphere.
    summers: &'static [(i64, i64)],
}

/// Returns the number of days since 1970-01-01 in the Gregorian calendar.
const fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = if month <= 2 { month + 9 } else { month - 3 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day - 1 - 719_468
}

const fn utc(year: i64, month: i64, day: i64, hour: i64, minute: i64) -> i64 {
    day_number(year, month, day) * DAY + hour * HOUR + minute * MINUTE
}

const OSLO: Zone = Zone {
    tz: Tz::Europe__Oslo,
    winter: 60,
    summer: 120,
    summers: &[
        (utc(2025, 3, 30, 1, 0), utc(2025, 10, 26, 1, 0)),
        (utc(2026, 3, 29, 1, 0), utc(2026, 10, 25, 1, 0)),
        (utc(2027, 3, 28, 1, 0), utc(2027, 10, 31, 1, 0)),
    ],
};
const NEW_YORK: Zone = Zone {
    tz: Tz::America__New_York,
    winter: -300,
    summer: -240,
    summers: &[
        (utc(2025, 3, 9, 7, 0), utc(2025, 11, 2, 6, 0)),
        (utc(2026, 3, 8, 7, 0), utc(2026, 11, 1, 6, 0)),
        (utc(2027, 3, 14, 7, 0), utc(2027, 11, 7, 6, 0)),
    ],
};
/// A zone whose summer time differs by half an hour, and ends in April.
const LORD_HOWE: Zone = Zone {
    tz: Tz::Australia__Lord_Howe,
    winter: 630,
    summer: 660,
    summers: &[
        (utc(2024, 10, 5, 15, 30), utc(2025, 4, 5, 15, 0)),
        (utc(2025, 10, 4, 15, 30), utc(2026, 4, 4, 15, 0)),
        (utc(2026, 10, 3, 15, 30), utc(2027, 4, 3, 15, 0)),
    ],
};
const GREENWICH: Zone = Zone { tz: Tz::UTC, winter: 0, summer: 0, summers: &[(utc(2026, 3, 29, 1, 0), 0)] };

/// Returns the changes of clocks in 2025 and 2026. For UTC, which has no changes, returns an arbitrary time.
fn changes(zone: Zone) -> Vec<i64> {
    let all = zone.summers.iter().flat_map(|(begin, end)| [*begin, *end]);
    all.filter(|at| (utc(2025, 1, 1, 0, 0)..utc(2027, 1, 1, 0, 0)).contains(at)).collect()
}

/// Returns the ISO weekday and the microseconds since local midnight.
fn local(zone: Zone, at: i64) -> (u8, i64) {
    let is_summer = zone.summers.iter().any(|(begin, end)| (*begin..*end).contains(&at));
    let shown = at + if is_summer { zone.summer } else { zone.winter } * MINUTE;
    // 1970-01-01 was a Thursday.
    let weekday = (shown.div_euclid(DAY) + 3).rem_euclid(7) + 1;
    (u8::try_from(weekday).unwrap(), shown.rem_euclid(DAY))
}

fn scan_is_open(recurrences: &[Recurrence], zone: Zone, at: i64) -> bool {
    let (weekday, time) = local(zone, at);
    recurrences.iter().any(|it| {
        let (start, end) = (i64::try_from(it.start.0).unwrap(), i64::try_from(it.end.0).unwrap());
        it.days.contains(&weekday) && !(time < start || time > end)
    })
}

/// Checks whole minutes only, since recurrences start and clocks change at whole minutes.
fn scan_next_opening(recurrences: &[Recurrence], zone: Zone, after: i64) -> Option<i64> {
    let first = after.div_euclid(MINUTE) * MINUTE;
    let minutes = (1..=16 * 24 * 60).map(|minute| first + minute * MINUTE);
    let mut opens =
        minutes.filter(|at| scan_is_open(recurrences, zone, *at) && !scan_is_open(recurrences, zone, *at - 1));
    opens.next()
}

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn minute_of_day() -> impl Strategy<Value = u64> {
    // Close to the hours at which clocks change, or at any time.
    prop_oneof![0..5 * 60_u64, select(vec![90, 119, 120, 121, 135, 150, 165, 179, 180, 181_u64]), 0..24 * 60_u64]
}

fn recurrence() -> impl Strategy<Value = Recurrence> {
    let days = prop_oneof![
        select((1..=7).map(|day| vec![day]).collect::<Vec<Vec<u8>>>()),
        Just(vec![7]),
        Just(Vec::new()),
        Just((1..=7).collect::<Vec<u8>>()),
        proptest::sample::subsequence((1..=7).collect::<Vec<u8>>(), 0..=7),
    ];
    let times = prop_oneof![
        1 => Just((TimeOfDay::MIDNIGHT, TimeOfDay::LAST)),
        2 => minute_of_day().prop_map(|start| (TimeOfDay(start * 60_000_000), TimeOfDay::LAST)),
        6 => (minute_of_day(), minute_of_day()).prop_filter_map("start < end", |(start, end)| {
            (start < end).then_some((TimeOfDay(start * 60_000_000), TimeOfDay(end * 60_000_000)))
        }),
    ];
    (days, times).prop_map(|(days, (start, end))| Recurrence { days, start, end })
}

fn zone_and_change() -> impl Strategy<Value = (Zone, i64)> {
    select(vec![OSLO, NEW_YORK, LORD_HOWE, GREENWICH])
        .prop_flat_map(|zone| select(changes(zone)).prop_map(move |change| (zone, change)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn membership_is_what_the_scan_says(
        (zone, change) in zone_and_change(),
        recurrences in vec(recurrence(), 0..5),
    ) {
        let first = change - 36 * HOUR;
        for minute in 0..3 * 24 * 60 {
            let minute = first + minute * MINUTE;
            for moment in [minute - 1, minute, minute + 1] {
                let scanned = scan_is_open(&recurrences, zone, moment);
                prop_assert_eq!(is_open(&recurrences, zone.tz, at(moment)), scanned, "{}", at(moment).to_datetime());
            }
        }
    }

    #[test]
    fn the_next_opening_is_the_first_that_the_scan_meets(
        (zone, change) in zone_and_change(),
        recurrences in vec(recurrence(), 0..4),
        minutes in vec((-9 * 24 * 60..2 * 24 * 60_i64, -1..=1_i64), 1..6),
    ) {
        for (minute, micros) in minutes {
            let after = change + minute * MINUTE + micros;
            let scanned = scan_next_opening(&recurrences, zone, after).map(at);
            prop_assert_eq!(next_opening(&recurrences, zone.tz, at(after)), scanned, "{}", at(after).to_datetime());
        }
    }
}

fn sundays(start: &str, end: &str) -> [Recurrence; 1] {
    let time = |text| TimeOfDay::parse(text).unwrap();
    [Recurrence { days: vec![7], start: time(start), end: time(end) }]
}

/// Oslo, 2026-03-29: 01:59:59 is followed by 03:00:00, which is 01:00 UTC.
#[test]
fn what_starts_among_skipped_times_opens_at_the_first_that_comes() {
    let slot = sundays("02:30", "04:00");
    let gap = utc(2026, 3, 29, 1, 0);
    assert!(!is_open(&slot, OSLO.tz, at(gap - 1)) && is_open(&slot, OSLO.tz, at(gap)));
    assert!(is_open(&slot, OSLO.tz, at(gap + HOUR)) && !is_open(&slot, OSLO.tz, at(gap + HOUR + 1)));
    assert_eq!(next_opening(&slot, OSLO.tz, at(gap - HOUR)), Some(at(gap)));
}

#[test]
fn what_lies_wholly_among_skipped_times_waits_for_the_next_week() {
    let slot = sundays("02:15", "02:45");
    let the_week_before = utc(2026, 3, 22, 1, 15);
    assert!(is_open(&slot, OSLO.tz, at(the_week_before)));
    let the_week_after = utc(2026, 4, 5, 0, 15);
    assert_eq!(next_opening(&slot, OSLO.tz, at(the_week_before)), Some(at(the_week_after)));
}

/// Oslo, 2026-10-25: 02:59:59 is followed by 02:00:00, which is 01:00 UTC.
#[test]
fn times_that_come_twice_count_twice() {
    let fold = utc(2026, 10, 25, 1, 0);
    let slot = sundays("02:15", "02:45");
    let (first, second) = (fold - 45 * MINUTE, fold + 15 * MINUTE);
    for opening in [first, second] {
        assert_eq!(next_opening(&slot, OSLO.tz, at(opening - 1)), Some(at(opening)));
        assert!(is_open(&slot, OSLO.tz, at(opening + 30 * MINUTE)));
        assert!(!is_open(&slot, OSLO.tz, at(opening + 30 * MINUTE + 1)));
    }
    assert_eq!(next_opening(&slot, OSLO.tz, at(first)), Some(at(second)));
}

#[test]
fn what_began_before_the_fold_opens_again_with_it() {
    let fold = utc(2026, 10, 25, 1, 0);
    let slot = sundays("01:00", "02:30");
    assert!(!is_open(&slot, OSLO.tz, at(fold - 1)) && is_open(&slot, OSLO.tz, at(fold)));
    assert_eq!(next_opening(&slot, OSLO.tz, at(fold - HOUR)), Some(at(fold)));
}

#[test]
fn what_is_always_open_or_never_has_no_opening() {
    let always = [Recurrence { days: (1..=7).collect(), start: TimeOfDay::MIDNIGHT, end: TimeOfDay::LAST }];
    let never = [Recurrence { days: Vec::new(), start: TimeOfDay::MIDNIGHT, end: TimeOfDay::LAST }];
    for slot in [&always[..], &never, &[]] {
        assert_eq!(next_opening(slot, OSLO.tz, at(utc(2026, 3, 25, 0, 0))), None);
    }
    assert!(is_open(&always, OSLO.tz, Timestamp::MIN) && is_open(&always, OSLO.tz, Timestamp::MAX));
    assert_eq!(next_opening(&always, OSLO.tz, Timestamp::MAX), None);
}

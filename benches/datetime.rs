//! How long times take to be read and written, here and in chrono, and which forms each reads.
//! `cargo bench --bench datetime`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "it measures, and prints what it measured"
)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use argusd::domain::{
    datetime::{Zoned, parse},
    time::Timestamp,
};
use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, TimeZone};
use chrono_tz::Tz;

const OSLO: Tz = Tz::Europe__Oslo;
/// 2024-01-01T00:00:00Z.
const FIRST: i64 = 1_704_067_200_000_000;
const YEAR_MICROS: i64 = 366 * 86_400_000_000;
/// Times of one round.
const TIMES: usize = 10_000;
const ROUNDS: usize = 51;

/// What the API accepts, after Django REST framework.
const FORMS: [&str; 11] = [
    "2024-07-10T10:00:00+02:00",
    "2024-07-10T10:00:00.123456+02:00",
    "2024-07-10T08:00:00Z",
    "2024-07-10 10:00:00+02:00",
    "2024-07-10T10:00:00+0200",
    "2024-07-10T10:00:00+02",
    "2024-07-10T10:00+02:00",
    "2024-07-10T10:00:00.5",
    "2024-07-10T10:00:00",
    "2024-07-10 10:00",
    "2024-07-10",
];

fn main() {
    writing();
    reading();
}

fn writing() {
    println!("writing, ns for one time");
    for (what, zone, micros) in [("UTC", Tz::UTC, 0), ("Oslo", OSLO, 0), ("Oslo, with microseconds", OSLO, 123_456)] {
        let zoned = Zoned::new(zone);
        let near = times(86_400_000_000, micros);
        let year = times(YEAR_MICROS, micros);
        for (span, times) in [("one day", near), ("one year", year)] {
            for at in &times {
                assert_eq!(zoned.format(*at).as_str(), by_chrono(*at, zone));
            }
            let ours = median(|| times.iter().map(|at| zoned.format(black_box(*at)).as_str().len()).sum());
            let theirs = median(|| times.iter().map(|at| by_chrono(black_box(*at), zone).len()).sum());
            println!("  {what}, within {span}: {ours:.0} here, {theirs:.0} in chrono, {:.1} times", theirs / ours);
        }
    }
}

fn reading() {
    println!("reading, ns for one time: here, chrono's RFC 3339, chrono with patterns");
    for text in FORMS {
        let expected = parse(text, OSLO);
        assert!(expected.is_some(), "{text}");
        let ours = median(|| (0..TIMES).filter(|_| parse(black_box(text), OSLO).is_some()).count());
        let rfc3339 = if rfc3339(text) == expected {
            format!("{:.0}", median(|| (0..TIMES).filter(|_| rfc3339(black_box(text)).is_some()).count()))
        } else {
            "not read".to_owned()
        };
        let patterns = if with_patterns(text, OSLO) == expected {
            format!("{:.0}", median(|| (0..TIMES).filter(|_| with_patterns(black_box(text), OSLO).is_some()).count()))
        } else {
            "not read".to_owned()
        };
        println!("  {text}: {ours:.0}, {rfc3339}, {patterns}");
    }
}

/// Scattered over that span.
fn times(span: i64, micros: i64) -> Vec<Timestamp> {
    let scattered = |index: usize| (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8;
    let second = |index| FIRST + scattered(index) as i64 % span / 1_000_000 * 1_000_000;
    (0..TIMES).map(|index| Timestamp::saturating_from_micros(second(index) + micros)).collect()
}

/// Nanoseconds for one time, median of the rounds.
fn median(mut round: impl FnMut() -> usize) -> f64 {
    let mut taken: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            black_box(round());
            began.elapsed()
        })
        .collect();
    taken.sort();
    taken[ROUNDS / 2].as_nanos() as f64 / TIMES as f64
}

fn by_chrono(at: Timestamp, zone: Tz) -> String {
    let fraction = if at.micros() % 1_000_000 == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
    at.to_datetime().with_timezone(&zone).to_rfc3339_opts(fraction, true)
}

fn rfc3339(text: &str) -> Option<Timestamp> {
    Timestamp::from_datetime(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}

/// What would have to be written to read the other forms with chrono: one pattern after the other.
fn with_patterns(text: &str, zone: Tz) -> Option<Timestamp> {
    let of_zone = |local: NaiveDateTime| {
        let at = zone.from_local_datetime(&local).earliest().or_else(|| {
            let before = zone.from_local_datetime(&local.checked_sub_signed(TimeDelta::hours(25))?).latest()?;
            Some(before + TimeDelta::hours(25))
        });
        Timestamp::from_datetime(at?.to_utc())
    };
    rfc3339(text)
        .or_else(|| {
            ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M%#z"]
                .iter()
                .find_map(|pattern| Timestamp::from_datetime(DateTime::parse_from_str(text, pattern).ok()?.to_utc()))
        })
        .or_else(|| {
            ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
                .iter()
                .find_map(|pattern| of_zone(NaiveDateTime::parse_from_str(text, pattern).ok()?))
        })
        .or_else(|| of_zone(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0)?))
}

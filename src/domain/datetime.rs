//! Times as text (contract section 1.4): parsing, and writing in the time zone of the server.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::{LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;

use super::Timestamp;

/// Parses ISO 8601 with `T` or a space. Seconds, fraction and offset are optional, and a date alone is midnight.
///
/// Digits beyond microseconds are cut off. Without an offset `zone` applies: a local time that occurs twice is the
/// earlier of both, and a skipped one is read with the offset before the clocks went forward, so 02:30 becomes 03:30 if
/// 02:00 to 03:00 is skipped. The last moment of the year 9999 is also accepted with an offset that puts it outside the
/// range of [`Timestamp`], and is limited to this range.
#[must_use]
pub fn parse(text: &str, zone: Tz) -> Option<Timestamp> {
    let mut input = Input(text.as_bytes());
    let date = input.date()?;
    let local = if input.is_empty() { date.and_time(NaiveTime::MIN) } else { date.and_time(input.time()?) };
    let at = if input.is_empty() {
        to_utc(local, zone)?
    } else {
        local.checked_sub_signed(TimeDelta::seconds(input.offset()?))?
    };
    let micros = at.and_utc().timestamp_micros();
    let is_last = local.and_utc().timestamp_micros() == Timestamp::MAX.micros();
    if is_last { Some(Timestamp::saturating_from_micros(micros)) } else { Timestamp::from_micros(micros) }
}

/// Returns whether the text is the last moment of the year 9999, 23:59:59.999999, with any offset or none. This is
/// Python's `datetime.max`, with which some clients say that there is no end.
#[must_use]
pub fn is_last_moment(text: &str) -> bool {
    let mut input = Input(text.as_bytes());
    let local = input.date().and_then(|date| Some(date.and_time(input.time()?)));
    let last = NaiveDate::from_ymd_opt(9999, 12, 31).and_then(|date| date.and_hms_micro_opt(23, 59, 59, 999_999));
    local.is_some() && local == last && (input.is_empty() || input.offset().is_some())
}

/// Returns whether a stored time was written as that moment, in any zone.
#[must_use]
pub const fn was_last_moment(at: Timestamp) -> bool {
    const DAY: i64 = 86_400_000_000;
    const MINUTE: i64 = 60_000_000;
    at.micros() > Timestamp::MAX.micros() - DAY && at.micros() % MINUTE == MINUTE - 1
}

fn to_utc(local: NaiveDateTime, zone: Tz) -> Option<NaiveDateTime> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(at) => Some(at.naive_utc()),
        LocalResult::Ambiguous(one, other) => Some(one.min(other).naive_utc()),
        LocalResult::None => {
            // No gap is longer than a day.
            let before = (1..=25).find_map(|hours| {
                let earlier = local.checked_sub_signed(TimeDelta::hours(hours))?;
                zone.from_local_datetime(&earlier).latest()
            })?;
            local.checked_sub_offset(before.offset().fix())
        }
    }
}

/// The rest of a text that is being parsed.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn eat(&mut self, wanted: impl Fn(u8) -> bool) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        wanted(first).then(|| self.0 = rest)?;
        Some(first)
    }

    fn eat_char(&mut self, wanted: u8) -> Option<()> {
        self.eat(|byte| byte == wanted).map(drop)
    }

    /// Parses a number of `least` to `most` digits.
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let mut value = 0;
        for position in 0..most {
            match self.eat(|byte| byte.is_ascii_digit()) {
                Some(digit) => value = value * 10 + u32::from(digit - b'0'),
                None if position >= least => break,
                None => return None,
            }
        }
        Some(value)
    }

    fn date(&mut self) -> Option<NaiveDate> {
        let year = self.number(4, 4)?;
        self.eat_char(b'-')?;
        let month = self.number(1, 2)?;
        self.eat_char(b'-')?;
        let day = self.number(1, 2)?;
        NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
    }

    /// Parses a time of day, and the character before it.
    fn time(&mut self) -> Option<NaiveTime> {
        self.eat(|byte| matches!(byte, b'T' | b't' | b' '))?;
        let hour = self.number(1, 2)?;
        self.eat_char(b':')?;
        let minute = self.number(1, 2)?;
        let mut second = 0;
        let mut micros = 0;
        if self.eat_char(b':').is_some() {
            second = self.number(1, 2)?;
            if self.eat(|byte| matches!(byte, b'.' | b',')).is_some() {
                micros = self.fraction()?;
            }
        }
        NaiveTime::from_hms_micro_opt(hour, minute, second, micros)
    }

    /// Parses one or more digits as a fraction of a second. Returns microseconds.
    fn fraction(&mut self) -> Option<u32> {
        let mut micros = 0;
        let mut digits = 0;
        while let Some(digit) = self.eat(|byte| byte.is_ascii_digit()) {
            if digits < 6 {
                micros = micros * 10 + u32::from(digit - b'0');
                digits += 1;
            }
        }
        (digits > 0).then(|| micros * 10_u32.pow(6 - digits))
    }

    /// Parses the rest of the text as an offset. Returns seconds.
    fn offset(&mut self) -> Option<i64> {
        while self.eat_char(b' ').is_some() {}
        let seconds = match self.eat(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-'))? {
            b'Z' | b'z' => 0,
            sign => {
                let hours = self.number(2, 2)?;
                let colon = self.eat_char(b':').is_some();
                let minutes = if self.is_empty() && !colon { 0 } else { self.number(2, 2)? };
                if hours > 23 || minutes > 59 {
                    return None;
                }
                let seconds = i64::from(hours * 3600 + minutes * 60);
                if sign == b'-' { -seconds } else { seconds }
            }
        };
        self.is_empty().then_some(seconds)
    }
}

/// A writer of times in one zone: `YYYY-MM-DDTHH:MM:SS[.ffffff]+HH:MM`, or `Z` if the offset is zero.
///
/// A fraction of zero is left out. Offsets are written in whole minutes, although old local mean times have seconds;
/// the local time then follows the written offset, so the moment is always exact.
#[derive(Clone)]
pub struct Zoned {
    zone: Tz,
    offsets: Arc<Offsets>,
}

impl Zoned {
    #[must_use]
    pub fn new(zone: Tz) -> Self {
        Self { zone, offsets: Arc::new(Offsets::new()) }
    }

    #[must_use]
    pub const fn zone(&self) -> Tz {
        self.zone
    }

    #[must_use]
    pub fn format(&self, at: Timestamp) -> Text {
        let seconds = at.micros().div_euclid(1_000_000);
        let micros = at.micros().rem_euclid(1_000_000);
        let offset = self.offsets.get(self.zone, seconds);
        Text::write(seconds + i64::from(offset), micros, offset)
            .or_else(|| Text::write(seconds, micros, 0))
            .unwrap_or_default()
    }
}

impl fmt::Debug for Zoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Zoned").field(&self.zone).finish()
    }
}

/// Cache of offsets, by quarter of an hour of UTC. A quarter and its offset share one word, so readers need no lock.
struct Offsets(Vec<AtomicU64>);

impl Offsets {
    const SLOTS: usize = 1024;
    const QUARTER: i64 = 900;
    /// Differs from all offsets, since no zone is one second behind UTC.
    const EMPTY: u64 = u64::MAX;

    fn new() -> Self {
        Self((0..Self::SLOTS).map(|_| AtomicU64::new(Self::EMPTY)).collect())
    }

    /// Returns the offset at `seconds`, in seconds east of UTC, rounded to whole minutes.
    fn get(&self, zone: Tz, seconds: i64) -> i32 {
        if zone == Tz::UTC {
            return 0;
        }
        let quarter = seconds.div_euclid(Self::QUARTER) as i32;
        let Some(slot) = self.0.get(quarter.rem_euclid(Self::SLOTS as i32) as usize) else { return 0 };
        let known = slot.load(Ordering::Relaxed);
        if known != Self::EMPTY && (known >> 32) as u32 == quarter as u32 {
            return known as u32 as i32;
        }
        let offset = look_up(zone, seconds);
        let first = i64::from(quarter) * Self::QUARTER;
        if look_up(zone, first) == offset && look_up(zone, first + Self::QUARTER - 1) == offset {
            slot.store((u64::from(quarter as u32) << 32) | u64::from(offset as u32), Ordering::Relaxed);
        }
        offset
    }
}

fn look_up(zone: Tz, seconds: i64) -> i32 {
    let utc = chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default().naive_utc();
    let exact = zone.offset_from_utc_datetime(&utc).fix().local_minus_utc();
    exact.div_euclid(60) * 60
}

/// A time that was written.
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; Self::LONGEST],
    length: usize,
}

impl Text {
    const LONGEST: usize = "9999-12-31T23:59:59.999999+00:00".len();

    #[must_use]
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// Writes a time. Returns `None` outside the years 1 to 9999.
    fn write(local_seconds: i64, micros: i64, offset: i32) -> Option<Self> {
        let days = local_seconds.div_euclid(86_400);
        let of_day = local_seconds.rem_euclid(86_400) as u32;
        let (year, month, day) = civil(days);
        if !(1..=9999).contains(&year) {
            return None;
        }
        let year = year as u32;
        let ([y1, y2], [y3, y4], [m1, m2], [d1, d2]) = (two(year / 100), two(year), two(month), two(day));
        let ([h1, h2], [n1, n2], [s1, s2]) = (two(of_day / 3600), two(of_day / 60 % 60), two(of_day % 60));
        let minutes = offset.unsigned_abs() / 60;
        let ([o1, o2], [p1, p2]) = (two(minutes / 60), two(minutes % 60));
        let sign = match offset {
            0 => b'Z',
            1.. => b'+',
            _ => b'-',
        };
        let (bytes, length) = if micros == 0 {
            let bytes = [
                y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2, sign, o1, o2,
                b':', p1, p2, 0, 0, 0, 0, 0, 0, 0,
            ];
            (bytes, Self::LONGEST - 7)
        } else {
            let micros = micros as u32;
            let ([f1, f2], [f3, f4], [f5, f6]) = (two(micros / 10_000), two(micros / 100), two(micros));
            let bytes = [
                y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2, b'.', f1, f2, f3,
                f4, f5, f6, sign, o1, o2, b':', p1, p2,
            ];
            (bytes, Self::LONGEST)
        };
        Some(Self { bytes, length: if offset == 0 { length - 5 } else { length } })
    }
}

/// Returns the last two digits in ASCII.
const fn two(number: u32) -> [u8; 2] {
    let number = (number % 100) as u8;
    [b'0' + number / 10, b'0' + number % 10]
}

impl Default for Text {
    fn default() -> Self {
        Self { bytes: [0; Self::LONGEST], length: 0 }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Returns year, month and day in the Gregorian calendar of a day counted from 1970-01-01. Counts in eras of 400 years
/// that begin in March.
const fn civil(days: i64) -> (i64, u32, u32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * from_march + 2) / 5 + 1) as u32;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 } as u32;
    (year_of_era + era * 400 + (month <= 2) as i64, month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OSLO: Tz = Tz::Europe__Oslo;

    fn shown(text: &str, zone: Tz) -> String {
        Zoned::new(zone).format(parse(text, zone).unwrap()).to_string()
    }

    #[test]
    fn reads_every_form_of_the_contract() {
        for text in [
            "2024-07-10T10:00:00+02:00",
            "2024-07-10 10:00:00+02:00",
            "2024-07-10T10:00+02",
            "2024-07-10T10:00:00.000+0200",
            "2024-07-10T08:00:00Z",
            "2024-07-10T10:00:00",
            "2024-07-10 10:00",
        ] {
            assert_eq!(shown(text, OSLO), "2024-07-10T10:00:00+02:00", "{text}");
        }
        assert_eq!(shown("2024-01-10", OSLO), "2024-01-10T00:00:00+01:00");
        assert_eq!(shown("2024-01-10T10:00:00.5", OSLO), "2024-01-10T10:00:00.500000+01:00");
        assert_eq!(shown("2024-01-10T10:00:00.1234567", Tz::UTC), "2024-01-10T10:00:00.123456Z");
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "now",
            "2024",
            "2024-01",
            "2024-13-01",
            "2024-02-30",
            "2024-01-01T",
            "2024-01-01T10",
            "2024-01-01T25:00",
            "2024-01-01T10:60",
            "2024-01-01T10:00:60",
            "2024-01-01T10:00:00.",
            "2024-01-01T10:00+2",
            "2024-01-01T10:00+24:00",
            "2024-01-01T10:00+02:",
            "2024-01-01T10:00:00ZZ",
            "0000-01-01",
            "20240101T100000",
            "2024-01-01Tæ0:00",
            "1704103200",
            "0001-01-01T00:00:00+05:00",
            "9999-12-31T23:59:59-05:00",
        ] {
            assert_eq!(parse(text, Tz::UTC), None, "{text}");
        }
    }

    #[test]
    fn a_repeated_time_is_the_earlier_and_a_skipped_one_moves_on() {
        assert_eq!(shown("2024-10-27T02:30", OSLO), "2024-10-27T02:30:00+02:00");
        assert_eq!(shown("2024-03-31T02:30", OSLO), "2024-03-31T03:30:00+02:00");
        // This zone skipped a whole day.
        assert_eq!(shown("2011-12-30T12:00", Tz::Pacific__Apia), "2011-12-31T12:00:00+14:00");
    }

    #[test]
    fn writes_the_ends_of_time() {
        assert_eq!(Zoned::new(Tz::UTC).format(Timestamp::MIN).as_str(), "0001-01-01T00:00:00Z");
        assert_eq!(Zoned::new(OSLO).format(Timestamp::MAX).as_str(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Zoned::new(OSLO).format(Timestamp::saturating_from_micros(0)).as_str(), "1970-01-01T01:00:00+01:00");
    }

    #[test]
    fn shows_change_of_offset_within_an_hour() {
        // Lord Howe Island moves its clocks by half an hour.
        let zoned = Zoned::new(Tz::Australia__Lord_Howe);
        let show = |text| zoned.format(parse(text, Tz::UTC).unwrap()).to_string();
        assert_eq!(show("2024-04-06T14:59:59Z"), "2024-04-07T01:59:59+11:00");
        assert_eq!(show("2024-04-06T15:00:00Z"), "2024-04-07T01:30:00+10:30");
        assert_eq!(show("2024-04-06T14:59:58Z"), "2024-04-07T01:59:58+11:00");
    }

    fn zones() -> impl Strategy<Value = Tz> {
        proptest::sample::select(chrono_tz::TZ_VARIANTS.to_vec())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(micros in Timestamp::MIN.micros()..=Timestamp::MAX.micros(), zone in zones()) {
            let at = Timestamp::from_micros(micros).unwrap();
            let zoned = Zoned::new(zone);
            for _ in 0..2 {
                let text = zoned.format(at);
                prop_assert_eq!(parse(text.as_str(), Tz::UTC), Some(at), "{}", text);
            }
        }

        #[test]
        fn agrees_with_chrono(seconds in 0_i64..4_000_000_000, zone in zones()) {
            let at = Timestamp::from_micros(seconds * 1_000_000).unwrap();
            let expected = at.to_datetime().with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S%:z").to_string();
            let expected = expected.strip_suffix("+00:00").map_or_else(|| expected.clone(), |start| format!("{start}Z"));
            let exact = at.to_datetime().with_timezone(&zone).offset().fix().local_minus_utc() % 60 == 0;
            prop_assume!(exact);
            prop_assert_eq!(Zoned::new(zone).format(at).to_string(), expected);
        }

        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = parse(&text, OSLO);
        }

        #[test]
        fn never_panics_on_what_looks_like_a_time(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,+Zæ-]{0,20}") {
            let _ = parse(&text, OSLO);
        }
    }
}

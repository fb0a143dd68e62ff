//! A timeslot as rows of days with a start and an end, which may be on the next day.
//!
//! A stored recurrence ends with its day, so a row over midnight becomes two recurrences, which are shown as one row
//! again.

use crate::domain::{Recurrence, TimeOfDay, limits::RECURRENCES_PER_TIMESLOT};
use crate::web::{FormFields, Problem};

const SECOND: u64 = 1_000_000;
/// Length of a day in seconds.
const DAY: u64 = 86_400;
const WEEK: u64 = 7 * DAY;
const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// Number of empty rows, for browsers without scripts.
const SPARE_ROWS: usize = 2;

/// Row in seconds since midnight. An end that is not after the start is on the next day; 0 is midnight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoursRow {
    /// Weekdays on which the row begins: 1 (Monday) to 7, sorted.
    pub days: Vec<u8>,
    pub from: u64,
    pub to: u64,
}

/// Row of the form as it was entered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HoursInput {
    pub days: Vec<u8>,
    pub from: String,
    pub to: String,
}

/// Bar in the picture of a week. `day` counts from 0 (Monday); the rest is in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeekBar {
    pub day: u64,
    pub from: u64,
    pub minutes: u64,
}

impl HoursRow {
    fn is_all_day(&self) -> bool {
        self.from == 0 && self.to == 0
    }

    /// Returns the row as text, such as "Mon–Fri 22:00–06:00".
    #[must_use]
    pub fn words(&self) -> String {
        if self.is_all_day() {
            return if self.days.len() == 7 {
                "at any time".to_owned()
            } else {
                format!("{} all day", days(&self.days))
            };
        }
        format!("{} {}–{}", days(&self.days), clock(self.from), clock(self.to))
    }
}

impl HoursInput {
    #[must_use]
    pub fn new(row: &HoursRow) -> Self {
        Self { days: row.days.clone(), from: clock(row.from), to: clock(row.to) }
    }

    #[must_use]
    pub fn has(&self, day: &u8) -> bool {
        self.days.contains(day)
    }

    /// Returns the step of the time inputs in seconds. Browsers refuse seconds unless it is 1.
    #[must_use]
    pub fn step(&self) -> u8 {
        if self.from.len() > 5 || self.to.len() > 5 { 1 } else { 60 }
    }

    fn is_blank(&self) -> bool {
        self.days.is_empty()
    }

    fn read(&self, number: usize) -> Result<HoursRow, Problem> {
        let field = |name: &str| format!("{name}-{}", number - 1);
        let time = |name: &str, text: &str| {
            let time = if text == "24:00" { Some(TimeOfDay::MIDNIGHT) } else { TimeOfDay::parse(text) };
            time.map(|it| it.0 / SECOND)
                .ok_or_else(|| Problem::of(field(name), format!("Row {number}: “{name}” needs a time such as 08:30.")))
        };
        // The last minute of the day means the end of the day (pages contract section 5).
        let to = if self.to == "23:59" { "24:00" } else { self.to.as_str() };
        let row = HoursRow { days: self.days.clone(), from: time("from", &self.from)?, to: time("to", to)? };
        if row.from == row.to && row.from != 0 {
            let text = format!("Row {number} ends when it begins. A whole day is from 00:00 to 00:00.");
            return Err(Problem::of(field("to"), text));
        }
        Ok(row)
    }
}

/// Adds empty rows to those of the form.
#[must_use]
pub fn with_spares(mut rows: Vec<HoursInput>) -> Vec<HoursInput> {
    rows.extend(std::iter::repeat_n(HoursInput::default(), SPARE_ROWS));
    rows
}

/// Returns the rows that were sent, without those that have no days.
#[must_use]
pub fn typed(fields: &FormFields) -> Vec<HoursInput> {
    let most = RECURRENCES_PER_TIMESLOT + SPARE_ROWS;
    let row = |number: usize| {
        let day = format!("days-{number}");
        let mut days: Vec<u8> = fields.numbers(&day).filter(|day| (1..=7).contains(day)).map(|day| day as u8).collect();
        days.sort_unstable();
        days.dedup();
        HoursInput { days, from: fields.text(&format!("from-{number}")), to: fields.text(&format!("to-{number}")) }
    };
    (0..most).map(row).filter(|row| !row.is_blank()).collect()
}

/// Parses rows. The problem is about the first invalid one.
pub fn read(rows: &[HoursInput]) -> Result<Vec<HoursRow>, Problem> {
    let rows: Vec<HoursRow> = (1..).zip(rows).map(|(number, row)| row.read(number)).collect::<Result<_, _>>()?;
    if rows.is_empty() {
        return Err(Problem::of("days-0", "Choose a time: without one the timeslot never opens."));
    }
    Ok(rows)
}

/// Converts rows to recurrences.
pub fn recurrences(rows: &[HoursRow]) -> Result<Vec<Recurrence>, Problem> {
    let mut all = Vec::new();
    for row in rows {
        let (start, end) = (TimeOfDay(row.from * SECOND), TimeOfDay(row.to * SECOND));
        if row.from < row.to {
            all.push(Recurrence { days: row.days.clone(), start, end });
            continue;
        }
        all.push(Recurrence { days: row.days.clone(), start, end: TimeOfDay::LAST });
        if row.to > 0 {
            let mut days: Vec<u8> = row.days.iter().map(|day| day % 7 + 1).collect();
            days.sort_unstable();
            all.push(Recurrence { days, start: TimeOfDay::MIDNIGHT, end });
        }
    }
    if all.len() > RECURRENCES_PER_TIMESLOT {
        let text = format!("A timeslot has at most {RECURRENCES_PER_TIMESLOT} parts; these are {}.", all.len());
        return Err(text.into());
    }
    Ok(all)
}

/// Converts recurrences to the smallest number of rows, without overlaps.
#[must_use]
pub fn rows(recurrences: &[Recurrence]) -> Vec<HoursRow> {
    let mut spans = spans(recurrences);
    if let [(first, _), .., (_, last)] = *spans.as_slice()
        && first == 0
        && last == WEEK
    {
        let (_, end) = spans.remove(0);
        if let Some((_, last)) = spans.last_mut() {
            *last += end;
        }
    }
    let mut rows: Vec<HoursRow> = Vec::new();
    let mut add = |start: u64, end: u64| {
        let (day, from, to) = ((start / DAY % 7 + 1) as u8, start % DAY, end % DAY);
        match rows.iter_mut().find(|row| row.from == from && row.to == to) {
            Some(row) => row.days.push(day),
            None => rows.push(HoursRow { days: vec![day], from, to }),
        }
    };
    for (mut start, end) in spans {
        if end - start < DAY {
            add(start, end);
            continue;
        }
        while start < end {
            let midnight = (start / DAY + 1) * DAY;
            add(start, midnight.min(end));
            start = midnight;
        }
    }
    for row in &mut rows {
        row.days.sort_unstable();
    }
    rows.sort_by_key(|row| (row.days.first().copied(), row.from));
    rows
}

/// Returns the bars of the picture of a week.
#[must_use]
pub fn bars(recurrences: &[Recurrence]) -> Vec<WeekBar> {
    let mut bars = Vec::new();
    for (mut start, end) in spans(recurrences) {
        while start < end {
            let until = ((start / DAY + 1) * DAY).min(end);
            bars.push(WeekBar { day: start / DAY, from: start % DAY / 60, minutes: (until - start).div_ceil(60) });
            start = until;
        }
    }
    bars
}

/// Returns recurrences as text, such as "Mon–Fri 08:00–16:00, Sat all day".
#[must_use]
pub fn words(recurrences: &[Recurrence]) -> String {
    let rows = rows(recurrences);
    if rows.is_empty() { "never".to_owned() } else { rows.iter().map(HoursRow::words).collect::<Vec<_>>().join(", ") }
}

#[must_use]
pub fn day_name(day: &u8) -> &'static str {
    NAMES.get(usize::from(*day).wrapping_sub(1)).copied().unwrap_or_default()
}

/// Returns the times as seconds since the beginning of Monday, sorted and without overlaps.
fn spans(recurrences: &[Recurrence]) -> Vec<(u64, u64)> {
    let mut all: Vec<(u64, u64)> = Vec::new();
    for it in recurrences {
        let (start, end) = (it.start.0 / SECOND, it.end.0 / SECOND);
        let end = if end == DAY - 1 { DAY } else { end };
        let days = it.days.iter().map(|day| u64::from(*day).saturating_sub(1) % 7 * DAY);
        all.extend(days.map(|day| (day + start, day + end)).filter(|(start, end)| start < end));
    }
    all.sort_unstable();
    let mut apart: Vec<(u64, u64)> = Vec::new();
    for (start, end) in all {
        match apart.last_mut() {
            Some((_, last)) if start <= *last => *last = end.max(*last),
            _ => apart.push((start, end)),
        }
    }
    apart
}

fn clock(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if rest == 0 { format!("{hours:02}:{minutes:02}") } else { format!("{hours:02}:{minutes:02}:{rest:02}") }
}

/// Returns weekdays as text, such as "Mon–Wed, Sat".
fn days(days: &[u8]) -> String {
    if days.len() == 7 {
        return "every day".to_owned();
    }
    let runs = days.chunk_by(|one, next| one + 1 == *next);
    let run = |run: &[u8]| match run {
        [first, .., last] if run.len() > 2 => format!("{}–{}", day_name(first), day_name(last)),
        run => run.iter().map(day_name).collect::<Vec<_>>().join(", "),
    };
    runs.map(run).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(days: &[u8], from: u64, to: u64) -> HoursRow {
        HoursRow { days: days.to_vec(), from: from * 3600, to: to * 3600 }
    }

    fn again(given: &[HoursRow]) -> Vec<HoursRow> {
        rows(&recurrences(given).unwrap())
    }

    #[test]
    fn rows_over_midnight_are_stored_in_two_parts_and_shown_as_one() {
        let night = [row(&[1, 2, 3, 4, 5], 22, 6)];
        let stored = recurrences(&night).unwrap();
        assert_eq!(stored.len(), 2);
        assert_eq!((stored[0].end, stored[1].days.as_slice()), (TimeOfDay::LAST, [2, 3, 4, 5, 6].as_slice()));
        assert_eq!(rows(&stored), night);
        assert_eq!(words(&stored), "Mon–Fri 22:00–06:00");
        let sunday = [row(&[7], 22, 6)];
        assert_eq!(recurrences(&sunday).unwrap()[1].days, [1]);
        assert_eq!(again(&sunday), sunday);
    }

    #[test]
    fn whole_days_stay_days() {
        let always = [row(&[1, 2, 3, 4, 5, 6, 7], 0, 0)];
        assert_eq!(again(&always), always);
        assert_eq!(words(&recurrences(&always).unwrap()), "at any time");
        let weekend = [row(&[5], 17, 0), row(&[6, 7], 0, 0), row(&[1], 0, 8)];
        let shown = again(&weekend);
        assert_eq!(shown, [row(&[1], 0, 8), row(&[5], 17, 0), row(&[6, 7], 0, 0)]);
        assert_eq!(words(&recurrences(&shown).unwrap()), "Mon 00:00–08:00, Fri 17:00–00:00, Sat, Sun all day");
    }

    #[test]
    fn overlaps_are_shown_once() {
        assert_eq!(again(&[row(&[1, 3], 8, 12), row(&[1], 10, 16)]), [row(&[1], 8, 16), row(&[3], 8, 12)]);
    }

    #[test]
    fn what_is_typed_is_read_or_said_to_be_wrong() {
        let read = |text: &str| read(&typed(&FormFields::parse(text.as_bytes())));
        let night = HoursRow { days: vec![1, 7], from: 81_000, to: 0 };
        assert_eq!(read("days-0=7&days-0=1&days-0=9&from-0=22:30&to-0=24:00&from-1=&to-1="), Ok(vec![night]));
        // Pages contract section 5: the last minute of the day is part of the timeslot.
        let late = |to: &str| read(&format!("days-0=1&from-0=22:00&to-0={to}")).map(|rows| rows[0].to);
        assert_eq!((late("23:59"), late("00:00"), late("23:58")), (Ok(0), Ok(0), Ok(86_280)));
        assert_eq!(late("23:59:00"), Ok(86_340));
        assert_eq!(read("days-0=1&from-0=23:59&to-0=08:00").map(|rows| rows[0].from), Ok(86_340));
        for (text, part) in [
            ("", "never opens"),
            ("days-0=1&from-0=8:00&to-0=", "Row 1: “to”"),
            ("days-3=1&from-3=x&to-3=09:00", "Row 1: “from”"),
            ("days-0=1&from-0=08:00&to-0=08:00", "whole day"),
        ] {
            assert!(read(text).unwrap_err().to_string().contains(part), "{text}");
        }
        let many = vec![row(&[1], 1, 2); RECURRENCES_PER_TIMESLOT + 1];
        assert!(recurrences(&many).is_err());
    }

    fn any_row() -> impl Strategy<Value = HoursRow> {
        (proptest::collection::btree_set(1_u8..=7, 1..=7), 0..48_u64, 0..48_u64)
            .prop_filter("begins when it ends", |(_, from, to)| from != to || *from == 0)
            .prop_map(|(days, from, to)| HoursRow {
                days: days.into_iter().collect(),
                from: from * 1800,
                to: to * 1800,
            })
    }

    proptest! {
        #[test]
        fn showing_and_storing_again_changes_no_moment(rows_ in proptest::collection::vec(any_row(), 1..6)) {
            let stored = recurrences(&rows_).unwrap();
            let shown = rows(&stored);
            prop_assert_eq!(spans(&stored), spans(&recurrences(&shown).unwrap()));
            prop_assert_eq!(again(&shown), shown);
        }
    }
}

//! Words for lists, times and timeslots in explanations.

use chrono_tz::Tz;

use crate::domain::{Recurrence, TimeOfDay, Timestamp, limits::WORDS_IN_LIST};

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Formats a list as `a, b or c`. Only the first `WORDS_IN_LIST` items are written, the others are counted.
pub fn list(items: impl Iterator<Item = String>, joint: &str, none: &str) -> String {
    let mut items: Vec<String> = items.collect();
    let more = items.len().saturating_sub(WORDS_IN_LIST);
    if more > 0 {
        items.truncate(WORDS_IN_LIST);
        items.push(format!("{more} more"));
    }
    match items.as_slice() {
        [] => none.to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {joint} {last}", first.join(", ")),
    }
}

/// Formats a time as `Saturday 2026-01-17 03:12:09`.
pub fn weekday_and_time(at: Timestamp, zone: Tz) -> String {
    at.to_datetime().with_timezone(&zone).format("%A %Y-%m-%d %H:%M:%S").to_string()
}

/// Formats a time as `2026-01-17 03:12:09`.
pub fn date_and_time(at: Timestamp, zone: Tz) -> String {
    at.to_datetime().with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Formats recurrences as `Monday to Friday 08:00 to 16:00`. `None`: they never apply.
pub fn recurrences(recurrences: &[Recurrence]) -> Option<String> {
    let some = recurrences.iter().filter(|it| !it.days.is_empty());
    let texts: Vec<String> = some
        .map(|it| {
            if it.is_all_day() {
                format!("{} all day", days(&it.days))
            } else {
                format!("{} {} to {}", days(&it.days), time(it.start), time(it.end))
            }
        })
        .collect();
    (!texts.is_empty()).then(|| list(texts.into_iter(), "and", ""))
}

/// Formats sorted ISO weekdays. Three or more in a row are written as a range.
fn days(days: &[u8]) -> String {
    if days.len() == DAYS.len() {
        return "every day".to_owned();
    }
    let mut runs: Vec<(u8, u8)> = Vec::new();
    for day in days.iter().copied() {
        match runs.last_mut() {
            Some((_, last)) if last.saturating_add(1) == day => *last = day,
            _ => runs.push((day, day)),
        }
    }
    let name = |day: u8| DAYS.get(usize::from(day).wrapping_sub(1)).copied().unwrap_or("?").to_owned();
    let texts = runs.into_iter().flat_map(|(first, last)| match last - first {
        0 => vec![name(first)],
        1 => vec![name(first), name(last)],
        _ => vec![format!("{} to {}", name(first), name(last))],
    });
    list(texts, "and", "")
}

fn time(time: TimeOfDay) -> String {
    if time == TimeOfDay::LAST {
        return "24:00".to_owned();
    }
    let text = time.to_string();
    match text.strip_suffix(":00") {
        Some(short) if short.len() == 5 => short.to_owned(),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(days: &[u8], start: &str, end: &str) -> Recurrence {
        let time = |text| TimeOfDay::parse(text).unwrap();
        Recurrence { days: days.to_vec(), start: time(start), end: time(end) }
    }

    #[test]
    fn timeslots_read_as_people_say_them() {
        for (slots, text) in [
            (vec![], None),
            (vec![slot(&[], "08:00", "09:00")], None),
            (vec![slot(&[1, 2, 3, 4, 5], "08:00", "16:00")], Some("Monday to Friday 08:00 to 16:00")),
            (vec![slot(&[6, 7], "00:00", "23:59:59.999999")], Some("Saturday and Sunday all day")),
            (vec![slot(&[1, 2, 3, 4, 5, 6, 7], "22:30:15", "23:59:59.999999")], Some("every day 22:30:15 to 24:00")),
            (
                vec![slot(&[1, 3, 5, 6, 7], "08:00", "09:00"), slot(&[2], "10:00", "11:00")],
                Some("Monday, Wednesday and Friday to Sunday 08:00 to 09:00 and Tuesday 10:00 to 11:00"),
            ),
        ] {
            assert_eq!(recurrences(&slots).as_deref(), text);
        }
    }

    #[test]
    fn long_lists_are_cut() {
        let items = |count: usize| (0..count).map(|i| i.to_string());
        assert_eq!(list(items(0), "or", "nothing"), "nothing");
        assert_eq!(list(items(1), "or", "nothing"), "0");
        assert_eq!(list(items(3), "or", "nothing"), "0, 1 or 2");
        assert!(list(items(5_000), "or", "nothing").ends_with("or 4980 more"));
    }
}

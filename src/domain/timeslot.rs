//! Timeslots: hours of the week in which a user is notified (contract section 13).

use std::fmt;

use super::{
    Action, Directory, Managed, NotificationRefusal, Refusal, TimeslotId, Timestamp, UserId,
    draft::{Draft, check_count, check_name, require},
    limits::TIMESLOT_NAME,
};

/// A time of day, in microseconds since local midnight, less than 24 hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(pub u64);

impl TimeOfDay {
    pub const MIDNIGHT: Self = Self(0);
    /// 23:59:59.999999
    pub const LAST: Self = Self(24 * 3_600_000_000 - 1);

    /// Parses `hh:mm[:ss[.ffffff]]`. Digits below a microsecond are cut off.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let hours = number(parts.next()?, 23)?;
        let minutes = number(parts.next()?, 59)?;
        let (seconds, micros) = parts.next().map_or(Some((0, 0)), seconds)?;
        let whole = (hours * 60 + minutes) * 60 + seconds;
        parts.next().is_none().then_some(Self(whole * 1_000_000 + micros))
    }
}

/// Writes `HH:MM:SS[.ffffff]`. A fraction of zero is left out.
impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        write!(f, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        if micros == 0 { Ok(()) } else { write!(f, ".{micros:06}") }
    }
}

fn seconds(text: &str) -> Option<(u64, u64)> {
    let Some((whole, fraction)) = text.split_once('.') else { return Some((number(text, 59)?, 0)) };
    let is_fraction = (1..=12).contains(&fraction.len()) && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
    is_fraction.then_some((number(whole, 59)?, micros.parse().ok()?))
}

/// Parses one or two digits.
fn number(text: &str, highest: u64) -> Option<u64> {
    let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && *number <= highest)
}

/// Opening on the same weekdays, from `start` to `end` inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    /// ISO weekdays, from 1 (Monday) to 7, sorted and without duplicates.
    pub days: Vec<u8>,
    pub start: TimeOfDay,
    pub end: TimeOfDay,
}

impl Recurrence {
    #[must_use]
    pub fn is_all_day(&self) -> bool {
        self.start == TimeOfDay::MIDNIGHT && self.end == TimeOfDay::LAST
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeslot {
    pub id: TimeslotId,
    pub owner: UserId,
    /// Name, unique among the owner's timeslots.
    pub name: String,
    pub recurrences: Vec<Recurrence>,
}

/// The requested values of a new or changed timeslot. `None`: unchanged.
#[derive(Clone, Debug, Default)]
pub struct TimeslotDraft {
    pub name: Option<String>,
    pub recurrences: Option<Vec<Recurrence>>,
}

impl Managed for Timeslot {
    const ACTION: Action = Action::UseDesk;
    const IS_PERSONAL: bool = true;
    const LONGEST_NAME: usize = TIMESLOT_NAME;

    /// Refuses to delete a timeslot that a rule names.
    fn check_deletion(&self, directory: &Directory, _: Timestamp) -> Result<(), Refusal> {
        let rules = directory.rules_where(|rule| rule.timeslot == self.id);
        if rules.is_empty() { Ok(()) } else { Err(NotificationRefusal::TimeslotInRules(rules).into()) }
    }
}

impl Draft for TimeslotDraft {
    type Thing = Timeslot;

    fn check(&self) -> Result<(), Refusal> {
        check_name(Timeslot::LONGEST_NAME, self.name.as_deref())
    }

    fn apply(
        self,
        before: Option<&Timeslot>,
        owner: UserId,
        directory: &Directory,
        _: Timestamp,
    ) -> Result<Timeslot, Refusal> {
        let mut timeslot = if let Some(before) = before {
            before.clone()
        } else {
            require("name", self.name.as_ref())?;
            require("time_recurrences", self.recurrences.as_ref())?;
            Timeslot { id: TimeslotId(0), owner, name: String::new(), recurrences: Vec::new() }
        };
        let others = directory.timeslots_of(owner);
        if let Some(name) = self.name.filter(|name| *name != timeslot.name) {
            if others.iter().any(|other| other.name == name) {
                return Err(Refusal::TimeslotExists { name, owner: directory.username(owner) });
            }
            timeslot.name = name;
        }
        if before.is_none() {
            check_count::<Timeslot>("timeslots", others.len())?;
        }
        timeslot.recurrences = self.recurrences.unwrap_or(timeslot.recurrences);
        Ok(timeslot)
    }
}

/// Returns the timeslot that each new user gets.
#[must_use]
pub fn all_the_time(id: TimeslotId, owner: UserId) -> Timeslot {
    Timeslot {
        id,
        owner,
        name: "All the time".to_owned(),
        recurrences: vec![Recurrence { days: (1..=7).collect(), start: TimeOfDay::MIDNIGHT, end: TimeOfDay::LAST }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read_and_written() {
        for (text, written) in [
            ("08:00", "08:00:00"),
            ("8:5", "08:05:00"),
            ("23:59:59.999999", "23:59:59.999999"),
            ("12:00:01.5", "12:00:01.500000"),
            ("00:00:00.0000019", "00:00:00.000001"),
        ] {
            let time = TimeOfDay::parse(text).map(|time| time.to_string());
            assert_eq!(time.as_deref(), Some(written), "{text}");
        }
        for text in
            ["", "8", "24:00", "12:60", "12:00:60", "12:00:00.", "12:00:00.x", "1:2:3:4", "+1:00", "08:00Z", "008:00"]
        {
            assert_eq!(TimeOfDay::parse(text), None, "{text}");
        }
        assert_eq!(TimeOfDay::LAST.to_string(), "23:59:59.999999");
    }
}

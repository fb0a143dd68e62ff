//! Choices for the expiry of an acknowledgement, including a time that is entered.

use chrono::{Days, NaiveDate, NaiveTime};

use crate::domain::{Timestamp, datetime};
use crate::web::{FormFields, Problem, Show};

const HOUR: i64 = 3_600_000_000;
/// Field of the entered time.
const TYPED: &str = "until_at";

/// Reads the chosen expiry. `None` if the acknowledgement does not expire.
pub fn expiration(fields: &FormFields, show: &Show) -> Result<Option<Timestamp>, Problem> {
    let at = match fields.get("until").unwrap_or_default() {
        "" | "never" => return Ok(None),
        "1h" => show.now.saturating_add_micros(HOUR),
        "4h" => show.now.saturating_add_micros(4 * HOUR),
        "morning" => morning(show).ok_or("The clock's date is out of bounds.")?,
        "custom" => typed(fields.get(TYPED).unwrap_or_default(), show)?,
        _ => return Err(Problem::of("until", "Expires: choose one of the times, or enter one.")),
    };
    if at <= show.now {
        return Err(Problem::of(TYPED, "Expires: this time has passed. Choose a later one."));
    }
    Ok(Some(at))
}

/// Returns the next eight o'clock in the time zone of the user.
#[must_use]
pub fn morning(show: &Show) -> Option<Timestamp> {
    let today = show.now.to_datetime().with_timezone(&show.zone).date_naive();
    let at = |day: NaiveDate| datetime::parse(&format!("{}T08:00", day.format("%Y-%m-%d")), show.zone);
    at(today).filter(|at| *at > show.now).or_else(|| at(today.checked_add_days(Days::new(1))?))
}

/// Returns whether [`morning`] is today, for its label.
#[must_use]
pub fn morning_is_today(show: &Show) -> bool {
    let local = show.now.to_datetime().with_timezone(&show.zone);
    NaiveTime::from_hms_opt(8, 0, 0).is_some_and(|eight| local.time() < eight)
}

fn typed(text: &str, show: &Show) -> Result<Timestamp, Problem> {
    if text.is_empty() {
        return Err(Problem::of(TYPED, "Expires: enter a date and time."));
    }
    datetime::parse(text, show.zone)
        .ok_or_else(|| Problem::of(TYPED, format!("Expires: \"{text}\" is not a date and time.")))
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::*;
    use crate::domain::preferences::DateFormat;

    fn show(now: &str) -> Show {
        let zone = Tz::Europe__Oslo;
        Show { zone, format: DateFormat::Iso, now: datetime::parse(now, zone).unwrap() }
    }

    fn ends(now: &str, form: &str) -> Result<Option<String>, Problem> {
        let show = show(now);
        Ok(expiration(&FormFields::parse(form.as_bytes()), &show)?.map(|at| show.input(&at)))
    }

    #[test]
    fn quick_choices_and_typed_times_are_in_the_users_zone() {
        let now = "2026-01-15T22:30";
        for (form, at) in [
            ("", None),
            ("until=never&until_at=2026-01-16T09:00", None),
            ("until=1h", Some("2026-01-15T23:30")),
            ("until=4h", Some("2026-01-16T02:30")),
            ("until=morning", Some("2026-01-16T08:00")),
            ("until=custom&until_at=2026-01-16T09:15", Some("2026-01-16T09:15")),
        ] {
            assert_eq!(ends(now, form).unwrap().as_deref(), at, "{form}");
        }
        assert_eq!(ends("2026-01-16T03:00", "until=morning").unwrap().as_deref(), Some("2026-01-16T08:00"));
        assert_eq!(ends("2026-01-16T08:00", "until=morning").unwrap().as_deref(), Some("2026-01-17T08:00"));
        assert!(morning_is_today(&show("2026-01-16T03:00")) && !morning_is_today(&show(now)));
    }

    #[test]
    fn the_past_and_nonsense_are_refused_by_name() {
        for form in ["until=custom", "until=custom&until_at=soon", "until=custom&until_at=2026-01-15T22:30", "until=x"]
        {
            assert!(ends("2026-01-15T22:30", form).unwrap_err().to_string().starts_with("Expires: "), "{form}");
        }
    }
}

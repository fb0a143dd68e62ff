//! Retention: which closed incidents are old enough to be deleted, and when deletions run.

use chrono::{Days, NaiveTime, TimeZone};
use chrono_tz::Tz;

use super::{EndTime, Incident, Timestamp, incident::Summary, limits::RETENTION_GRACE_MICROS};

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// Local hour at which deletions run.
const RUN_HOUR: u32 = 3;
/// Microseconds beyond which no run is planned: the grace period, a day until the next run, and changes of the zone.
const LONGEST_AHEAD: i64 = RETENTION_GRACE_MICROS + DAY + 3 * HOUR;

/// Returns the time since which an incident is closed and nothing has been added to it. For stateless incidents their
/// start counts as the end. `None`: the incident has no known end.
///
/// The last event counts by the time at which it was received, so an incident that is posted with old timestamps is not
/// old, nor is one that somebody commented on yesterday.
#[must_use]
pub fn settled_since(incident: &Incident) -> Option<Timestamp> {
    let end = match incident.end {
        EndTime::Infinity => return None,
        EndTime::At(end) => end.max(incident.start),
        EndTime::Stateless => incident.start,
    };
    Some(end.max(incident.last_event))
}

/// Returns whether an incident was closed, and nothing was added to it, before `limit`.
#[must_use]
pub fn is_old(incident: &Incident, limit: Timestamp) -> bool {
    settled_since(incident).is_some_and(|since| since < limit)
}

/// Returns whether the incident can be old according to its summary, which does not have the last event.
#[must_use]
pub fn may_be_old(summary: &Summary, limit: Timestamp) -> bool {
    summary.start < limit
        && match summary.end {
            EndTime::Infinity => false,
            EndTime::At(end) => end < limit,
            EndTime::Stateless => true,
        }
}

/// Returns the time before which incidents have to be closed to be deleted at `at`.
#[must_use]
pub fn limit(at: Timestamp, days: u32) -> Timestamp {
    at.saturating_add_micros(-i64::from(days).saturating_mul(DAY))
}

/// Returns the first run after the setting was seen at `now`: at 3 o'clock, after the grace period.
#[must_use]
pub fn first_run(now: Timestamp, zone: Tz) -> Timestamp {
    next_run(now.saturating_add_micros(RETENTION_GRACE_MICROS), zone)
}

/// Returns the next 3 o'clock in the time zone after `after`.
#[must_use]
pub fn next_run(after: Timestamp, zone: Tz) -> Timestamp {
    let today = after.to_datetime().with_timezone(&zone).date_naive();
    let hours = [RUN_HOUR, RUN_HOUR + 1].into_iter().filter_map(|hour| NaiveTime::from_hms_opt(hour, 0, 0));
    let runs = (0..3).filter_map(|days| today.checked_add_days(Days::new(days))).filter_map(|date| {
        // Where the clock skips this hour, the next one exists.
        let local = hours.clone().find_map(|hour| zone.from_local_datetime(&date.and_time(hour)).earliest());
        Timestamp::from_datetime(local?.to_utc())
    });
    let mut later = runs.filter(|at| *at > after);
    later.next().unwrap_or_else(|| after.saturating_add_micros(DAY))
}

/// Decision about a planned run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunDecision {
    /// Not before this time of day.
    Wait(Timestamp),
    /// The time of day has come, but the trusted time has not.
    Distrust,
    /// The run was planned by a clock that was far ahead, and has to be planned for this time.
    Replan(Timestamp),
    /// Delete incidents that were closed before this time.
    Run(Timestamp),
}

/// Decides about a run that is planned for `planned`.
///
/// `trusted` is the time up to which the clock can be trusted (`token::ExpiryClock`): it advances at most twice as fast
/// as real time and is stored. So a clock that is 30 years ahead starts no run and deletes nothing that is younger than
/// the setting, and neither does one that is set back.
#[must_use]
pub fn decide(planned: Timestamp, days: u32, now: Timestamp, trusted: Timestamp, zone: Tz) -> RunDecision {
    let latest = now.max(trusted);
    if planned > latest.saturating_add_micros(LONGEST_AHEAD) {
        RunDecision::Replan(first_run(latest, zone))
    } else if now < planned {
        RunDecision::Wait(planned)
    } else if trusted < planned {
        RunDecision::Distrust
    } else {
        RunDecision::Run(limit(now.min(trusted), days))
    }
}

/// Number, dates and size of the incidents that a run would delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    pub incidents: u64,
    /// The earliest and the latest time since which one of them is closed. `None`: there are none.
    pub closed: Option<(Timestamp, Timestamp)>,
    /// Bytes of their records in the data file, without indexes.
    pub bytes: u64,
}

impl Forecast {
    /// Adds an incident that is closed since `since`.
    pub fn add(&mut self, since: Timestamp, bytes: u64) {
        let (first, last) = self.closed.unwrap_or((since, since));
        self.closed = Some((first.min(since), last.max(since)));
        self.incidents += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Returns a phrase such as "3 incidents, closed from 2026-01-01 to 2026-01-07". Dates are in the time zone.
    #[must_use]
    pub fn in_words(&self, zone: Tz) -> String {
        let date = |at: Timestamp| at.to_datetime().with_timezone(&zone).format("%Y-%m-%d").to_string();
        match (self.incidents, self.closed) {
            (1, Some((first, _))) => format!("1 incident, closed on {}", date(first)),
            (count, Some((first, last))) => format!("{count} incidents, closed from {} to {}", date(first), date(last)),
            (_, None) => "no incidents".to_owned(),
        }
    }
}

/// Formats a time in the time zone, such as "2026-11-30 03:00 CET".
#[must_use]
pub fn shown(at: Timestamp, zone: Tz) -> String {
    at.to_datetime().with_timezone(&zone).format("%Y-%m-%d %H:%M %Z").to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        event::EventTypeSet,
        ids::{IncidentId, SourceId},
        incident::AckedUntil,
    };

    const NOON: Timestamp = Timestamp::saturating_from_micros(1_795_953_600_000_000); // 2026-11-29T12:00:00Z
    const OSLO: Tz = Tz::Europe__Oslo;

    fn later(hours: i64) -> Timestamp {
        NOON.saturating_add_micros(hours * HOUR)
    }

    fn incident(start: i64, end: EndTime, last_event: i64) -> Incident {
        let at = Timestamp::saturating_from_micros;
        Incident { end, last_event: at(last_event), ..Incident::new(IncidentId(1), SourceId(1), at(start)) }
    }

    #[test]
    fn the_last_of_end_start_and_last_event_counts() {
        let at = Timestamp::saturating_from_micros;
        for (start, end, last_event, expected) in [
            (1, EndTime::Infinity, 2, None),
            (1, EndTime::At(at(5)), 2, Some(5)),
            (1, EndTime::At(at(5)), 9, Some(9)),
            (7, EndTime::At(at(5)), 2, Some(7)),
            (1, EndTime::Stateless, 1, Some(1)),
            (1, EndTime::Stateless, 8, Some(8)),
        ] {
            let incident = incident(start, end, last_event);
            assert_eq!(settled_since(&incident).map(Timestamp::micros), expected, "{incident:?}");
        }
    }

    #[test]
    fn runs_are_at_three_in_the_zone_and_the_first_is_a_day_away() {
        let said = |at| shown(at, OSLO);
        assert_eq!(said(NOON), "2026-11-29 13:00 CET");
        assert_eq!(said(next_run(NOON, OSLO)), "2026-11-30 03:00 CET");
        assert_eq!(said(next_run(next_run(NOON, OSLO), OSLO)), "2026-12-01 03:00 CET");
        assert_eq!(said(first_run(NOON, OSLO)), "2026-12-01 03:00 CET");
        assert_eq!(said(first_run(later(14), OSLO)), "2026-12-02 03:00 CET", "exactly at 3 is too early by a moment");
        assert_eq!(said(first_run(later(13), OSLO)), "2026-12-01 03:00 CET");
        // In Lebanon and Egypt the clock skips midnight; in a few zones it once skipped three o'clock.
        for zone in [Tz::Africa__Cairo, Tz::Pacific__Apia, Tz::America__New_York, Tz::UTC] {
            let next = next_run(NOON, zone);
            assert!(next > NOON && next <= later(24), "{zone}");
        }
        assert!(next_run(Timestamp::MAX, OSLO) == Timestamp::MAX);
    }

    #[test]
    fn a_wrong_clock_starts_no_run() {
        let planned = first_run(NOON, OSLO);
        let year = 365 * 24;
        let decide = |now, trusted| decide(planned, 30, now, trusted, OSLO);
        assert_eq!(decide(NOON, NOON), RunDecision::Wait(planned));
        assert_eq!(decide(later(30 * year), later(1)), RunDecision::Distrust, "30 years ahead");
        assert_eq!(decide(later(-year), later(39)), RunDecision::Wait(planned), "set back by a year");
        assert_eq!(decide(later(40), later(37)), RunDecision::Distrust);
        assert_eq!(decide(later(40), later(39)), RunDecision::Run(later(39 - 30 * 24)));
        assert_eq!(decide(later(39), later(50)), RunDecision::Run(later(39 - 30 * 24)));
        assert_eq!(decide(Timestamp::MIN, Timestamp::MIN), RunDecision::Replan(first_run(Timestamp::MIN, OSLO)));
        let ahead = first_run(later(30 * year), OSLO);
        assert_eq!(
            super::decide(ahead, 30, NOON, NOON, OSLO),
            RunDecision::Replan(planned),
            "seen first when the clock was 30 years ahead"
        );
    }

    #[test]
    fn forecasts_are_said_in_words() {
        let mut forecast = Forecast::default();
        assert_eq!(forecast.in_words(OSLO), "no incidents");
        forecast.add(NOON, 100);
        assert_eq!(forecast.in_words(OSLO), "1 incident, closed on 2026-11-29");
        forecast.add(later(-48), 20);
        assert_eq!(forecast.in_words(OSLO), "2 incidents, closed from 2026-11-27 to 2026-11-29");
        assert_eq!(forecast.bytes, 120);
    }

    fn any_end() -> impl Strategy<Value = EndTime> {
        prop_oneof![
            Just(EndTime::Infinity),
            Just(EndTime::Stateless),
            (-100..100_i64).prop_map(|at| EndTime::At(Timestamp::saturating_from_micros(at))),
        ]
    }

    proptest! {
        #[test]
        fn what_is_deleted_was_over_before_the_limit(
            start in -100..100_i64, end in any_end(), last_event in -100..100_i64, limit in -120..120_i64,
        ) {
            let (incident, limit) = (incident(start, end, last_event), Timestamp::saturating_from_micros(limit));
            let summary = Summary {
                start: incident.start,
                id: incident.id,
                end,
                acked_until: AckedUntil::Never,
                source: incident.source,
                level: incident.level,
                has_ticket: false,
                event_types: EventTypeSet::default(),
            };
            if is_old(&incident, limit) {
                prop_assert!(may_be_old(&summary, limit));
                prop_assert!(!incident.is_open(limit));
                prop_assert!(incident.start < limit && incident.last_event < limit);
                prop_assert!(is_old(&incident, limit.saturating_add_micros(1)));
            } else if may_be_old(&summary, limit) {
                prop_assert!(incident.last_event >= limit);
            }
        }

        /// However the clock is set, nothing is deleted that is younger than the setting by the trusted time and by the
        /// time of day, and nothing before the planned time.
        #[test]
        fn no_clock_makes_a_run_delete_too_much(
            planned in -100_000..100_000_i64, now in -1_000_000..1_000_000_i64, trusted in -100_000..100_000_i64,
            days in 1..400_u32,
        ) {
            match decide(later(planned), days, later(now), later(trusted), OSLO) {
                RunDecision::Run(before) => {
                    prop_assert!(planned <= now && planned <= trusted);
                    prop_assert_eq!(before, later(now.min(trusted) - i64::from(days) * 24));
                }
                RunDecision::Wait(at) => prop_assert!(at == later(planned) && now < planned),
                RunDecision::Distrust => prop_assert!(trusted < planned && planned <= now),
                RunDecision::Replan(at) => {
                    let ahead = at.micros() - later(now.max(trusted)).micros();
                    prop_assert!((RETENTION_GRACE_MICROS..=LONGEST_AHEAD).contains(&ahead));
                }
            }
        }

        #[test]
        fn the_next_run_is_soon_and_later(hours in -500_000..500_000_i64) {
            for zone in [OSLO, Tz::UTC, Tz::Asia__Kathmandu, Tz::America__St_Johns] {
                let ahead = next_run(later(hours), zone).micros() - later(hours).micros();
                prop_assert!(ahead > 0 && ahead <= DAY + 2 * HOUR, "{} {}", zone, hours);
            }
        }
    }
}

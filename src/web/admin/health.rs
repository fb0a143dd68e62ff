//! The health page: the state of the server, and advice for each problem.

use askama::Template;
use axum::extract::State;

use super::Staff;
use crate::domain::{
    limits::FREE_SPACE_BYTES,
    message::{MessageOutcome, full_answer, outcomes_in_words},
};
use crate::service::{Health, IndexStatus, Intake, Reached};
use crate::web::{Frame, PageResult, Show, Site, page, show::span};

const MINUTE: i64 = 60 * 1_000_000;
const LOW_SPACE: u64 = 1 << 30;
/// Number of incidents and events that may wait for the text index.
const FAR_BEHIND: usize = 20_000;
/// Microseconds by which the clock may be set back without a warning.
const CLOCK_TOLERANCE: i64 = 5 * 1_000_000;

#[derive(Template)]
#[template(path = "admin/health.html")]
struct HealthPage {
    frame: Frame,
    tab: &'static str,
    checks: Vec<Check>,
    health: Health,
    zone: &'static str,
}

/// State of a check, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HealthLevel {
    Good,
    Warn,
    Bad,
}

/// Result of one check.
pub struct Check {
    pub name: String,
    pub look: HealthLevel,
    pub value: String,
    /// Meaning of the value, or what to do.
    pub advice: String,
}

impl HealthLevel {
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warning",
            Self::Bad => "bad",
        }
    }
}

pub async fn show(State(site): State<Site>, staff: Staff) -> PageResult {
    let health = site.service.system().health(&staff.visitor.caller).await?;
    let frame = staff.frame(&site, "Health");
    let checks = checks(&health, &frame.show);
    page(&HealthPage { frame, tab: "health", checks, health, zone: site.service.settings().time_zone.name() })
}

/// Returns the worst state of all checks.
#[must_use]
pub fn worst(health: &Health) -> HealthLevel {
    let show = Show { zone: chrono_tz::UTC, format: crate::domain::preferences::DateFormat::Iso, now: health.now };
    checks(health, &show).iter().map(|check| check.look).max().unwrap_or(HealthLevel::Good)
}

fn checks(health: &Health, show: &Show) -> Vec<Check> {
    let mut checks =
        vec![disk(health), pages(health), index(health), intake(health), outbox(health, show), dead(health)];
    checks.extend(health.reached.iter().map(|reached| medium(reached, show)));
    checks.push(clock(health));
    checks
}

fn check(name: impl Into<String>, look: HealthLevel, value: impl Into<String>, advice: impl Into<String>) -> Check {
    Check { name: name.into(), look, value: value.into(), advice: advice.into() }
}

fn disk(health: &Health) -> Check {
    let value = format!("{} used, {} free", bytes(health.data_bytes), bytes(health.free_bytes));
    if let Some(why) = health.file.misplaced {
        let advice = format!("Nothing can be stored: {why}. Put the very same file back, or restart with another one.");
        return check("Data file", HealthLevel::Bad, "not available", advice);
    }
    let (look, advice) = if health.free_bytes < FREE_SPACE_BYTES.saturating_mul(4) {
        (HealthLevel::Bad, "The disk is nearly full: soon nothing can be stored. Free up space now.")
    } else if health.free_bytes < LOW_SPACE {
        (HealthLevel::Warn, "Little space is left on the disk. Free up space, or move the data file to a larger disk.")
    } else if health.free_bytes < health.data_bytes {
        (HealthLevel::Warn, "A backup would not fit beside the data file. Write backups to another disk.")
    } else {
        (HealthLevel::Good, "Enough space to grow, and for a backup.")
    };
    check("Data file", look, value, advice)
}

fn pages(health: &Health) -> Check {
    match health.file.damage.as_slice() {
        [] if health.file.is_verified => {
            check("Pages of the data file", HealthLevel::Good, "verified", "Intact; verified once a day.")
        }
        [] => check("Pages of the data file", HealthLevel::Good, "being verified", "No damage found so far."),
        [first, ..] => check(
            "Pages of the data file",
            HealthLevel::Bad,
            format!("damaged: {first}"),
            "Check the disk, and restore the last backup that passes \"argusd check\". The log names all damaged pages.",
        ),
    }
}

fn index(health: &Health) -> Check {
    match health.index {
        IndexStatus::Rebuilding => check(
            "Search index",
            HealthLevel::Warn,
            "being built",
            "Searching for tags and texts is slower until it is done. No action needed; if it never ends, see the log.",
        ),
        IndexStatus::Ready { behind } if behind > FAR_BEHIND => check(
            "Search index",
            HealthLevel::Warn,
            format!("{behind} entries behind"),
            "Search is complete, but the index cannot keep up. Is the disk slow?",
        ),
        IndexStatus::Ready { behind: 0 } => {
            check("Search index", HealthLevel::Good, "up to date", "Search is complete and fast.")
        }
        IndexStatus::Ready { behind } => check(
            "Search index",
            HealthLevel::Good,
            format!("{behind} entries wait in memory"),
            "They can be found already, and are indexed soon.",
        ),
    }
}

fn intake(health: &Health) -> Check {
    let Intake { incidents, events, at_least } = health.last_hour;
    let minute = health.last_minute;
    let more = if at_least { "at least " } else { "" };
    let value = format!(
        "last minute: {} incidents, {} events; last hour: {more}{incidents} incidents, {events} events",
        minute.incidents, minute.events
    );
    let advice = if health.incidents == 0 {
        "Nothing received yet. Create a source and post a first incident."
    } else if events == 0 {
        "Nothing received for an hour. If that is unexpected, check when the sources were last seen."
    } else {
        "Receiving."
    };
    check("Intake", HealthLevel::Good, value, advice)
}

fn outbox(health: &Health, show: &Show) -> Check {
    let name = "Queued messages";
    if !health.sends {
        let value = format!("{} waiting", health.due);
        return check(name, HealthLevel::Warn, value, "Sending is switched off: setting notifications.send.");
    }
    let Some(oldest) = &health.oldest_due else {
        return check(name, HealthLevel::Good, "none", "Every message was sent, or has failed.");
    };
    let age = health.now.micros().saturating_sub(oldest.created.micros());
    let value = format!("{}, oldest queued {}", health.due, show.relative(&oldest.created));
    let look = if age < 15 * MINUTE { HealthLevel::Warn } else { HealthLevel::Bad };
    if let Some(refused) = &health.refused {
        let outcome = MessageOutcome {
            delivery: refused.state.delivery(),
            attempts: refused.attempts,
            answer: full_answer(&refused.answer),
        };
        let advice = format!("{}. It will be tried again; see the list of deliveries.", outcomes_in_words(&[outcome]));
        check(name, look, value, advice)
    } else if health.reached.iter().any(|reached| reached.unreachable_since.is_some()) {
        check(name, look, value, "Not all of them can be sent now: see below what cannot be reached.")
    } else if age < MINUTE {
        check(name, HealthLevel::Good, value, "The queue is moving.")
    } else {
        check(name, look, value, "Some are slow. The list of deliveries shows what their providers answered.")
    }
}

fn dead(health: &Health) -> Check {
    let name = "Failed messages";
    match health.dead {
        0 => check(name, HealthLevel::Good, "none", "No message has failed."),
        1 => check(name, HealthLevel::Warn, "1", "The list of deliveries says why. Fix the cause, then send it again."),
        count => check(
            name,
            HealthLevel::Warn,
            count.to_string(),
            "The list of deliveries says why. Fix the cause, then send them again.",
        ),
    }
}

fn medium(reached: &Reached, show: &Show) -> Check {
    let name = match reached.medium.as_str() {
        "email" => "Mail server".to_owned(),
        medium => format!("Sending by {medium}"),
    };
    let mut parts = Vec::new();
    if let Some(at) = &reached.last_success {
        parts.push(format!("last success {}", show.relative(at)));
    }
    if let Some(at) = &reached.last_failure {
        parts.push(format!("last failure {}", show.relative(at)));
    }
    let (look, advice) = match &reached.unreachable_since {
        Some(since) if show.now.micros().saturating_sub(since.micros()) > 15 * MINUTE => {
            (HealthLevel::Bad, format!("Not reached for {}. Check that it runs, and the settings.", show.since(since)))
        }
        Some(since) => (HealthLevel::Warn, format!("Not reached for {}; it is tried again.", show.since(since))),
        None => (HealthLevel::Good, "The last attempt reached it.".to_owned()),
    };
    check(name, look, parts.join(", "), advice)
}

fn clock(health: &Health) -> Check {
    let value = format!("{} UTC", health.now.to_datetime().format("%Y-%m-%d %H:%M:%S"));
    let ahead = health.newest_change.map_or(0, |at| at.micros().saturating_sub(health.now.micros()));
    if ahead > CLOCK_TOLERANCE {
        let advice = format!("The newest change is from {} later: the clock was set back. Does NTP run?", span(ahead));
        return check("Clock", HealthLevel::Bad, value, advice);
    }
    check("Clock", HealthLevel::Good, value, "Consistent with stored times. Timeslots depend on it.")
}

/// Returns a size with a unit, such as "1.5 GiB".
#[must_use]
pub fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(size, _)| count >= *size) {
        Some((size, unit)) => {
            let tenths = u128::from(count) * 10 / u128::from(*size);
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{count} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            ids::{DestinationId, MessageId, ProfileId, UserId},
            message::{Message, MessageState, MessageSubject, Route},
            preferences::DateFormat,
            time::Timestamp,
        },
        service::FileFaults,
    };

    const NOW: Timestamp = Timestamp::saturating_from_micros(1_000 * MINUTE);

    fn well() -> Health {
        Health {
            data_path: "/x".into(),
            data_bytes: 1 << 20,
            free_bytes: 1 << 40,
            file: FileFaults { is_verified: true, ..FileFaults::default() },
            index: IndexStatus::Ready { behind: 0 },
            incidents: 1,
            events: 1,
            last_minute: Intake::default(),
            last_hour: Intake::default(),
            due: 0,
            dead: 0,
            oldest_due: None,
            refused: None,
            reached: Vec::new(),
            newest_change: Some(NOW),
            sends: true,
            started: NOW,
            now: NOW,
        }
    }

    fn queued(attempts: u32) -> Message {
        Message {
            id: MessageId(1),
            created: NOW,
            about: MessageSubject::Summary(Vec::new()),
            route: Route::Destination {
                user: UserId(1),
                profile: ProfileId(1),
                destination: DestinationId(1),
                medium: "email".to_owned(),
            },
            address: String::new(),
            state: MessageState::Due { at: NOW, since: NOW },
            attempts,
            last_attempt: None,
            answer: "Connection refused".to_owned(),
        }
    }

    #[test]
    fn a_refused_message_is_not_on_its_way() {
        let show = Show { zone: chrono_tz::UTC, format: DateFormat::Iso, now: NOW };
        let fresh = Health { due: 1, oldest_due: Some(queued(0)), ..well() };
        assert_eq!(outbox(&fresh, &show).look, HealthLevel::Good);
        let refused = Health { refused: Some(queued(1)), oldest_due: Some(queued(1)), ..fresh.clone() };
        let check = outbox(&refused, &show);
        assert_eq!(check.look, HealthLevel::Warn);
        assert_eq!(
            check.advice,
            "1 message queued, not sent yet (Connection refused, 1 try). It will be tried again; see the list of deliveries."
        );
        let unreachable = Reached {
            medium: "email".to_owned(),
            last_success: None,
            last_failure: Some(NOW),
            unreachable_since: Some(NOW),
        };
        assert_eq!(outbox(&Health { reached: vec![unreachable], ..fresh }, &show).look, HealthLevel::Warn);
    }

    fn looks(health: &Health) -> Vec<(String, HealthLevel)> {
        let show = Show { zone: chrono_tz::UTC, format: DateFormat::Iso, now: health.now };
        let bad = checks(health, &show).into_iter().filter(|check| check.look != HealthLevel::Good);
        bad.map(|check| (check.name, check.look)).collect()
    }

    #[test]
    fn troubles_are_seen() {
        let ago = |minutes: i64| NOW.saturating_add_micros(-minutes * MINUTE);
        let mail = |minutes| Reached {
            medium: "email".to_owned(),
            last_success: None,
            last_failure: Some(NOW),
            unreachable_since: Some(ago(minutes)),
        };
        let misplaced = FileFaults { misplaced: Some("it was removed"), ..well().file };
        let damaged = FileFaults { damage: vec!["table x".to_owned()], ..well().file };
        assert_eq!(looks(&well()), []);
        for (health, name, look) in [
            (Health { free_bytes: 50 << 20, ..well() }, "Data file", HealthLevel::Bad),
            (Health { free_bytes: 500 << 20, ..well() }, "Data file", HealthLevel::Warn),
            (Health { free_bytes: 2 << 30, data_bytes: 3 << 30, ..well() }, "Data file", HealthLevel::Warn),
            (Health { file: misplaced, ..well() }, "Data file", HealthLevel::Bad),
            (Health { file: damaged, ..well() }, "Pages of the data file", HealthLevel::Bad),
            (Health { index: IndexStatus::Rebuilding, ..well() }, "Search index", HealthLevel::Warn),
            (Health { sends: false, ..well() }, "Queued messages", HealthLevel::Warn),
            (
                Health { refused: Some(queued(1)), oldest_due: Some(queued(1)), due: 1, ..well() },
                "Queued messages",
                HealthLevel::Warn,
            ),
            (Health { dead: 2, ..well() }, "Failed messages", HealthLevel::Warn),
            (Health { reached: vec![mail(1)], ..well() }, "Mail server", HealthLevel::Warn),
            (Health { reached: vec![mail(20)], ..well() }, "Mail server", HealthLevel::Bad),
            (Health { newest_change: Some(ago(-5)), ..well() }, "Clock", HealthLevel::Bad),
        ] {
            assert_eq!(looks(&health), [(name.to_owned(), look)]);
        }
    }

    #[test]
    fn sizes_have_units() {
        for (count, text) in [(0, "0 bytes"), (1_536, "1.5 KiB"), (1 << 40, "1.0 TiB"), (u64::MAX, "16777215.9 TiB")] {
            assert_eq!(bytes(count), text);
        }
    }
}

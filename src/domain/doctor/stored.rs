//! Findings about the data file, the queue of messages, destinations, sources and plug-ins.

use super::{Finding, FindingLevel, bad, bytes, counted, good, listed, problem, warning};
use crate::domain::{
    Timestamp,
    limits::FREE_SPACE_BYTES,
    time::{ago, span},
};

const MINUTE: i64 = 60 * 1_000_000;
const LOW_SPACE: u64 = 1 << 30;
/// Number of incidents and events that may wait for the text index.
const FAR_BEHIND: usize = 20_000;
/// Microseconds by which the clock may be set back without a warning.
const CLOCK_TOLERANCE: i64 = 5 * 1_000_000;
/// Time in microseconds after which a queued message, or a server that is not reached, is a fault.
const PATIENCE: i64 = 15 * MINUTE;

/// Facts from the data file and the running server.
#[derive(Clone, Debug, Default)]
pub struct StoredFacts {
    pub data_bytes: u64,
    /// Free space on the disk of the data file.
    pub free_bytes: u64,
    /// Reason why nothing can be stored.
    pub misplaced: Option<&'static str>,
    pub damage: Vec<String>,
    /// Whether all pages were verified since the start.
    pub is_verified: bool,
    /// State of the text index. `None` if no server runs.
    pub index: Option<StoredIndex>,
    pub incidents: u64,
    pub events: u64,
    pub last_minute: Intake,
    pub last_hour: Intake,
    /// Queued messages.
    pub due: u64,
    /// Failed messages.
    pub dead: u64,
    /// Time at which the oldest queued message was created.
    pub oldest_due: Option<Timestamp>,
    /// Sentence about the oldest queued message with a failed attempt.
    pub refused: Option<String>,
    /// Results of sending since the start, by medium.
    pub reached: Vec<Reached>,
    pub never_reached: Vec<NeverReached>,
    /// Time of the newest change in the change log.
    pub newest_change: Option<Timestamp>,
    /// Whether messages are sent.
    pub sends: bool,
    /// Sentences about tokens of sources that expire soon.
    pub expiring_tokens: Vec<String>,
    /// Sentences about sources whose heartbeat is missing.
    pub silent_sources: Vec<String>,
    /// Plug-ins that do not start, with the reason.
    pub failed_plugins: Vec<(String, String)>,
    /// Channels whose plug-in is not installed, with the name of the plug-in.
    pub missing_plugins: Vec<(String, String)>,
    /// Words about what the retention deletes next. `None`: it is switched off, or no server runs.
    pub retention: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredIndex {
    Rebuilding,
    Ready {
        /// Number of incidents and events that are not in the index yet.
        behind: usize,
    },
}

/// Numbers of incidents and events that were created in a period that ends now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    pub incidents: u64,
    pub events: u64,
    /// Whether the change log begins after the start of the period, so the numbers may be too low.
    pub at_least: bool,
}

/// Results of the attempts to send via a medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    pub medium: String,
    pub last_success: Option<Timestamp>,
    pub last_failure: Option<Timestamp>,
    /// Time of the first failure since the last success. `None` if the last attempt succeeded.
    pub unreachable_since: Option<Timestamp>,
}

/// A destination or contact to which messages have failed, and none was sent, among the newest messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeverReached {
    /// Recipient and medium, such as "anna (email)".
    pub whose: String,
    pub failed: u64,
    /// Answer to the newest message.
    pub answer: String,
}

pub(super) fn findings(facts: &StoredFacts, now: Timestamp) -> Vec<Finding> {
    let mut findings = vec![disk(facts), pages(facts)];
    findings.extend(facts.index.map(index));
    findings.extend([intake(facts), outbox(facts, now), dead(facts)]);
    findings.extend(never_reached(facts));
    findings.extend(facts.reached.iter().map(|reached| medium(reached, now)));
    findings.push(clock(facts, now));
    findings.push(tokens(facts));
    findings.push(heartbeats(facts));
    findings.extend(plugins(facts));
    findings.extend(
        facts
            .retention
            .as_ref()
            .map(|plan| good("retention", "Retention", plan, "The setting is retention.closed_days.")),
    );
    findings
}

fn disk(facts: &StoredFacts) -> Finding {
    const CHECK: &str = "disk";
    const TITLE: &str = "Data file";
    let value = format!("{} used, {} free", bytes(facts.data_bytes), bytes(facts.free_bytes));
    if let Some(why) = facts.misplaced {
        let found = format!("not available: {why}; nothing can be stored");
        return bad(CHECK, TITLE, found, "Put the very same file back, or restart with another one.");
    }
    if facts.free_bytes < FREE_SPACE_BYTES.saturating_mul(4) {
        bad(CHECK, TITLE, value, "The disk is nearly full: soon nothing can be stored. Free up space now.")
    } else if facts.free_bytes < LOW_SPACE {
        let fix = "Little space is left on the disk. Free up space, or move the data file to a larger disk.";
        warning(CHECK, TITLE, value, fix)
    } else if facts.free_bytes < facts.data_bytes {
        let fix = "A backup would not fit beside the data file. Write backups to another disk.";
        warning(CHECK, TITLE, value, fix)
    } else {
        good(CHECK, TITLE, value, "Enough space to grow, and for a backup.")
    }
}

fn pages(facts: &StoredFacts) -> Finding {
    const CHECK: &str = "pages";
    const TITLE: &str = "Pages of the data file";
    match facts.damage.as_slice() {
        [] if facts.is_verified => good(CHECK, TITLE, "verified", "Intact; verified once a day."),
        [] => good(CHECK, TITLE, "being verified", "No damage found so far."),
        [first, ..] => bad(
            CHECK,
            TITLE,
            format!("damaged: {first}"),
            "Check the disk, and restore the last backup that passes \"argusd check\". The log names all damaged pages.",
        ),
    }
}

fn index(index: StoredIndex) -> Finding {
    const CHECK: &str = "index";
    const TITLE: &str = "Search index";
    match index {
        StoredIndex::Rebuilding => warning(
            CHECK,
            TITLE,
            "being built",
            "Searching for tags and texts is slower until it is done. No action needed; if it never ends, see the log.",
        ),
        StoredIndex::Ready { behind } if behind > FAR_BEHIND => warning(
            CHECK,
            TITLE,
            format!("{behind} entries behind"),
            "Search is complete, but the index cannot keep up. Move the data file to a faster disk.",
        ),
        StoredIndex::Ready { behind: 0 } => good(CHECK, TITLE, "up to date", "Search is complete and fast."),
        StoredIndex::Ready { behind } => good(
            CHECK,
            TITLE,
            format!("{behind} entries wait in memory"),
            "They can be found already, and are indexed soon.",
        ),
    }
}

fn intake(facts: &StoredFacts) -> Finding {
    let Intake { incidents, events, at_least } = facts.last_hour;
    let minute = facts.last_minute;
    let more = if at_least { "at least " } else { "" };
    let value = format!(
        "last minute: {} incidents, {} events; last hour: {more}{incidents} incidents, {events} events",
        minute.incidents, minute.events
    );
    let meaning = if facts.incidents == 0 {
        "Nothing received yet. Create a source and post a first incident."
    } else if events == 0 {
        "Nothing received for an hour. If that is unexpected, check when the sources were last seen."
    } else {
        "Receiving."
    };
    good("intake", "Intake", value, meaning)
}

fn outbox(facts: &StoredFacts, now: Timestamp) -> Finding {
    const CHECK: &str = "queue";
    const TITLE: &str = "Queued messages";
    if !facts.sends {
        let found = format!("{} waiting; sending is switched off", facts.due);
        let fix = "Nobody is notified. Set notifications.send = true (ARGUSD_SEND_NOTIFICATIONS), and restart.";
        return warning(CHECK, TITLE, found, fix);
    }
    let Some(oldest) = facts.oldest_due else {
        return good(CHECK, TITLE, "none", "Every message was sent, or has failed.");
    };
    let age = now.micros().saturating_sub(oldest.micros());
    let value = format!("{}, oldest queued {}", facts.due, ago(now, oldest));
    let level = if age < PATIENCE { FindingLevel::Warning } else { FindingLevel::Bad };
    if let Some(refused) = &facts.refused {
        let fix = format!("{refused}. It will be tried again; see the list of deliveries.");
        problem(level, CHECK, TITLE, value, fix)
    } else if facts.reached.iter().any(|reached| reached.unreachable_since.is_some()) {
        problem(level, CHECK, TITLE, value, "Not all of them can be sent now: see below what cannot be reached.")
    } else if age < MINUTE {
        good(CHECK, TITLE, value, "The queue is moving.")
    } else {
        let fix = "Some are slow. The list of deliveries shows what their providers answered.";
        problem(level, CHECK, TITLE, value, fix)
    }
}

fn dead(facts: &StoredFacts) -> Finding {
    const CHECK: &str = "failed_messages";
    const TITLE: &str = "Failed messages";
    match facts.dead {
        0 => good(CHECK, TITLE, "none", "No message has failed."),
        1 => warning(CHECK, TITLE, "1", "The list of deliveries says why. Fix the cause, then send it again."),
        count => warning(
            CHECK,
            TITLE,
            count.to_string(),
            "The list of deliveries says why. Fix the cause, then send them again.",
        ),
    }
}

fn never_reached(facts: &StoredFacts) -> Option<Finding> {
    let first = facts.never_reached.first()?;
    let others = match facts.never_reached.len() - 1 {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let answer = if first.answer.is_empty() { String::new() } else { format!(" ({})", first.answer) };
    let found = format!(
        "{}: {} failed, none was sent{answer}{others}",
        first.whose,
        counted(first.failed, "message", "messages")
    );
    let fix = "Correct the address, send a test message to it, and then send the failed messages again from the list of deliveries.";
    Some(warning("destinations", "Destinations that never worked", found, fix))
}

fn medium(reached: &Reached, now: Timestamp) -> Finding {
    let title = match reached.medium.as_str() {
        "email" => "Sending mail".to_owned(),
        medium => format!("Sending by {medium}"),
    };
    let check = format!("sending_{}", reached.medium);
    let mut parts = Vec::new();
    if let Some(at) = reached.last_success {
        parts.push(format!("last success {}", ago(now, at)));
    }
    if let Some(at) = reached.last_failure {
        parts.push(format!("last failure {}", ago(now, at)));
    }
    let value = parts.join(", ");
    let Some(since) = reached.unreachable_since else {
        return good(&check, &title, value, "The last attempt reached it.");
    };
    let silence = now.micros().saturating_sub(since.micros()).max(0);
    if silence > PATIENCE {
        let fix = format!("Not reached for {}. Check that it runs, and the settings.", span(silence));
        bad(&check, &title, value, fix)
    } else {
        warning(&check, &title, value, format!("Not reached for {}; it is tried again.", span(silence)))
    }
}

fn clock(facts: &StoredFacts, now: Timestamp) -> Finding {
    const CHECK: &str = "clock";
    const TITLE: &str = "Clock";
    let value = format!("{} UTC", now.to_datetime().format("%Y-%m-%d %H:%M:%S"));
    let ahead = facts.newest_change.map_or(0, |at| at.micros().saturating_sub(now.micros()));
    if ahead > CLOCK_TOLERANCE {
        let found = format!("{value}; the newest change is from {} later, so the clock was set back", span(ahead));
        let fix = "Set the clock, and keep it right: apt-get install systemd-timesyncd, or chrony; then timedatectl.";
        return bad(CHECK, TITLE, found, fix);
    }
    good(CHECK, TITLE, value, "Consistent with stored times. Timeslots depend on it.")
}

fn tokens(facts: &StoredFacts) -> Finding {
    const CHECK: &str = "tokens";
    const TITLE: &str = "Tokens of sources";
    if facts.expiring_tokens.is_empty() {
        return good(CHECK, TITLE, "none expires soon", "");
    }
    let fix = "Create a new token on the page of the source, or with: argusd token create USER --expires never. \
               Then give it to the source.";
    warning(CHECK, TITLE, listed(&facts.expiring_tokens), fix)
}

fn heartbeats(facts: &StoredFacts) -> Finding {
    const CHECK: &str = "heartbeats";
    const TITLE: &str = "Heartbeats of sources";
    if facts.silent_sources.is_empty() {
        return good(CHECK, TITLE, "none is late", "");
    }
    let fix = "Check that the source runs and reaches this server. If it is retired: argusd source change NAME \
               --heartbeat off.";
    warning(CHECK, TITLE, listed(&facts.silent_sources), fix)
}

fn plugins(facts: &StoredFacts) -> Vec<Finding> {
    let failed = facts.failed_plugins.iter().map(|(kind, reason)| {
        let found = format!("{kind} does not start: {reason}");
        let fix = "Run it by hand in a terminal to see its error; it must be executable by the user of the server. \
                   Then run: argusd channel types.";
        bad("plugins", "Plug-ins", found, fix)
    });
    let missing = facts.missing_plugins.iter().map(|(channel, kind)| {
        let found = format!("channel \"{channel}\" needs the plug-in {kind}, which is not installed");
        let fix =
            "Install it in the folder of notifications.plugins (ARGUSD_PLUGINS) and restart, or delete the channel.";
        bad("plugins", "Plug-ins", found, fix)
    });
    failed.chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::saturating_from_micros(1_000 * MINUTE);

    fn well() -> StoredFacts {
        StoredFacts {
            data_bytes: 1 << 20,
            free_bytes: 1 << 40,
            is_verified: true,
            index: Some(StoredIndex::Ready { behind: 0 }),
            incidents: 1,
            events: 1,
            newest_change: Some(NOW),
            sends: true,
            ..StoredFacts::default()
        }
    }

    fn problems(facts: &StoredFacts) -> Vec<(String, FindingLevel)> {
        let problems = findings(facts, NOW).into_iter().filter(|finding| finding.level != FindingLevel::Good);
        problems
            .map(|finding| {
                assert!(!finding.fix.is_empty(), "{finding:?}");
                (finding.title, finding.level)
            })
            .collect()
    }

    #[test]
    fn a_refused_message_is_not_on_its_way() {
        let fresh = StoredFacts { due: 1, oldest_due: Some(NOW), ..well() };
        assert_eq!(outbox(&fresh, NOW).level, FindingLevel::Good);
        let refused = "1 message queued, not sent yet (Connection refused, 1 try)".to_owned();
        let finding = outbox(&StoredFacts { refused: Some(refused), ..fresh.clone() }, NOW);
        assert_eq!(finding.level, FindingLevel::Warning);
        assert_eq!(
            finding.fix,
            "1 message queued, not sent yet (Connection refused, 1 try). It will be tried again; see the list of deliveries."
        );
        let unreachable = Reached {
            medium: "email".to_owned(),
            last_success: None,
            last_failure: Some(NOW),
            unreachable_since: Some(NOW),
        };
        let finding = outbox(&StoredFacts { reached: vec![unreachable], ..fresh }, NOW);
        assert_eq!(finding.level, FindingLevel::Warning);
    }

    #[test]
    fn problems_are_found() {
        use FindingLevel::{Bad, Warning};
        let earlier = |minutes: i64| NOW.saturating_add_micros(-minutes * MINUTE);
        let mail = |minutes| Reached {
            medium: "email".to_owned(),
            last_success: None,
            last_failure: Some(NOW),
            unreachable_since: Some(earlier(minutes)),
        };
        let never = NeverReached { whose: "anna (email)".to_owned(), failed: 2, answer: "550 unknown".to_owned() };
        assert_eq!(problems(&well()), []);
        for (facts, title, level) in [
            (StoredFacts { free_bytes: 50 << 20, ..well() }, "Data file", Bad),
            (StoredFacts { free_bytes: 500 << 20, ..well() }, "Data file", Warning),
            (StoredFacts { free_bytes: 2 << 30, data_bytes: 3 << 30, ..well() }, "Data file", Warning),
            (StoredFacts { misplaced: Some("it was removed"), ..well() }, "Data file", Bad),
            (StoredFacts { damage: vec!["table x".to_owned()], ..well() }, "Pages of the data file", Bad),
            (StoredFacts { index: Some(StoredIndex::Rebuilding), ..well() }, "Search index", Warning),
            (StoredFacts { index: Some(StoredIndex::Ready { behind: 30_000 }), ..well() }, "Search index", Warning),
            (StoredFacts { sends: false, ..well() }, "Queued messages", Warning),
            (StoredFacts { oldest_due: Some(earlier(5)), due: 1, ..well() }, "Queued messages", Warning),
            (StoredFacts { oldest_due: Some(earlier(20)), due: 1, ..well() }, "Queued messages", Bad),
            (StoredFacts { dead: 2, ..well() }, "Failed messages", Warning),
            (StoredFacts { never_reached: vec![never], ..well() }, "Destinations that never worked", Warning),
            (StoredFacts { reached: vec![mail(1)], ..well() }, "Sending mail", Warning),
            (StoredFacts { reached: vec![mail(20)], ..well() }, "Sending mail", Bad),
            (StoredFacts { newest_change: Some(earlier(-5)), ..well() }, "Clock", Bad),
            (StoredFacts { expiring_tokens: vec!["x".to_owned()], ..well() }, "Tokens of sources", Warning),
            (StoredFacts { silent_sources: vec!["x".to_owned()], ..well() }, "Heartbeats of sources", Warning),
            (StoredFacts { failed_plugins: vec![("x".to_owned(), "y".to_owned())], ..well() }, "Plug-ins", Bad),
            (StoredFacts { missing_plugins: vec![("x".to_owned(), "y".to_owned())], ..well() }, "Plug-ins", Bad),
        ] {
            assert_eq!(problems(&facts), [(title.to_owned(), level)]);
        }
    }

    #[test]
    fn a_destination_that_never_worked_comes_with_the_answer() {
        let never = NeverReached { whose: "anna (email)".to_owned(), failed: 2, answer: "550 unknown".to_owned() };
        let found = never_reached(&StoredFacts { never_reached: vec![never.clone(), never], ..well() }).unwrap().found;
        assert_eq!(found, "anna (email): 2 messages failed, none was sent (550 unknown); and 1 more");
    }
}

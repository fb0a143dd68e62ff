//! Detects the conditions of contract section 23 in the configuration in memory.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use super::{FaultFinding, FaultSubject, FaultVerdict};
use crate::domain::{
    Channel, ChannelId, DestinationId, Directory, Overflow, Source, SourceId, Timestamp, Token, UserId,
    agenda::Next,
    limits::{CONTACTS_NAMED, HEARTBEAT_GRACE_MICROS, MEDIUM_UNREACHABLE_MICROS},
};

const DAY_MICROS: i64 = 86_400 * 1_000_000;

/// Treatment of an open incident about a token that does not expire within the requested days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// The incident ends.
    Strict,
    /// The incident stays open until the token is replaced, since it may be from a check with more days.
    Lenient,
}

/// Result of checking a source for a row of the agenda.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceCheck {
    pub finding: Option<FaultFinding>,
    /// Time at which the finding can change without a change of data.
    pub next: Next,
}

/// Returns a finding for each source whose classic token expires within `days`.
#[must_use]
pub fn expiring_tokens(
    directory: &Directory,
    zone: Tz,
    days: u32,
    strictness: Strictness,
    now: Timestamp,
) -> Vec<FaultFinding> {
    let sources = directory.sources.values();
    sources.filter_map(|source| expiring_token(directory, source, zone, days, strictness, now).finding).collect()
}

/// Checks whether the classic token of a source expires within `days`. Of several tokens the one that expires last
/// counts, since a new token replaces the old one while both are valid. The description has the date in `zone`.
#[must_use]
pub fn expiring_token(
    directory: &Directory,
    source: &Source,
    zone: Tz,
    days: u32,
    strictness: Strictness,
    now: Timestamp,
) -> SourceCheck {
    let Some(token) = lasting_token(directory, source) else { return SourceCheck::default() };
    let finding =
        |verdict| Some(FaultFinding { subject: FaultSubject::Token(source.id), about_since: token.created, verdict });
    let lenient = || finding(FaultVerdict::Unknown).filter(|_| strictness == Strictness::Lenient);
    let Some(expires) = token.expires else { return SourceCheck { finding: lenient(), next: Next::Nothing } };
    let warned_from = expires.saturating_add_micros(-i64::from(days) * DAY_MICROS);
    if expires >= now.saturating_add_micros(i64::from(days) * DAY_MICROS) {
        return SourceCheck { finding: lenient(), next: Next::At(warned_from.saturating_add_micros(1)) };
    }
    let description = format!(
        "Token for source system {} will expire on {}",
        shown(source),
        expires.to_datetime().with_timezone(&zone).format("%Y-%m-%d")
    );
    let fault = FaultVerdict::Fault { since: warned_from.max(token.created), description };
    SourceCheck { finding: finding(fault), next: Next::Soon }
}

/// Returns the classic token of the source's user that expires last.
fn lasting_token<'a>(directory: &'a Directory, source: &Source) -> Option<&'a Token> {
    let tokens = directory.tokens.classic_of(source.user);
    tokens.max_by_key(|token| (token.expires.is_none(), token.expires, token.id)).map(AsRef::as_ref)
}

/// Returns a finding for each watched source that was silent for longer than its heartbeat interval allows.
#[must_use]
pub fn missing_heartbeats(
    directory: &Directory,
    last_seen: impl Fn(SourceId) -> Option<Timestamp>,
    listening_since: Option<Timestamp>,
    now: Timestamp,
) -> Vec<FaultFinding> {
    let sources = directory.sources.values();
    sources.filter_map(|source| missing_heartbeat(source, last_seen(source.id), listening_since, now).finding).collect()
}

/// Checks whether a watched source was silent for longer than its heartbeat interval allows.
///
/// Before `listening_since` no heartbeat could be received. A source that is late only because of that gets the full
/// time again.
#[must_use]
pub fn missing_heartbeat(
    source: &Source,
    last_seen: Option<Timestamp>,
    listening_since: Option<Timestamp>,
    now: Timestamp,
) -> SourceCheck {
    let Some(frequency) = source.heartbeat_frequency else { return SourceCheck::default() };
    let silence = i64::from(frequency) * 1_000_000 + HEARTBEAT_GRACE_MICROS;
    let Some(last_seen) = last_seen else { return SourceCheck { finding: None, next: Next::Soon } };
    let since = last_seen.saturating_add_micros(silence);
    if now <= since {
        return SourceCheck { finding: None, next: Next::At(since.saturating_add_micros(1)) };
    }
    let finding = |verdict| {
        Some(FaultFinding { subject: FaultSubject::Heartbeat(source.id), about_since: Timestamp::MIN, verdict })
    };
    let heard_from = listening_since.map(|start| start.saturating_add_micros(silence));
    if let Some(until) = heard_from.filter(|until| now <= *until) {
        return SourceCheck { finding: finding(FaultVerdict::Unknown), next: Next::At(until.saturating_add_micros(1)) };
    }
    let description = format!("Missing heartbeat from source {}, dead?", shown(source));
    SourceCheck { finding: finding(FaultVerdict::Fault { since, description }), next: Next::Soon }
}

/// Returns a finding for each destination with failed messages. `messages` has the number of messages that failed since
/// the last one was sent, and when the newest of them failed.
#[must_use]
pub fn undelivered(
    directory: &Directory,
    messages: impl IntoIterator<Item = (DestinationId, usize, Timestamp)>,
) -> Vec<FaultFinding> {
    let findings = messages.into_iter().filter_map(|(id, count, since)| {
        // A deleted destination cannot be fixed.
        let whose = destination(directory, id)?;
        let messages = if count == 1 { "1 message".to_owned() } else { format!("{count} messages") };
        Some(FaultFinding {
            subject: FaultSubject::DeadMessages(id),
            about_since: Timestamp::MIN,
            verdict: FaultVerdict::Fault {
                since,
                description: format!("{messages} to {whose} could not be delivered"),
            },
        })
    });
    findings.collect()
}

/// A contact that received nothing via the channel since its messages failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreached {
    pub channel: ChannelId,
    pub full_name: String,
    pub messages: usize,
    /// Times at which the first and the last of the messages failed.
    pub oldest: Timestamp,
    pub newest: Timestamp,
}

/// Returns one finding for each channel, for all its contacts. The first `CONTACTS_NAMED` are named, and each of those
/// opens a new incident; of the others only the number is said.
#[must_use]
pub fn unreached(directory: &Directory, contacts: Vec<Unreached>) -> Vec<FaultFinding> {
    let mut by_channel: BTreeMap<ChannelId, Vec<Unreached>> = BTreeMap::new();
    for contact in contacts {
        by_channel.entry(contact.channel).or_default().push(contact);
    }
    let findings = by_channel.into_iter().filter_map(|(id, mut contacts)| {
        let name = &channel(directory, id)?.name;
        contacts.sort_by(|one, other| (one.oldest, &one.full_name).cmp(&(other.oldest, &other.full_name)));
        let count: usize = contacts.iter().map(|contact| contact.messages).sum();
        let since = contacts.iter().map(|contact| contact.newest).max()?;
        let named: Vec<&str> = contacts.iter().take(CONTACTS_NAMED).map(|it| it.full_name.as_str()).collect();
        let about_since = contacts.iter().take(CONTACTS_NAMED).map(|contact| contact.oldest).max()?;
        let more = contacts.len().saturating_sub(named.len());
        let whom = match (named.as_slice(), more) {
            ([only], _) => (*only).to_owned(),
            (few, 0) => few.join(", "),
            (few, more) => format!("{} and {more} more", few.join(", ")),
        };
        let messages = if count == 1 { "1 message".to_owned() } else { format!("{count} messages") };
        let description = format!("{messages} to {whom} over the channel \"{name}\" could not be delivered");
        Some(FaultFinding {
            subject: FaultSubject::Channel(id),
            about_since,
            verdict: FaultVerdict::Fault { since, description },
        })
    });
    findings.collect()
}

/// Returns the finding about the mail server, which has not been reached since `since`.
#[must_use]
pub fn unreachable(since: Timestamp, now: Timestamp) -> FaultFinding {
    let verdict = if now >= since.saturating_add_micros(MEDIUM_UNREACHABLE_MICROS) {
        let minutes = MEDIUM_UNREACHABLE_MICROS / 60_000_000;
        FaultVerdict::Fault {
            since,
            description: format!("The mail server has not been reached for {minutes} minutes"),
        }
    } else {
        FaultVerdict::Unknown
    };
    FaultFinding { subject: FaultSubject::MailServer, about_since: Timestamp::MIN, verdict }
}

/// Returns the finding about the data file, with its damaged pages or tables. `is_verified`: all of the file was read
/// since the start.
#[must_use]
pub fn damaged(damage: &[String], is_verified: bool, since: Timestamp) -> Vec<FaultFinding> {
    let verdict = match damage {
        [] if is_verified => return Vec::new(),
        [] => FaultVerdict::Unknown,
        [first, ..] => FaultVerdict::Fault {
            since,
            description: format!("The data file is damaged, restore the last good backup: {first}"),
        },
    };
    vec![FaultFinding { subject: FaultSubject::DataFile, about_since: Timestamp::MIN, verdict }]
}

/// Returns the finding about scheduled backups. `newest` is the last good one. A schedule that never wrote one is late
/// when it fails; otherwise it is after two periods, of `every` microseconds. `None` for `every`: there is no schedule.
/// `is_settled`: since the start there was time for a backup that was missed before.
#[must_use]
pub fn late_backup(
    every: Option<i64>,
    newest: Option<Timestamp>,
    failure: Option<(Timestamp, &str)>,
    is_settled: bool,
    now: Timestamp,
) -> Vec<FaultFinding> {
    let Some(every) = every else { return Vec::new() };
    let since = match (newest, failure) {
        (Some(newest), _) => newest.saturating_add_micros(every.saturating_mul(2)),
        (None, Some((at, _))) => at,
        (None, None) => return Vec::new(),
    };
    if since > now {
        return Vec::new();
    }
    let newest = newest.map_or_else(
        || "There is no backup of the data file".to_owned(),
        |at| format!("The last good backup of the data file is of {} UTC", at.to_datetime().format("%Y-%m-%d %H:%M")),
    );
    let reason = failure.map(|(_, reason)| format!(": {reason}")).unwrap_or_default();
    let fault = FaultVerdict::Fault { since, description: newest + &reason };
    let verdict = if is_settled { fault } else { FaultVerdict::Unknown };
    vec![FaultFinding { subject: FaultSubject::Backup, about_since: Timestamp::MIN, verdict }]
}

/// Returns a finding for each active rule without recipients.
#[must_use]
pub fn rules_without_recipients(directory: &Directory) -> Vec<FaultFinding> {
    let findings = directory.rules.values().filter(|rule| rule.active).filter_map(|rule| {
        let since = rule.empty_since?;
        let description = format!("Rule \"{}\" has no recipients, so it notifies nobody", rule.name);
        let verdict = FaultVerdict::Fault { since, description };
        Some(FaultFinding { subject: FaultSubject::Rule(rule.id), about_since: Timestamp::MIN, verdict })
    });
    findings.collect()
}

/// Returns a finding for each active rule whose last event could not notify all contacts.
#[must_use]
pub fn too_many_recipients(directory: &Directory, overflows: &[Overflow]) -> Vec<FaultFinding> {
    let findings = overflows.iter().filter_map(|it| {
        let rule = directory.rules.get(&it.rule).filter(|rule| rule.active)?;
        let description = format!(
            "Rule \"{}\" leads to more contacts than one event may notify: {} were notified, {} were left out",
            rule.name, it.notified, it.left_out
        );
        let verdict = FaultVerdict::Fault { since: it.at, description };
        Some(FaultFinding { subject: FaultSubject::Overflow(rule.id), about_since: Timestamp::MIN, verdict })
    });
    findings.collect()
}

/// Returns the description of the event that closes an incident that began at `start`.
#[must_use]
pub fn over(subject: FaultSubject, start: Timestamp, directory: &Directory) -> String {
    match subject {
        FaultSubject::Token(id) => {
            let Some(source) = directory.source(id) else { return "The source was deleted".to_owned() };
            let shown = shown(source);
            match classic_token(directory, source.user) {
                None => format!("Token for source system {shown} was deleted"),
                Some(token) if token.created > start => format!("Token for source system {shown} was replaced"),
                Some(_) => format!("Token for source system {shown} does not expire soon"),
            }
        }
        FaultSubject::Heartbeat(id) => match directory.source(id) {
            Some(source) if source.heartbeat_frequency.is_some() => {
                format!("Source \"{}\" is again alive and well", shown(source))
            }
            Some(source) => format!("Source \"{}\" is not watched any more", shown(source)),
            None => "The source was deleted".to_owned(),
        },
        FaultSubject::DeadMessages(id) => destination(directory, id)
            .map_or_else(|| "The destination was deleted".to_owned(), |whose| format!("{whose} can be reached again")),
        FaultSubject::Channel(id) => channel(directory, id).map_or_else(
            || "The channel was deleted".to_owned(),
            |it| {
                format!(
                    "The messages that were stuck before the channel \"{}\" were delivered, or are reported again",
                    it.name
                )
            },
        ),
        FaultSubject::Rule(id) => match directory.rules.get(&id) {
            Some(rule) if rule.recipients.is_empty() => format!("Rule \"{}\" was switched off", rule.name),
            Some(rule) => format!("Rule \"{}\" has recipients again", rule.name),
            None => "The rule was deleted".to_owned(),
        },
        FaultSubject::Overflow(id) => match directory.rules.get(&id) {
            Some(rule) if !rule.active => format!("Rule \"{}\" was switched off", rule.name),
            Some(rule) => format!("Nobody was left out any more by rule \"{}\"", rule.name),
            None => "The rule was deleted".to_owned(),
        },
        FaultSubject::MailServer => "The mail server was reached again".to_owned(),
        FaultSubject::DataFile => "All pages of the data file are as they were written".to_owned(),
        FaultSubject::Backup => "A good backup of the data file was written, or backups were switched off".to_owned(),
    }
}

/// Returns the newest classic token of the user.
fn classic_token(directory: &Directory, user: UserId) -> Option<&Token> {
    directory.tokens.classic_of(user).max_by_key(|token| token.created).map(AsRef::as_ref)
}

pub(super) fn channel(directory: &Directory, id: ChannelId) -> Option<&Channel> {
    directory.channels.values().find(|channel| channel.id == id).map(AsRef::as_ref)
}

/// Returns owner, label or number, and medium of a destination. The text is public, so it does not contain the address.
fn destination(directory: &Directory, id: DestinationId) -> Option<String> {
    let destination = directory.destinations.get(&id)?;
    let owner = directory.user(destination.owner).map_or("", |user| user.username.as_str());
    let name = destination.public_name();
    Some(format!("{owner}'s {name} ({})", destination.medium))
}

fn shown(source: &Source) -> String {
    format!("{} ({})", source.name, source.source_type)
}

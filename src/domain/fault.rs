//! Conditions that the server reports about itself as incidents (contract section 23).

mod rules;

use super::{
    ChannelId, DestinationId, Directory, EndTime, EventType, Incident, IncidentId, Level, RuleId, SourceId, Tag,
    Timestamp,
    plan::{REPORTED_DESTINATION_TAG, REPORTED_MEDIUM_TAG},
};

use self::rules::channel;
pub use self::rules::{
    SourceCheck, Strictness, Unreached, damaged, expiring_token, expiring_tokens, late_backup, missing_heartbeat,
    missing_heartbeats, over, rules_without_recipients, too_many_recipients, undelivered, unreachable, unreached,
};

/// The subject of a fault. Each has at most one open incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultSubject {
    Token(SourceId),
    Heartbeat(SourceId),
    DeadMessages(DestinationId),
    /// Failed messages to contacts via this channel.
    Channel(ChannelId),
    MailServer,
    Rule(RuleId),
    /// An event that would notify more contacts than one event may.
    Overflow(RuleId),
    DataFile,
    /// The backups of the schedule.
    Backup,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    TokenExpiry,
    MissingHeartbeat,
    DeadMessages,
    MailServer,
    RuleWithoutRecipients,
    TooManyRecipients,
    DamagedDataFile,
    LateBackup,
}

impl FaultKind {
    /// Returns the value of the tag `problem_type`.
    #[must_use]
    pub const fn problem_type(self) -> &'static str {
        match self {
            Self::TokenExpiry => "token_expiry",
            Self::MissingHeartbeat => "missing_heartbeat",
            Self::DeadMessages => "dead_letters",
            Self::MailServer => "mail_server",
            Self::RuleWithoutRecipients => "rule_without_recipients",
            Self::TooManyRecipients => "too_many_recipients",
            Self::DamagedDataFile => "damaged_data_file",
            Self::LateBackup => "late_backup",
        }
    }

    /// Returns the tag of all incidents of this kind.
    #[must_use]
    pub fn tag(self) -> String {
        format!("problem_type={}", self.problem_type())
    }
}

impl FaultSubject {
    #[must_use]
    pub const fn kind(self) -> FaultKind {
        match self {
            Self::Token(_) => FaultKind::TokenExpiry,
            Self::Heartbeat(_) => FaultKind::MissingHeartbeat,
            Self::DeadMessages(_) | Self::Channel(_) => FaultKind::DeadMessages,
            Self::MailServer => FaultKind::MailServer,
            Self::Rule(_) => FaultKind::RuleWithoutRecipients,
            Self::Overflow(_) => FaultKind::TooManyRecipients,
            Self::DataFile => FaultKind::DamagedDataFile,
            Self::Backup => FaultKind::LateBackup,
        }
    }

    /// Returns the source incident id of the latest incident about the subject.
    #[must_use]
    pub fn name(self) -> String {
        let kind = self.kind().problem_type();
        match self {
            Self::Token(source) | Self::Heartbeat(source) => format!("{kind}:{source}"),
            Self::DeadMessages(destination) => format!("{kind}:{destination}"),
            Self::Channel(channel) => format!("{kind}:channel:{channel}"),
            Self::Rule(rule) | Self::Overflow(rule) => format!("{kind}:{rule}"),
            Self::MailServer | Self::DataFile | Self::Backup => kind.to_owned(),
        }
    }

    /// Returns the source incident id of an incident that is not the latest one about the subject.
    #[must_use]
    pub fn former_name(self, incident: IncidentId) -> String {
        format!("{}:{incident}", self.name())
    }

    /// Returns whether this is the source incident id of an incident about the subject, the latest or an earlier one.
    #[must_use]
    pub fn is_named(self, source_incident_id: &str) -> bool {
        source_incident_id.strip_prefix(&self.name()).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    }

    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Self::DataFile => Level::CRITICAL,
            Self::Token(_) | Self::MailServer | Self::Rule(_) | Self::Overflow(_) | Self::Channel(_) | Self::Backup => {
                Level::HIGH
            }
            Self::DeadMessages(_) => Level::MODERATE,
            Self::Heartbeat(_) => Level::LOW,
        }
    }

    #[must_use]
    pub fn tags(self, incident: IncidentId, directory: &Directory) -> Vec<Tag> {
        let problem = self.kind().tag();
        let texts = match self {
            Self::Token(source) => vec![
                "location=argus".to_owned(),
                problem,
                format!("source_system_id={source}"),
                format!("object={incident}"),
            ],
            Self::Heartbeat(source) => vec![problem, format!("source_system_id={source}")],
            Self::DeadMessages(destination) => vec![problem, format!("{REPORTED_DESTINATION_TAG}={destination}")],
            Self::Channel(id) => {
                let uuid = channel(directory, id).map(|channel| format!("channel={}", channel.uuid));
                [problem].into_iter().chain(uuid).collect()
            }
            Self::Rule(rule) | Self::Overflow(rule) => vec![problem, format!("rule_id={rule}")],
            Self::DataFile | Self::Backup => vec![problem],
            Self::MailServer => vec![problem, format!("{REPORTED_MEDIUM_TAG}={}", super::destination::EMAIL)],
        };
        texts.iter().filter_map(|text| Tag::parse(text).ok()).collect()
    }
}

/// Result of checking one subject. A subject without a finding has no fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultFinding {
    pub subject: FaultSubject,
    /// Start time before which an incident is about an earlier fault.
    pub about_since: Timestamp,
    pub verdict: FaultVerdict,
}

impl FaultFinding {
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        matches!(self.verdict, FaultVerdict::Fault { .. })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultVerdict {
    Fault {
        since: Timestamp,
        description: String,
    },
    /// It is not known whether there is a fault: an open incident about it stays open.
    Unknown,
}

/// Change that is required of the latest incident about a subject, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultStep {
    Nothing,
    Open,
    End,
    /// The incident ends, and a new one opens.
    Replace,
}

#[must_use]
pub fn step(latest: Option<&Incident>, finding: Option<&FaultFinding>, now: Timestamp) -> FaultStep {
    let (open, closed) = (latest.filter(|it| it.is_open(now)), latest.filter(|it| !it.is_open(now)));
    let is_outdated = |finding: &FaultFinding| open.is_some_and(|incident| incident.start < finding.about_since);
    match finding {
        Some(finding) => match &finding.verdict {
            FaultVerdict::Fault { .. } if is_outdated(finding) => FaultStep::Replace,
            FaultVerdict::Unknown if is_outdated(finding) => FaultStep::End,
            FaultVerdict::Fault { .. } if open.is_some() => FaultStep::Nothing,
            FaultVerdict::Fault { since, .. } if !closed.is_some_and(|it| is_dealt_with(it, finding, *since)) => {
                FaultStep::Open
            }
            FaultVerdict::Fault { .. } | FaultVerdict::Unknown => FaultStep::Nothing,
        },
        None if open.is_some() => FaultStep::End,
        None => FaultStep::Nothing,
    }
}

/// Returns whether the fault is covered by an incident that was closed. A fault whose incident a user closed is
/// reported again only if it began later. For failed messages this holds for all closed incidents, because it is not
/// known after a restart what was sent since.
fn is_dealt_with(closed: &Incident, finding: &FaultFinding, since: Timestamp) -> bool {
    let is_newer = matches!(closed.end, EndTime::At(end) if end > since && closed.start >= finding.about_since);
    let by_hand = closed.event_types.contains(EventType::Close);
    is_newer && (by_hand || finding.subject.kind() == FaultKind::DeadMessages)
}

#[cfg(test)]
mod tests;

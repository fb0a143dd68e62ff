//! Reasons to refuse a valid request.

mod profiles;

use super::{ChannelRefusal, EventRefusal, MessageState, Tag, Timestamp, user::PasswordProblem};

pub use profiles::{NotificationRefusal, ProfileLabel};

/// Reason why a well-formed request is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("only superusers may name the source of an incident")]
    SourceFieldForbidden,
    #[error("the user has no source")]
    NoSource,
    #[error("there is no source {0}")]
    UnknownSource(u64),
    #[error("source \"{source_name}\" has an incident with source_incident_id \"{id}\" already")]
    DuplicateSourceIncidentId { source_name: String, id: String },
    #[error("end_time lies before start_time")]
    EndBeforeStart,
    /// Holds the tags that the caller may not remove.
    #[error("only superusers may remove tags that somebody else added")]
    ForeignTags(Vec<Tag>),
    #[error("an incident can have at most {} tags", crate::domain::limits::TAGS_PER_INCIDENT)]
    TooManyTags,
    #[error(transparent)]
    Event(#[from] EventRefusal),
    #[error("sources must say when it happened: timestamp is missing")]
    TimestampRequired,
    #[error("the acknowledgement has expired")]
    AckExpired,
    #[error("expiration is not after timestamp")]
    ExpirationBeforeTimestamp,
    /// Holds the current time.
    #[error("expiration is not in the future")]
    ExpirationNotInFuture(Timestamp),
    #[error("an incident can have at most {} acknowledgements", crate::domain::limits::ACKS_PER_INCIDENT)]
    TooManyAcks,
    #[error("incidents cannot be deleted here (setting indelible_incidents)")]
    Indelible,
    #[error("there is no incident {0}")]
    UnknownIncidentForTags(u64),
    #[error("a list of more than {} ids is too long", crate::domain::limits::BULK_IDS)]
    TooManyIds,
    #[error("too much has changed since this list was shown; nothing was done, please select again")]
    SelectionTooOld,
    #[error("there are incidents already; --force adds made-up ones to them")]
    IncidentsAlready,
    #[error("there is a source with this name and type already")]
    SourceExists,
    #[error("the source has incidents ({0}), so it stays; revoke its tokens instead")]
    SourceHasIncidents(u64),
    #[error("saved filter \"{name}\" of {owner} names the source; change that filter first")]
    SourceInFilter { name: String, owner: String },
    #[error("incidents of the server itself come from this source, so it stays")]
    OwnSource,
    #[error(
        "a heartbeat can be expected every {} to {} seconds",
        crate::domain::limits::HEARTBEAT_FREQUENCY.start(),
        crate::domain::limits::HEARTBEAT_FREQUENCY.end()
    )]
    BadHeartbeatFrequency,
    #[error("there is no profile {0}")]
    UnknownProfile(u64),
    #[error("there is no such source type")]
    UnknownSourceType,
    #[error("there is a source type with this name already")]
    SourceTypeExists,
    #[error("\"{0}\" is not in lower case")]
    NotLowercase(String),
    #[error("usernames are made of letters, digits and @.+-_, at most 150")]
    BadUsername,
    #[error("{0:?} is not a valid e-mail address")]
    BadEmail(String),
    #[error("you cannot remove your own rights; another superuser has to")]
    OwnRights,
    #[error(transparent)]
    Password(#[from] PasswordProblem),
    #[error("the username is taken")]
    UsernameTaken,
    #[error("{0} must not be empty")]
    Empty(&'static str),
    #[error("{field} is longer than {limit} characters")]
    TooLong { field: &'static str, limit: usize },
    /// Holds the username.
    #[error("user {0} has no token")]
    NoClassicToken(String),
    #[error(
        "a user can have at most {} tokens created by hand; revoke one first",
        crate::domain::limits::TOKENS_PER_USER
    )]
    TooManyTokens,
    /// Holds the username.
    #[error("user {0} is deactivated, so a token would be useless; activate the user first")]
    InactiveUser(String),
    #[error("a token is 40 hex digits")]
    BadTokenValue,
    #[error("this token is in use already")]
    TokenTaken,
    #[error("{owner} has a timeslot \"{name}\" already")]
    TimeslotExists { name: String, owner: String },
    #[error("{owner} has a filter \"{name}\" already")]
    FilterExists { name: String, owner: String },
    #[error("a user can have at most {limit} {what}")]
    TooMany { what: &'static str, limit: usize },
    /// Bound on the number of all things of a kind.
    #[error("there can be at most {limit} {what}")]
    TooManyInAll { field: &'static str, what: &'static str, limit: usize },
    #[error("a filter can have at most {limit} bytes; this one has {bytes}")]
    FilterTooLarge { bytes: usize, limit: usize },
    #[error(transparent)]
    Channel(#[from] ChannelRefusal),
    #[error(transparent)]
    Notification(#[from] NotificationRefusal),
    /// A key in a body that does not exist, or that the caller may not use.
    #[error("there is no {field} {pk}")]
    UnknownKey { field: &'static str, pk: u64 },
    #[error("{}", not_given_up(*.0))]
    NotGivenUp(MessageState),
    #[error("no ticket plugin is set up")]
    TicketPluginMissing,
}

fn not_given_up(state: MessageState) -> String {
    match state {
        MessageState::Due { .. } => "This message is queued. Only failed messages can be sent again.".to_owned(),
        MessageState::Delivered { .. } => "This message was sent. Only failed messages can be sent again.".to_owned(),
        MessageState::Dead { .. } => "This message failed.".to_owned(),
        MessageState::Gathered { into, .. } => {
            format!("This message is part of summary {into}; only the summary can be sent again.")
        }
    }
}

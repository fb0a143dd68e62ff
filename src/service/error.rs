//! Everything a use case can answer instead of a result.

use std::time::Duration;

use crate::{
    domain::{channel::ChannelRefusal, lifecycle::EventRefusal},
    search::SearchError,
    store::{StoreError, WriteError},
};

pub use crate::domain::refusal::{NotificationRefusal, ProfileLabel, Refusal};

#[derive(Clone, Debug, thiserror::Error)]
pub enum ServiceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Search(#[from] SearchError),
    #[error("{0} not found")]
    NotFound(Model),
    #[error("this user may not do that")]
    Forbidden,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("too often, next in {} seconds", retry_after.as_secs())]
    TooOften { retry_after: Duration },
    /// Our own trouble.
    #[error("{0}")]
    Internal(&'static str),
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    Incident,
    Event,
    Acknowledgement,
    Tag,
    Source,
    SourceType,
    User,
    Token,
    Timeslot,
    Destination,
    Medium,
    Filter,
    Channel,
    Profile,
    Maintenance,
    Rule,
    Contact,
    ContactGroup,
    Delivery,
}

impl std::fmt::Display for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Incident => "incident",
            Self::Event => "event",
            Self::Acknowledgement => "acknowledgement",
            Self::Tag => "tag",
            Self::Source => "source",
            Self::SourceType => "source type",
            Self::User => "user",
            Self::Token => "token",
            Self::Timeslot => "timeslot",
            Self::Destination => "destination",
            Self::Medium => "medium",
            Self::Filter => "filter",
            Self::Channel => "channel",
            Self::Profile => "notification profile",
            Self::Maintenance => "planned maintenance",
            Self::Rule => "rule",
            Self::Contact => "contact",
            Self::ContactGroup => "contact group",
            Self::Delivery => "delivery",
        })
    }
}

impl From<ChannelRefusal> for ServiceError {
    fn from(refusal: ChannelRefusal) -> Self {
        Self::Refused(Refusal::Channel(refusal))
    }
}

impl From<EventRefusal> for ServiceError {
    fn from(refusal: EventRefusal) -> Self {
        Self::Refused(Refusal::Event(refusal))
    }
}

impl From<NotificationRefusal> for ServiceError {
    fn from(refusal: NotificationRefusal) -> Self {
        Self::Refused(Refusal::Notification(refusal))
    }
}

impl From<WriteError<ServiceError>> for ServiceError {
    fn from(error: WriteError<ServiceError>) -> Self {
        match error {
            WriteError::Refused(refused) => refused,
            WriteError::Store(error) => Self::Store(error),
        }
    }
}

/// For commands that can only refuse.
pub(super) fn refused(error: WriteError<Refusal>) -> ServiceError {
    match error {
        WriteError::Refused(refusal) => refusal.into(),
        WriteError::Store(error) => error.into(),
    }
}

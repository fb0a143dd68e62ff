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

macro_rules! models {
    ($($model:ident: $name:literal, $class:literal;)+) => {
        /// What was asked for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Model {
            $($model,)+
        }

        impl Model {
            /// The name for people.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$model => $name),+ }
            }

            /// The name that programs know.
            #[must_use]
            pub const fn class(self) -> &'static str {
                match self { $(Self::$model => $class),+ }
            }
        }
    };
}

models! {
    Incident: "incident", "Incident";
    Event: "event", "Event";
    Acknowledgement: "acknowledgement", "Acknowledgement";
    Tag: "tag", "Tag";
    Source: "source", "SourceSystem";
    SourceType: "source type", "SourceSystemType";
    User: "user", "User";
    Token: "token", "Token";
    Timeslot: "timeslot", "Timeslot";
    Destination: "destination", "DestinationConfig";
    Medium: "medium", "Media";
    Filter: "filter", "Filter";
    Channel: "channel", "Channel";
    Profile: "notification profile", "NotificationProfile";
    Maintenance: "planned maintenance", "PlannedMaintenanceTask";
    Rule: "rule", "Rule";
    Contact: "contact", "Contact";
    ContactGroup: "contact group", "ContactGroup";
    Delivery: "delivery", "Delivery";
}

impl std::fmt::Display for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
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

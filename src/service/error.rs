//! Errors of use cases.

use std::time::Duration;

use crate::domain::{ChannelRefusal, EventRefusal};
use crate::search::SearchError;
use crate::store::StoreError;

pub use crate::domain::{
    directory::Model,
    refusal::{NotificationRefusal, ProfileLabel, Refusal},
};

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
    /// A fault or failure of the server itself.
    #[error("{0}")]
    Internal(&'static str),
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

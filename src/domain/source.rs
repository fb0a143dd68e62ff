//! Sources: the monitoring systems that post incidents (contract section 4).
//!
//! When a source was last seen changes with every call, so the store keeps it beside the record.

use super::ids::{SourceId, UserId};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub id: SourceId,
    /// Unique together with `source_type`.
    pub name: String,
    /// The name of its type, lower case.
    pub source_type: String,
    /// The account that posts for it.
    pub user: UserId,
    /// What relative `details_url`s are joined to; not checked, may be empty.
    pub base_url: String,
    /// Seconds within which a sign of life is expected; `None`: not watched.
    pub heartbeat_frequency: Option<u32>,
}

//! Stored filters of users.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Kind, Record, kept_in, known_as};
use crate::{
    domain::{
        event::EventType,
        event_filter::Filters,
        ids::{FilterId, SourceId, UserId},
        severity::Level,
        stored_filter::{FilterBlob, StoredFilter},
    },
    store::{
        StoreError,
        codec::{decode_v1, encode},
    },
};

const V1: u8 = 1;

#[derive(Serialize, Deserialize)]
pub(super) struct FilterV1 {
    owner: u64,
    name: String,
    public: bool,
    source_ids: Option<Vec<u64>>,
    source_types: Option<Vec<String>>,
    tags: Option<Vec<String>>,
    open: Option<bool>,
    acked: Option<bool>,
    stateful: Option<bool>,
    max_level: Option<u8>,
    /// Codes of event types.
    event_types: Option<Vec<String>>,
    hide_closed_acked: bool,
}

impl Record for StoredFilter {
    known_as!(Filter, "filter");

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let record = FilterV1 {
            owner: self.owner.0,
            name: self.name.clone(),
            public: self.public,
            ..blob_record(self.blob.clone())
        };
        encode(V1, &record)
    }

    fn audit(&self) -> Value {
        let mut text = json!({ "owner": self.owner.0, "name": self.name, "public": self.public });
        if let (Value::Object(whole), Value::Object(criteria)) = (&mut text, audit_blob(&self.blob)) {
            whole.extend(criteria);
        }
        text
    }
}

impl Kind for StoredFilter {
    kept_in!("filter_id_to_filter", id: FilterId => filters: Filters);

    fn decode(id: FilterId, value: &[u8]) -> Result<Self, StoreError> {
        let mut record: FilterV1 = decode_v1("filter", value)?;
        let (owner, name, public) = (UserId(record.owner), std::mem::take(&mut record.name), record.public);
        let blob = blob_from_record(record)
            .ok_or_else(|| StoreError::Damaged(format!("filter {id} has an unknown event type or level")))?;
        Ok(Self { id, owner, name, public, blob })
    }

    fn owner(&self) -> Option<(&'static str, UserId)> {
        Some(("owner", self.owner))
    }
}

/// Returns the record of a blob, without owner and name.
pub(super) fn blob_record(blob: FilterBlob) -> FilterV1 {
    let codes = |kinds: Vec<EventType>| kinds.into_iter().map(|kind| kind.code().to_owned()).collect();
    FilterV1 {
        owner: 0,
        name: String::new(),
        public: false,
        source_ids: blob.source_ids.map(|ids| ids.into_iter().map(|id| id.0).collect()),
        source_types: blob.source_types,
        tags: blob.tags,
        open: blob.open,
        acked: blob.acked,
        stateful: blob.stateful,
        max_level: blob.max_level.map(Level::get),
        event_types: blob.event_types.map(codes),
        hide_closed_acked: blob.hide_closed_acked,
    }
}

/// Returns the blob of a record. `None` if an event type or the level is unknown.
pub(super) fn blob_from_record(record: FilterV1) -> Option<FilterBlob> {
    let kinds = |codes: Vec<String>| codes.iter().map(|code| EventType::from_code(code).ok_or(())).collect();
    let max_level = record.max_level.map(|level| Level::new(level).ok_or(())).transpose().ok()?;
    let event_types = record.event_types.map(kinds).transpose().ok()?;
    Some(FilterBlob {
        source_ids: record.source_ids.map(|ids| ids.into_iter().map(SourceId).collect()),
        source_types: record.source_types,
        tags: record.tags,
        open: record.open,
        acked: record.acked,
        stateful: record.stateful,
        max_level,
        event_types,
        hide_closed_acked: record.hide_closed_acked,
    })
}

pub(super) fn audit_blob(blob: &FilterBlob) -> Value {
    Value::Object(blob.given().map(|(criterion, given)| (criterion.stored.to_owned(), json!(given))).collect())
}

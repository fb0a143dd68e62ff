//! Stored filters of users.

use serde_json::{Value, json};

use super::{
    Kind, Record, kept_in, known_as,
    stored::{Stored, stored},
};
use crate::domain::{
    EventType, FilterBlob, FilterId, Level, SourceId, StoredFilter, UserId, event_filter::FilterTable,
};
use crate::store::{StoreError, codec::decode_v1};

stored! {
    FilterV1 of StoredFilter by id: FilterId {
        owner: UserId,
        name: String,
        public: bool,
        blob: FilterBlob,
    }
}

stored! {
    CriteriaV1 of FilterBlob {
        source_ids: Option<Vec<SourceId>>,
        source_types: Option<Vec<String>>,
        tags: Option<Vec<String>>,
        open: Option<bool>,
        acked: Option<bool>,
        stateful: Option<bool>,
        max_level: Option<Level>,
        event_types: Option<Vec<EventType>>,
        hide_closed_acked: bool,
    }
}

impl Record for StoredFilter {
    known_as!(Filter, "filter" as FilterV1);

    fn audit(&self) -> Value {
        let mut text = json!({ "owner": self.owner.0, "name": self.name, "public": self.public });
        if let (Value::Object(whole), Value::Object(criteria)) = (&mut text, self.blob.audit()) {
            whole.extend(criteria);
        }
        text
    }
}

impl Kind for StoredFilter {
    kept_in!("filter_id_to_filter", id: FilterId => filters: FilterTable, of owner);

    fn decode(id: FilterId, value: &[u8]) -> Result<Self, StoreError> {
        let unknown = |_| StoreError::Damaged(format!("filter {id} has an unknown event type or level"));
        decode_v1::<FilterV1>(Self::NAME, value)?.restore(id).map_err(unknown)
    }
}

impl Stored for FilterBlob {
    type Form = CriteriaV1;

    fn store(&self) -> CriteriaV1 {
        CriteriaV1::of(self)
    }

    fn restore(stored: CriteriaV1) -> Result<Self, StoreError> {
        stored.restore()
    }

    fn audit(&self) -> Value {
        Value::Object(self.given().map(|(criterion, given)| (criterion.stored.to_owned(), json!(given))).collect())
    }
}

impl Stored for Level {
    type Form = u8;

    fn store(&self) -> u8 {
        self.get()
    }

    fn restore(stored: u8) -> Result<Self, StoreError> {
        Self::new(stored).ok_or_else(|| StoreError::Damaged(format!("{stored} is no level")))
    }
}

/// As its code.
impl Stored for EventType {
    type Form = String;

    fn store(&self) -> String {
        self.code().to_owned()
    }

    fn restore(stored: String) -> Result<Self, StoreError> {
        Self::from_code(&stored).ok_or_else(|| StoreError::Damaged(format!("{stored} is no type of events")))
    }
}

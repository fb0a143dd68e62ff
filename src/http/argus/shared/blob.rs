//! Criteria on the wire: the blob of stored filters and previews (contract sections 14.1 and 14.2).

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    domain::{event::EventType, ids::SourceId, limits, severity::Level, stored_filter::FilterBlob},
    http::fields::{Fields, Text},
};

/// The keys of `filter_string`.
const STRING_KEYS: [&str; 2] = ["sourceSystemIds", "tags"];

/// Lists that were never given are left out.
#[derive(Serialize, ToSchema)]
#[schema(as = FilterBlob)]
pub struct BlobBody<'a> {
    #[serde(rename = "sourceSystemIds", skip_serializing_if = "Option::is_none")]
    source_ids: Option<Vec<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a [String]>,
    open: Option<bool>,
    acked: Option<bool>,
    stateful: Option<bool>,
    #[serde(rename = "maxlevel")]
    #[schema(minimum = 1, maximum = 5)]
    max_level: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_types: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_types: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = bool, required)]
    hide_closed_acked: Option<bool>,
}

impl<'a> BlobBody<'a> {
    #[must_use]
    pub fn new(blob: &'a FilterBlob, wide: bool) -> Self {
        let codes = |kinds: &Vec<EventType>| kinds.iter().map(|kind| kind.code()).collect();
        Self {
            source_ids: blob.source_ids.as_ref().map(|ids| ids.iter().map(|id| id.0).collect()),
            tags: blob.tags.as_deref(),
            open: blob.open,
            acked: blob.acked,
            stateful: blob.stateful,
            max_level: blob.max_level.map(Level::get),
            source_types: blob.source_types.as_deref().filter(|_| wide),
            event_types: blob.event_types.as_ref().filter(|_| wide).map(codes),
            hide_closed_acked: wide.then_some(blob.hide_closed_acked),
        }
    }
}

/// Notes what is wrong; what is not known is left alone.
pub fn take_blob(fields: &mut Fields, wide: bool) -> FilterBlob {
    let mut blob = FilterBlob {
        open: fields.nullable_flag("open").flatten(),
        acked: fields.nullable_flag("acked").flatten(),
        stateful: fields.nullable_flag("stateful").flatten(),
        max_level: fields.nullable_max_level("maxlevel").flatten(),
        ..take_sources_and_tags(fields)
    };
    if wide {
        blob.source_types = fields.texts("source_types", 1, Text::filled_up_to(limits::SOURCE_TYPE_NAME));
        blob.event_types = fields.event_types("event_types");
        blob.hide_closed_acked = fields.flag("hide_closed_acked").unwrap_or(false);
    }
    blob
}

/// A blob with all criteria, as JSON.
///
/// # Errors
/// What is wrong with it, for people.
pub fn parse_blob(text: &str) -> Result<FilterBlob, String> {
    let object = match serde_json::from_str(text) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return Err("a filter is a JSON object".to_owned()),
        Err(error) => return Err(format!("not JSON: {error}")),
    };
    let mut fields = Fields::new(object, false);
    let blob = take_blob(&mut fields, true);
    if fields.has_errors() { Err(fields.refuse().body().to_string()) } else { Ok(blob) }
}

/// JSON in a text, an object with exactly two keys.
pub fn take_filter_string(fields: &mut Fields) -> Option<FilterBlob> {
    const NAME: &str = "filter_string";
    let text = fields.text(NAME, Text::filled_up_to(limits::METADATA_BYTES))?;
    let object = match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => object,
        Ok(_) => {
            fields.error(NAME, "Expected a JSON object.");
            return None;
        }
        Err(error) => {
            fields.error(NAME, format!("JSON parse error - {error}"));
            return None;
        }
    };
    if object.len() != STRING_KEYS.len() || !STRING_KEYS.iter().all(|key| object.contains_key(*key)) {
        fields.error(NAME, "Expected exactly the keys sourceSystemIds and tags.");
        return None;
    }
    let mut nested = Fields::new(object, false);
    let blob = take_sources_and_tags(&mut nested);
    if nested.has_errors() {
        fields.error(NAME, nested.refuse().body().to_string());
        return None;
    }
    Some(blob)
}

/// Written as clients have always seen it, with a space behind each comma and colon.
#[must_use]
pub fn filter_string(blob: &FilterBlob) -> String {
    let ids: Vec<String> = blob.source_ids.iter().flatten().map(SourceId::to_string).collect();
    let tags: Vec<String> = blob.tags.iter().flatten().map(|tag| Value::from(tag.as_str()).to_string()).collect();
    format!("{{\"sourceSystemIds\": [{}], \"tags\": [{}]}}", ids.join(", "), tags.join(", "))
}

fn take_sources_and_tags(fields: &mut Fields) -> FilterBlob {
    let ids = fields.positive_integers("sourceSystemIds");
    FilterBlob {
        source_ids: ids.map(|ids| ids.into_iter().map(SourceId).collect()),
        tags: fields.loose_tags("tags"),
        ..FilterBlob::default()
    }
}

//! Criteria on the wire: the blob of saved filters and previews (contract sections 14.1 and 14.2).

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ArrayBuilder, KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type, schema::SchemaType},
};

use crate::domain::{
    FilterBlob, SourceId,
    criterion::{Given, Slot},
    limits,
};
use crate::http::{BodyFields, TextRule};

/// The keys of `filter_string`.
const STRING_KEYS: [&str; 2] = ["sourceSystemIds", "tags"];

/// Criteria in an answer. Lists that were never set are omitted.
pub struct BlobBody<'a> {
    blob: &'a FilterBlob,
    wide: bool,
}

impl<'a> BlobBody<'a> {
    #[must_use]
    pub const fn new(blob: &'a FilterBlob, wide: bool) -> Self {
        Self { blob, wide }
    }
}

impl Serialize for BlobBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let of = |is_wide| self.blob.given().filter(move |(criterion, _)| criterion.is_wide == is_wide);
        let all = of(false).chain(of(true).filter(|_| self.wide));
        let shown = all.filter(|(_, given)| given.count().is_some() || !given.is_list());
        serializer.collect_map(shown.map(|(criterion, given)| (criterion.key, given)))
    }
}

impl PartialSchema for BlobBody<'_> {
    fn schema() -> RefOr<Schema> {
        schema(false)
    }
}

impl ToSchema for BlobBody<'_> {
    fn name() -> Cow<'static, str> {
        "FilterBlob".into()
    }
}

/// Criteria in a request, only for the API documents. [`take_blob`] reads them.
#[derive(Deserialize)]
pub struct BlobRequest {}

impl PartialSchema for BlobRequest {
    fn schema() -> RefOr<Schema> {
        schema(true)
    }
}

impl ToSchema for BlobRequest {}

fn schema(is_request: bool) -> RefOr<Schema> {
    let text = if is_request {
        "All criteria must hold; what is null, empty or left out does not count."
    } else {
        "Lists that were never given are left out."
    };
    let mut object = ObjectBuilder::new().description(Some(text));
    for (criterion, given) in FilterBlob::default().given() {
        let about = criterion.about.filter(|_| is_request);
        let is_required = !is_request && matches!(given, Given::Flag(_));
        object = object.property(criterion.key, value_schema(given, is_required, about));
        if is_required {
            object = object.required(criterion.key);
        }
    }
    object.into()
}

/// Returns the schema of one criterion, which is nullable unless it is required.
fn value_schema(given: Given<'_>, is_required: bool, about: Option<&str>) -> Schema {
    let kind = |kind: Type| if is_required { kind.into() } else { SchemaType::from_iter([kind, Type::Null]) };
    let number =
        |format, least| ObjectBuilder::new().format(Some(SchemaFormat::KnownFormat(format))).minimum(Some(least));
    let item = match given {
        Given::Either(_) | Given::Flag(_) => {
            return ObjectBuilder::new().schema_type(kind(Type::Boolean)).description(about).into();
        }
        Given::MaxLevel(_) => {
            let level = number(KnownFormat::Int32, 1).maximum(Some(5));
            return level.schema_type(kind(Type::Integer)).description(about).into();
        }
        Given::Sources(_) => number(KnownFormat::Int64, 0).schema_type(Type::Integer),
        Given::Names(_) | Given::Tags(_) | Given::EventTypes(_) => ObjectBuilder::new().schema_type(Type::String),
    };
    ArrayBuilder::new().schema_type(kind(Type::Array)).items(item).description(about).into()
}

/// Reads the criteria, and records an error for each invalid one. Unknown keys are ignored.
pub fn take_blob(fields: &mut BodyFields, wide: bool) -> FilterBlob {
    let mut blob = FilterBlob::default();
    let mut slots: Vec<_> = blob.slots().filter(|(criterion, _)| wide || !criterion.is_wide).collect();
    // Errors are reported in this order.
    slots.sort_by_key(|(criterion, slot)| {
        (criterion.is_wide, !criterion.is_wide && matches!(slot, Slot::Sources(_) | Slot::Tags(_)))
    });
    for (criterion, slot) in slots {
        take_criterion(fields, criterion.key, slot);
    }
    blob
}

fn take_criterion(fields: &mut BodyFields, key: &str, slot: Slot<'_>) {
    match slot {
        Slot::Either(wanted) => *wanted = fields.nullable_flag(key).flatten(),
        Slot::Flag(wanted) => *wanted = fields.flag(key).unwrap_or(false),
        Slot::MaxLevel(level) => *level = fields.nullable_max_level(key).flatten(),
        Slot::Sources(ids) => {
            *ids = fields.positive_integers(key).map(|ids| ids.into_iter().map(SourceId).collect());
        }
        Slot::Names(names) => *names = fields.texts(key, 1, TextRule::filled_up_to(limits::SOURCE_TYPE_NAME)),
        Slot::Tags(tags) => *tags = fields.loose_tags(key),
        Slot::EventTypes(kinds) => *kinds = fields.event_types(key),
    }
}

/// Parses a JSON object with all criteria. Unknown keys are errors.
///
/// # Errors A description of what is wrong, for users.
pub fn parse_blob(text: &str) -> Result<FilterBlob, String> {
    let object = match serde_json::from_str(text) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return Err("a filter is a JSON object".to_owned()),
        Err(error) => return Err(format!("not JSON: {error}")),
    };
    let mut fields = BodyFields::new(object, false);
    let mut blob = take_blob(&mut fields, true);
    let known: Vec<&str> = blob.slots().map(|(criterion, _)| criterion.key).collect();
    if let Some(unknown) = fields.names().find(|name| !known.contains(name)) {
        return Err(format!("there is no criterion {unknown:?}; possible are {}", known.join(", ")));
    }
    if fields.has_errors() { Err(fields.refuse().body().to_string()) } else { Ok(blob) }
}

/// Reads `filter_string`: a text that is a JSON object with exactly two keys.
pub fn take_filter_string(fields: &mut BodyFields) -> Option<FilterBlob> {
    const NAME: &str = "filter_string";
    let text = fields.text(NAME, TextRule::filled_up_to(limits::METADATA_BYTES))?;
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
    let mut nested = BodyFields::new(object, false);
    let blob = take_blob(&mut nested, false);
    if nested.has_errors() {
        fields.error(NAME, nested.refuse().body().to_string());
        return None;
    }
    Some(blob)
}

/// Writes the value of `filter_string` in the form that clients know, with a space after each comma and colon.
#[must_use]
pub fn filter_string(blob: &FilterBlob) -> String {
    let ids: Vec<String> = blob.source_ids.iter().flatten().map(SourceId::to_string).collect();
    let tags: Vec<String> = blob.tags.iter().flatten().map(|tag| Value::from(tag.as_str()).to_string()).collect();
    format!("{{\"sourceSystemIds\": [{}], \"tags\": [{}]}}", ids.join(", "), tags.join(", "))
}

//! Converts form bodies to objects: repeated fields become lists, `a[0]b` and `a.b` become nested values.

use std::collections::BTreeMap;

use axum::body::Body;
use serde_json::{Map, Value};
use url::form_urlencoded;

pub(super) fn urlencoded(bytes: &[u8]) -> Value {
    assemble(form_urlencoded::parse(bytes).map(|(name, value)| (name.into_owned(), value.into_owned())))
}

pub(super) async fn multipart(media_type: &str, bytes: Vec<u8>) -> Result<Value, multer::Error> {
    let boundary = multer::parse_boundary(media_type)?;
    let mut parts = multer::Multipart::new(Body::from(bytes).into_data_stream(), boundary);
    let mut fields = Vec::new();
    while let Some(part) = parts.next_field().await? {
        let name = part.name().unwrap_or_default().to_owned();
        fields.push((name, part.text().await?));
    }
    Ok(assemble(fields))
}

/// Items of a list by index. Each is a text or an object.
type Items = BTreeMap<u32, Value>;

fn assemble(fields: impl IntoIterator<Item = (String, String)>) -> Value {
    let mut object = Map::new();
    let mut lists: BTreeMap<String, Items> = BTreeMap::new();
    for (name, value) in fields {
        let value = Value::String(value);
        if let Some((list, index, key)) = item_name(&name) {
            let items = lists.entry(list.to_owned()).or_default();
            if key.is_empty() {
                items.insert(index, value);
            } else if let Value::Object(item) = items.entry(index).or_insert_with(|| Value::Object(Map::new())) {
                item.insert(key.to_owned(), value);
            }
        } else if let Some((outer, inner)) = name.split_once('.') {
            if let Value::Object(nested) = object.entry(outer).or_insert_with(|| Value::Object(Map::new())) {
                nested.insert(inner.to_owned(), value);
            }
        } else {
            add(&mut object, name, value);
        }
    }
    for (name, items) in lists {
        object.insert(name, Value::Array(items.into_values().collect()));
    }
    Value::Object(object)
}

/// Adds a value to an object. A repeated field becomes a list.
fn add(object: &mut Map<String, Value>, name: String, value: Value) {
    match object.get_mut(&name) {
        None => drop(object.insert(name, value)),
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

/// Splits the name of an item: `list[index]key`, `list[index].key` or `list[index]`.
fn item_name(name: &str) -> Option<(&str, u32, &str)> {
    let (list, rest) = name.split_once('[')?;
    let (index, key) = rest.split_once(']')?;
    Some((list, index.parse().ok()?, key.strip_prefix('.').unwrap_or(key)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn assembles_lists_and_objects() {
        let form = b"a=1&a=2&tags[1]tag=y&tags[0]tag=x&ids[0]=7&event.description=e&plain=p";
        assert_eq!(
            urlencoded(form),
            json!({
                "a": ["1", "2"],
                "event": {"description": "e"},
                "plain": "p",
                "ids": ["7"],
                "tags": [{"tag": "x"}, {"tag": "y"}],
            })
        );
    }

    #[test]
    fn survives_contradictions() {
        urlencoded(b"a=1&a.b=2&a[0]=3&a[0]x=4&[]=1&[=2&]=3&.=4&a[99999999999]=1");
    }
}

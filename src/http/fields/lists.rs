//! Lists in bodies: their errors are keyed by index, good items left out (contract section 1.3).

use serde_json::{Map, Value, json};

use super::{Fields, python};
use crate::{
    domain::{limits, tag::Tag},
    http::error::{NO_NUL, NOT_NULL, too_long, too_many},
};

const TAG_FORMAT: &str = "Tags need to follow the format {\"tag\": key=value}";

impl Fields {
    /// Primary keys, at least one.
    pub fn keys(&mut self, name: &str) -> Option<Vec<u64>> {
        let values = match self.take_list(name)? {
            Ok(values) if values.is_empty() => Err(json!(["This list may not be empty."])),
            Ok(values) if values.len() > limits::BULK_IDS => Err(json!([too_many(limits::BULK_IDS)])),
            Ok(values) => Ok(values),
            Err(other) => Err(json!([python::not_a_list(&other)])),
        };
        self.each_item(name, values, |value| {
            let number = match value {
                Value::Number(number) => number.as_u64(),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            };
            number.ok_or_else(|| json!(["A valid integer is required."]))
        })
    }

    /// Contract section 11.1: a list of `{"tag": "key=value"}`.
    pub fn tags(&mut self, name: &str) -> Option<Vec<Tag>> {
        let values = match self.take_list(name)? {
            Ok(values) if values.len() > limits::TAGS_PER_INCIDENT => Err(json!([too_many(limits::TAGS_PER_INCIDENT)])),
            Ok(values) => Ok(values),
            Err(other) => Err(json!({ "non_field_errors": [python::not_a_list(&other)] })),
        };
        self.each_item(name, values, tag_item)
    }

    /// The field `tag` of a tag object; the error is a text, not a list.
    pub fn tag(&mut self, name: &str) -> Option<Tag> {
        let value = self.take(name)?;
        match tag(&value) {
            Ok(tag) => Some(tag),
            Err(error) => {
                self.error_value(name, Value::String(error));
                None
            }
        }
    }

    /// In forms a list may also be a field by itself. `Err`: what is there instead of a list.
    fn take_list(&mut self, name: &str) -> Option<Result<Vec<Value>, Value>> {
        match self.object.get_mut(name)?.take() {
            Value::Null => {
                self.error(name, NOT_NULL);
                None
            }
            Value::Array(values) => Some(Ok(values)),
            value @ Value::String(_) if self.is_form => Some(Ok(vec![value])),
            other => Some(Err(other)),
        }
    }

    fn each_item<T>(
        &mut self,
        name: &str,
        values: Result<Vec<Value>, Value>,
        read: impl Fn(&Value) -> Result<T, Value>,
    ) -> Option<Vec<T>> {
        let values = match values {
            Ok(values) => values,
            Err(error) => {
                self.error_value(name, error);
                return None;
            }
        };
        let mut good = Vec::with_capacity(values.len());
        let mut errors = Map::new();
        for (index, value) in values.iter().enumerate() {
            match read(value) {
                Ok(item) => good.push(item),
                Err(error) => drop(errors.insert(index.to_string(), error)),
            }
        }
        if errors.is_empty() {
            return Some(good);
        }
        self.error_value(name, Value::Object(errors));
        None
    }
}

fn tag_item(value: &Value) -> Result<Tag, Value> {
    match value.get("tag") {
        Some(text) => tag(text).map_err(|error| json!({ "tag": error })),
        None => Err(json!([TAG_FORMAT])),
    }
}

fn tag(value: &Value) -> Result<Tag, String> {
    match value {
        Value::String(text) if text.contains('\0') => Err(NO_NUL.to_owned()),
        Value::String(text) if text.chars().count() > limits::TAG => Err(too_long(limits::TAG)),
        Value::String(text) => Tag::parse(text).map_err(|error| error.to_string()),
        Value::Null => Err(NOT_NULL.to_owned()),
        _ => Err("Not a valid string.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors<T>(value: Value, read: impl FnOnce(&mut Fields) -> T) -> Value {
        let Value::Object(object) = value else { panic!("not an object") };
        let mut fields = Fields::new(object, false);
        read(&mut fields);
        fields.refuse().body().clone()
    }

    #[test]
    fn tags_in_all_ways_wrong() {
        let body = json!({"tags": [
            {"tag": "ok=1"}, {"tag": "x"}, {"tag": "=v"}, {"tag": "BAD=v"}, {"no": 1}, {"tag": null}, {"tag": 1}, "a=b",
        ]});
        assert_eq!(
            errors(body, |f| f.tags("tags")),
            json!({"tags": {
                "1": {"tag": "The tag does not have its delimiter: =."},
                "2": {"tag": "The key of the tag cannot be empty."},
                "3": {"tag": "['Enter a valid key consisting of lowercase letters, numbers and underscores.']"},
                "4": ["Tags need to follow the format {\"tag\": key=value}"],
                "5": {"tag": "This field may not be null."},
                "6": {"tag": "Not a valid string."},
                "7": ["Tags need to follow the format {\"tag\": key=value}"],
            }})
        );
        assert_eq!(
            errors(json!({"tags": "a=b"}), |f| f.tags("tags")),
            json!({"tags": {"non_field_errors": ["Expected a list of items but got type \"str\"."]}})
        );
        assert_eq!(errors(json!({"tags": null}), |f| f.tags("tags")), json!({"tags": [NOT_NULL]}));
    }

    #[test]
    fn limits_name_the_field() {
        let many = vec![json!({"tag": "a=b"}); limits::TAGS_PER_INCIDENT + 1];
        assert_eq!(
            errors(json!({ "tags": many }), |f| f.tags("tags")),
            json!({"tags": ["Ensure this field has no more than 200 elements."]})
        );
        let long = format!("a={}", "å".repeat(limits::TAG));
        assert_eq!(
            errors(json!({"tag": long}), |f| f.tag("tag")),
            json!({"tag": "Ensure this field has no more than 1000 characters."})
        );
    }

    #[test]
    fn ids() {
        let read = |value: Value| errors(json!({ "ids": value }), |f| f.keys("ids"));
        assert_eq!(read(json!([])), json!({"ids": ["This list may not be empty."]}));
        assert_eq!(read(json!("x")), json!({"ids": ["Expected a list of items but got type \"str\"."]}));
        assert_eq!(
            read(json!(["a", 1, true])),
            json!({"ids": {
            "0": ["A valid integer is required."], "2": ["A valid integer is required."]}})
        );
        assert_eq!(read(json!([1, "2"])), json!({}));
    }
}

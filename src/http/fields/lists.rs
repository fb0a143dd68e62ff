//! Lists in bodies. Their errors are keyed by index, without the valid items (contract section 1.3).

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{BAD_INTEGER, BodyFields, TextRule, integer, python, text};
use crate::domain::{EventType, Tag, limits, tag::TagError};
use crate::http::error::{NO_NUL, NOT_NULL, too_long, too_many, too_short};

const TAG_FORMAT: &str = "Tags need to follow the format {\"tag\": key=value}";

impl BodyFields {
    /// Reads primary keys, at least one.
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
            number.ok_or_else(|| json!([BAD_INTEGER]))
        })
    }

    /// Reads tags: a list of `{"tag": "key=value"}` (contract section 11.1).
    pub fn tags(&mut self, name: &str) -> Option<Vec<Tag>> {
        let values = match self.take_list(name)? {
            Ok(values) if values.len() > limits::TAGS_PER_INCIDENT => Err(json!([too_many(limits::TAGS_PER_INCIDENT)])),
            Ok(values) => Ok(values),
            Err(other) => Err(json!({ "non_field_errors": [python::not_a_list(&other)] })),
        };
        self.each_item(name, values, tag_item)
    }

    /// Reads the field `tag` of a tag object. Its error is a text, not a list.
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

    /// Reads integers, each at least 1.
    pub fn positive_integers(&mut self, name: &str) -> Option<Vec<u64>> {
        let values = self.plain_list(name, limits::FILTER_VALUES)?;
        self.each_item(name, values, |value| match integer(value) {
            Some(number) if number < 1 => Err(json!(["Ensure this value is greater than or equal to 1."])),
            number => number.and_then(|number| u64::try_from(number).ok()).ok_or_else(|| json!([BAD_INTEGER])),
        })
    }

    /// Reads texts of at least `shortest` characters.
    pub fn texts(&mut self, name: &str, shortest: usize, rule: TextRule) -> Option<Vec<String>> {
        let values = self.plain_list(name, limits::FILTER_VALUES)?;
        self.each_item(name, values, |value| match value {
            Value::Null => Err(json!([NOT_NULL])),
            value => match text(value.clone(), rule) {
                Ok(text) if text.chars().count() < shortest => Err(json!([too_short(shortest)])),
                text => text.map_err(|error| json!([error])),
            },
        })
    }

    /// Reads tags of which only the `=` is checked.
    pub fn loose_tags(&mut self, name: &str) -> Option<Vec<String>> {
        let tags = self.texts(name, 3, TextRule::filled_up_to(limits::TAG))?;
        if tags.len() > limits::TAGS_PER_INCIDENT {
            self.error(name, too_many(limits::TAGS_PER_INCIDENT));
            return None;
        }
        let values = Ok(tags.into_iter().map(Value::String).collect());
        self.each_item(name, values, |value| match value.as_str() {
            Some(tag) if tag.contains('=') => Ok(tag.to_owned()),
            _ => Err(json!([TagError::NoDelimiter.to_string()])),
        })
    }

    /// Reads codes of event types. Only the first invalid one is reported.
    pub fn event_types(&mut self, name: &str) -> Option<Vec<EventType>> {
        let values = self.plain_list(name, limits::FILTER_VALUES)?;
        let values = values.map_err(|error| self.error_value(name, error)).ok()?;
        let kind =
            |value: &Value| value.as_str().and_then(EventType::from_code).ok_or_else(|| python::not_a_choice(value));
        let kinds: Result<Vec<EventType>, String> = values.iter().map(kind).collect();
        kinds.map_err(|error| self.error(name, error)).ok()
    }

    /// Reads ISO weekdays, and returns them sorted and without duplicates. Only the first invalid one is reported.
    pub fn weekdays(&mut self, name: &str) -> Option<Vec<u8>> {
        let values = match self.plain_list(name, limits::FILTER_VALUES)? {
            Ok(values) => values,
            Err(error) => {
                self.error_value(name, error);
                return None;
            }
        };
        let mut days = BTreeSet::new();
        for value in values {
            let day = match &value {
                Value::Number(number) => number.as_u64(),
                Value::String(text) if text.len() == 1 => text.parse().ok(),
                _ => None,
            };
            let Some(day @ 1..=7) = day else {
                self.error(name, python::not_a_choice(&value));
                return None;
            };
            days.insert(day as u8);
        }
        Some(days.into_iter().collect())
    }

    /// Reads a list of at most `most` objects by calling `read` with each.
    pub fn objects<T>(&mut self, name: &str, most: usize, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let values = match self.take_list(name)? {
            Ok(values) if values.len() > most => Err(json!([too_many(most)])),
            Ok(values) => Ok(values),
            Err(other) => Err(json!({ "non_field_errors": [python::not_a_list(&other)] })),
        };
        self.each_item(name, values, |value| {
            let Value::Object(object) = value else {
                return Err(json!({ "non_field_errors": [python::not_a_dictionary(value)] }));
            };
            let mut item = Self::new(object.clone(), false);
            match read(&mut item) {
                Some(taken) if !item.has_errors() => Ok(taken),
                _ => Err(Value::Object(item.errors)),
            }
        })
    }

    /// Reads a list of primary keys and objects, at least one of either. Calls `key` or `read` with each.
    pub fn keys_and_objects<T>(
        &mut self,
        name: &str,
        most: usize,
        key: impl Fn(u64) -> T,
        read: impl Fn(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let values = match self.plain_list(name, most)? {
            Ok(values) if values.is_empty() => Err(json!(["This list may not be empty."])),
            values => values,
        };
        self.each_item(name, values, |value| {
            let Value::Object(object) = value else {
                let number = match value {
                    Value::Number(number) => number.as_u64(),
                    Value::String(text) => text.trim().parse().ok(),
                    _ => return Err(json!([python::not_a_key(value)])),
                };
                return number.map(&key).ok_or_else(|| json!([BAD_INTEGER]));
            };
            let mut item = Self::new(object.clone(), false);
            match read(&mut item) {
                Some(taken) if !item.has_errors() => Ok(taken),
                _ => Err(Value::Object(item.errors)),
            }
        })
    }

    /// Reads primary keys, at most `most`. The list may be empty.
    pub fn any_keys(&mut self, name: &str, most: usize) -> Option<Vec<u64>> {
        let values = self.plain_list(name, most)?;
        self.each_item(name, values, |value| match value {
            Value::Number(number) => number.as_u64().ok_or_else(|| json!([BAD_INTEGER])),
            Value::String(text) => text.trim().parse().map_err(|_| json!([BAD_INTEGER])),
            _ => Err(json!([python::not_a_key(value)])),
        })
    }

    /// Reads a list of at most `most` items. `Err` is the error of the list as a whole.
    fn plain_list(&mut self, name: &str, most: usize) -> Option<Result<Vec<Value>, Value>> {
        Some(match self.take_list(name)? {
            Ok(values) if values.len() > most => Err(json!([too_many(most)])),
            Ok(values) => Ok(values),
            Err(other) => Err(json!([python::not_a_list(&other)])),
        })
    }

    /// Takes a list. In forms a single field is a list with one item. `Err` is a value that is not a list.
    pub(super) fn take_list(&mut self, name: &str) -> Option<Result<Vec<Value>, Value>> {
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

    fn errors<T>(value: Value, read: impl FnOnce(&mut BodyFields) -> T) -> Value {
        let Value::Object(object) = value else { panic!("not an object") };
        let mut fields = BodyFields::new(object, false);
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

//! Fields that refer to other objects: by primary key, by a choice, or in a nested object (contract section 1.3).

use serde_json::{Value, json};
use uuid::Uuid;

use super::{BodyFields, TextRule, python, text};
use crate::http::error::{NOT_NULL, REQUIRED, too_many, unknown_key};

impl BodyFields {
    /// Reads primary keys. Only the first error is reported.
    pub fn references<T: From<u64>>(&mut self, name: &str, most: usize, may_be_empty: bool) -> Option<Vec<T>> {
        let values = self.list_of_any(name)?;
        if values.is_empty() && !may_be_empty {
            self.error(name, "This list may not be empty.");
            return None;
        }
        if values.len() > most {
            self.error(name, too_many(most));
            return None;
        }
        let keys: Result<Vec<T>, String> = values.iter().map(|value| Ok(reference(value)?.into())).collect();
        keys.map_err(|error| self.error(name, error)).ok()
    }

    /// Reads one primary key.
    pub fn reference<T: From<u64>>(&mut self, name: &str) -> Option<T> {
        let value = self.take(name)?;
        reference(&value).map_err(|error| self.error(name, error)).ok().map(T::from)
    }

    /// Reads a list of choices and returns them without duplicates. Only the first unknown one is reported.
    pub fn choices(&mut self, name: &str, known: &[&'static str]) -> Option<Vec<&'static str>> {
        let values = self.list_of_any(name)?;
        let mut chosen = Vec::new();
        for value in &values {
            let Some(choice) = known.iter().find(|choice| value.as_str() == Some(**choice)) else {
                self.error(name, python::not_a_choice(value));
                return None;
            };
            if !chosen.contains(choice) {
                chosen.push(*choice);
            }
        }
        Some(chosen)
    }

    /// Reads a text that may be null. Null and an empty text are `Some(None)`.
    pub fn nullable_text(&mut self, name: &str, rule: TextRule) -> Option<Option<String>> {
        let value = self.take(name)?;
        if value.is_null() {
            return Some(None);
        }
        match text(value, rule) {
            Ok(text) => Some(Some(text).filter(|text| !text.is_empty())),
            Err(error) => {
                self.error(name, error);
                None
            }
        }
    }

    /// Reads a text that is neither empty nor null.
    pub fn required_text(&mut self, name: &str, longest: usize) -> Option<String> {
        match self.nullable_text(name, TextRule::up_to(longest)) {
            Some(Some(text)) => Some(text),
            _ if self.errors.contains_key(name) => None,
            _ => {
                self.error(name, REQUIRED);
                None
            }
        }
    }

    /// Reads an object. In forms it is written as JSON. `complaint` is the error for anything but an object, except for
    /// null and texts that are not JSON (contract section 16.2).
    pub fn dictionary(&mut self, name: &str, complaint: &str) -> Option<Self> {
        let value = match self.take_not_null(name)? {
            Value::String(text) => match serde_json::from_str(&text) {
                Ok(value) if self.is_form => value,
                Ok(_) => Value::String(text),
                Err(_) => {
                    self.error_value(name, json!(["Enter a valid JSON.", "invalid"]));
                    return None;
                }
            },
            value => value,
        };
        let Value::Object(object) = value else {
            self.error(name, complaint);
            return None;
        };
        Some(Self::new(object, false))
    }

    /// Records an error for the first of `keys` that does not exist.
    pub fn expect_known(&mut self, name: &str, keys: impl IntoIterator<Item = u64>, exists: impl Fn(u64) -> bool) {
        if let Some(unknown) = keys.into_iter().find(|key| !exists(*key)) {
            self.error(name, unknown_key(unknown));
        }
    }

    /// Reads a UUID. Null counts as absent.
    pub fn uuid(&mut self, name: &str) -> Option<Uuid> {
        /// Length of a UUID with hyphens, as a URN. No UUID is longer.
        const LONGEST: usize = 45;
        let text = self.nullable_text(name, TextRule::up_to(LONGEST))??;
        let uuid = text.parse().ok();
        if uuid.is_none() {
            self.error(name, "Must be a valid UUID.");
        }
        uuid
    }

    fn list_of_any(&mut self, name: &str) -> Option<Vec<Value>> {
        match self.take_list(name)? {
            Ok(values) => Some(values),
            Err(other) => {
                self.error(name, python::not_a_list(&other));
                None
            }
        }
    }
}

fn reference(value: &Value) -> Result<u64, String> {
    match value {
        Value::Null => Err(NOT_NULL.to_owned()),
        Value::Number(number) => number.as_u64().ok_or_else(|| unknown_key(number)),
        Value::String(text) => text.trim().parse().map_err(|_| python::not_a_key(value)),
        other => Err(python::not_a_key(other)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn read<T: std::fmt::Debug + PartialEq>(
        value: Value,
        read: impl FnOnce(&mut BodyFields) -> Option<T>,
    ) -> (Option<T>, Value) {
        let mut fields = BodyFields::new(Map::from_iter([("f".to_owned(), value)]), false);
        let taken = read(&mut fields);
        (taken, fields.refuse().body()["f"].clone())
    }

    #[test]
    fn keys_in_a_list() {
        let keys = |value| read(value, |fields| fields.references("f", 3, false));
        assert_eq!(keys(json!([1, "2", 3])), (Some(vec![1_u64, 2, 3]), Value::Null));
        for (value, error) in [
            (json!([]), "This list may not be empty."),
            (json!([1, 2, 3, 4]), "Ensure this field has no more than 3 elements."),
            (json!("x"), "Expected a list of items but got type \"str\"."),
            (json!(null), "This field may not be null."),
            (json!([-1]), "Invalid pk \"-1\" - object does not exist."),
            (json!([1, "x", "y"]), "Incorrect type. Expected pk value, received str."),
            (json!([true]), "Incorrect type. Expected pk value, received bool."),
        ] {
            assert_eq!(keys(value), (None, json!([error])));
        }
        assert_eq!(read(json!([]), |fields| fields.references("f", 3, true)).0, Some(Vec::<u64>::new()));
    }

    #[test]
    fn choices_and_texts() {
        let choices = |value| read(value, |fields| fields.choices("f", &["EM", "SM"]));
        assert_eq!(choices(json!(["SM", "EM", "SM"])).0, Some(vec!["SM", "EM"]));
        assert_eq!(choices(json!(["XX"])).1, json!(["\"XX\" is not a valid choice."]));
        let nullable = |value| read(value, |fields| fields.nullable_text("f", TextRule::up_to(3)));
        assert_eq!(nullable(json!("")).0, Some(None));
        assert_eq!(nullable(json!(null)).0, Some(None));
        assert_eq!(nullable(json!("abcd")).1, json!(["Ensure this field has no more than 3 characters."]));
        for missing in [json!(null), json!(" ")] {
            assert_eq!(read(missing, |fields| fields.required_text("f", 3)).1, json!([REQUIRED]));
        }
        assert!(read(json!([]), |fields| fields.dictionary("f", "no").map(|_| ())).1 == json!(["no"]));
    }
}

//! Fields of a body. They are read one by one, and each error is recorded under its field, so that one answer contains
//! all of them (contract sections 1.1, 1.3 and 1.4).

mod lists;
pub mod python;
mod references;

use std::{collections::HashMap, ops::RangeInclusive};

use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::{
    ApiError,
    body::exact_members,
    error::{NO_NUL, NOT_BLANK, NOT_NULL, REQUIRED, too_long},
};
use crate::domain::{EndTime, EventType, Level, TimeOfDay, Timestamp, datetime, exact_json, limits, urls};

const BAD_INTEGER: &str = "A valid integer is required.";
const BAD_TIME: &str = "Time has wrong format. Use one of these formats instead: hh:mm[:ss[.uuuuuu]].";
const BAD_DATETIME: &str = "Datetime has wrong format. Use one of these formats instead: \
                            YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z], or 'infinity'.";

/// Fields of an object that are not read yet, and the errors of those that are.
///
/// The typed getters return `None` for a field that is absent or invalid. Only the latter is recorded as an error.
#[derive(Debug)]
pub struct BodyFields {
    object: Map<String, Value>,
    is_form: bool,
    /// Whether a missing required field is an error. False for a body that changes some fields only.
    is_whole: bool,
    /// Time zone of times without an offset.
    zone: Tz,
    /// By name, the text of each field with an integer that loses digits in its parsed value.
    exact: HashMap<String, String>,
    errors: Map<String, Value>,
}

/// Bounds of a text.
#[derive(Clone, Copy, Debug)]
pub struct TextRule {
    /// Greatest length, in characters.
    pub longest: usize,
    pub may_be_blank: bool,
}

impl TextRule {
    #[must_use]
    pub const fn up_to(longest: usize) -> Self {
        Self { longest, may_be_blank: true }
    }

    #[must_use]
    pub const fn filled_up_to(longest: usize) -> Self {
        Self { longest, may_be_blank: false }
    }
}

impl BodyFields {
    #[must_use]
    pub fn new(object: Map<String, Value>, is_form: bool) -> Self {
        Self { object, is_form, is_whole: true, zone: Tz::UTC, exact: HashMap::new(), errors: Map::new() }
    }

    #[must_use]
    pub fn of(self, is_whole: bool, zone: Tz) -> Self {
        Self { is_whole, zone, ..self }
    }

    #[must_use]
    pub fn with_exact(self, exact: HashMap<String, String>) -> Self {
        Self { exact, ..self }
    }

    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    #[must_use]
    pub fn is_object(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(Value::is_object)
    }

    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    #[must_use]
    pub fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.object.keys().map(String::as_str)
    }

    /// Records an error if the field is absent.
    pub fn require(&mut self, name: &str) {
        if !self.has(name) {
            self.error(name, REQUIRED);
        }
    }

    /// Records an error for each absent field, unless the body changes some fields only.
    pub fn require_all(&mut self, names: &[&str]) {
        if self.is_whole {
            for name in names {
                self.require(name);
            }
        }
    }

    /// Removes a field that is not known here.
    pub fn ignore(&mut self, name: &str) {
        self.object.shift_remove(name);
    }

    pub fn error(&mut self, name: &str, text: impl Into<String>) {
        self.errors.insert(name.to_owned(), json!([text.into()]));
    }

    /// Records an error that is not a list with one text.
    pub fn error_value(&mut self, name: &str, error: Value) {
        self.errors.insert(name.to_owned(), error);
    }

    /// Returns the recorded errors as a 400.
    #[must_use]
    pub fn refuse(self) -> ApiError {
        ApiError::fields(self.errors)
    }

    pub fn finish(self) -> Result<(), ApiError> {
        if self.errors.is_empty() { Ok(()) } else { Err(self.refuse()) }
    }

    /// Reads a text. White space around it is removed, and numbers are accepted as texts.
    pub fn text(&mut self, name: &str, rule: TextRule) -> Option<String> {
        let mut value = self.take_not_null(name)?;
        if let Some(digits) = self.exact.get(name).filter(|text| value.is_number() && exact_json::is_integer(text)) {
            value = Value::String(digits.clone());
        }
        match text(value, rule) {
            Ok(text) => Some(text),
            Err(error) => {
                self.error(name, error);
                None
            }
        }
    }

    /// Reads a web address. An empty text is an error.
    pub fn url(&mut self, name: &str) -> Option<String> {
        let text = self.text(name, TextRule::up_to(limits::URL))?;
        if urls::is_valid(&text) {
            return Some(text);
        }
        self.error(name, "Enter a valid URL.");
        None
    }

    pub fn datetime(&mut self, name: &str) -> Option<Timestamp> {
        let value = self.take_not_null(name)?;
        self.parse_datetime(name, &value)
    }

    /// Reads a time that may be null. Null, or an empty text in a form, is `Some(None)`.
    pub fn nullable_datetime(&mut self, name: &str) -> Option<Option<Timestamp>> {
        match self.take(name)? {
            Value::Null => Some(None),
            Value::String(text) if self.is_form && text.is_empty() => Some(None),
            value => self.parse_datetime(name, &value).map(Some),
        }
    }

    /// Reads the end of an incident. The last moment that can be written means infinity, with any offset or none
    /// (contract section 5.2).
    pub fn end_time(&mut self, name: &str) -> Option<EndTime> {
        match self.take(name)? {
            Value::Null => Some(EndTime::Stateless),
            Value::String(text) if self.is_form && text.is_empty() => Some(EndTime::Stateless),
            Value::String(text) if text == "infinity" || datetime::is_last_moment(text.trim()) => {
                Some(EndTime::Infinity)
            }
            Value::String(text) if text == "-infinity" => {
                self.error("non_field_errors", "'end_time' cannot be before 'start_time'.");
                None
            }
            value => {
                // The last moment may be written in another time zone.
                let end = |at| if datetime::was_last_moment(at) { EndTime::Infinity } else { EndTime::At(at) };
                self.parse_datetime(name, &value).map(end)
            }
        }
    }

    /// Reads a level: 1 to 5, or a string of one such digit.
    pub fn level(&mut self, name: &str) -> Option<Level> {
        let value = self.take_not_null(name)?;
        let number = match &value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) if text.len() == 1 => text.parse().ok(),
            _ => None,
        };
        let level = number.and_then(|number| Level::new(u8::try_from(number).ok()?));
        if level.is_none() {
            self.error(name, python::not_a_choice(&value));
        }
        level
    }

    /// Reads a level from 1 to 5 as a bound. Null is `Some(None)`.
    pub fn nullable_max_level(&mut self, name: &str) -> Option<Option<Level>> {
        let value = self.take(name)?;
        if value.is_null() {
            return Some(None);
        }
        let level = match integer(&value) {
            None => Err(BAD_INTEGER),
            Some(number) if number < 1 => Err("Ensure this value is greater than or equal to 1."),
            Some(number) => {
                u8::try_from(number).ok().and_then(Level::new).ok_or("Ensure this value is less than or equal to 5.")
            }
        };
        level.map_err(|error| self.error(name, error)).ok().map(Some)
    }

    /// Reads an integer within `range`. Null counts as absent.
    pub fn whole_number(&mut self, name: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let value = self.take(name)?;
        if value.is_null() {
            return None;
        }
        let (least, most) = (i64::from(*range.start()), i64::from(*range.end()));
        let number = match integer(&value) {
            None => Err(BAD_INTEGER.to_owned()),
            Some(number) if number < least => Err(format!("Ensure this value is greater than or equal to {least}.")),
            Some(number) if number > most => Err(format!("Ensure this value is less than or equal to {most}.")),
            Some(number) => Ok(number as u32),
        };
        number.map_err(|error| self.error(name, error)).ok()
    }

    /// Reads a boolean (contract section 1.1).
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        let value = self.take_not_null(name)?;
        self.parse_flag(name, &value)
    }

    /// Reads a boolean that may be null. Null and an empty text are `Some(None)`.
    pub fn nullable_flag(&mut self, name: &str) -> Option<Option<bool>> {
        match self.take(name)? {
            Value::Null => Some(None),
            Value::String(text) if text.eq_ignore_ascii_case("null") || text.is_empty() => Some(None),
            value => self.parse_flag(name, &value).map(Some),
        }
    }

    pub fn time_of_day(&mut self, name: &str) -> Option<TimeOfDay> {
        let value = self.take_not_null(name)?;
        let time = value.as_str().and_then(|text| TimeOfDay::parse(text.trim()));
        if time.is_none() {
            self.error(name, BAD_TIME);
        }
        time
    }

    /// Reads the code of an event type.
    pub fn event_type(&mut self, name: &str) -> Option<EventType> {
        let value = self.take_not_null(name)?;
        let kind = value.as_str().and_then(EventType::from_code);
        if kind.is_none() {
            self.error(name, python::not_a_choice(&value));
        }
        kind
    }

    /// Reads a primary key. Null counts as absent.
    pub fn key(&mut self, name: &str) -> Option<u64> {
        let value = self.take(name)?;
        if value.is_null() {
            return None;
        }
        match &value {
            Value::Number(number) if number.is_u64() => number.as_u64(),
            Value::Number(_) => {
                self.error(name, format!("Invalid pk \"{value}\" - object does not exist."));
                None
            }
            Value::String(text) if text.parse::<u64>().is_ok() => text.parse().ok(),
            _ => {
                self.error(name, python::not_a_key(&value));
                None
            }
        }
    }

    /// Reads any JSON except null, as compact text.
    pub fn json(&mut self, name: &str) -> Option<String> {
        let value = self.take_not_null(name)?;
        let value = match value {
            Value::String(text) if self.is_form => {
                let Ok(value) = serde_json::from_str(&text) else {
                    self.error(name, "Value must be valid JSON.");
                    return None;
                };
                value
            }
            value => value,
        };
        let text = self.exact.remove(name).unwrap_or_else(|| value.to_string());
        if text.len() > limits::METADATA_BYTES {
            self.error(name, format!("Ensure this field has no more than {} bytes.", limits::METADATA_BYTES));
            return None;
        }
        Some(text)
    }

    /// Returns the fields of an object within this one.
    pub fn nested(&mut self, name: &str) -> Option<Self> {
        match self.take_not_null(name)? {
            Value::Object(object) => {
                let value = Value::Object(object);
                let exact = self.exact.get(name).map(|text| exact_members(text.as_bytes(), &value));
                let Value::Object(object) = value else { return None };
                Some(Self::new(object, self.is_form).with_exact(exact.unwrap_or_default()).of(true, self.zone))
            }
            other => {
                self.error_value(name, json!({ "non_field_errors": [python::not_a_dictionary(&other)] }));
                None
            }
        }
    }

    /// Records the errors of the object `name`.
    pub fn absorb(&mut self, name: &str, nested: Self) {
        if !nested.errors.is_empty() {
            self.error_value(name, Value::Object(nested.errors));
        }
    }

    /// Records the errors of fields that were picked from this object.
    pub fn join(&mut self, picked: Self) {
        self.errors.extend(picked.errors);
    }

    /// Moves some fields to an object of their own.
    #[must_use]
    pub fn pick(&mut self, names: &[&str]) -> Self {
        let object = names.iter().filter_map(|name| Some(((*name).to_owned(), self.object.get_mut(*name)?.take())));
        let exact = names.iter().filter_map(|name| self.exact.remove_entry(*name)).collect();
        Self::new(object.collect(), self.is_form).with_exact(exact).of(true, self.zone)
    }

    /// Adds the fields of another object that this one does not have.
    #[must_use]
    pub fn filled_from(mut self, other: Self) -> Self {
        for (name, value) in other.object {
            if !self.object.contains_key(&name) {
                self.exact.extend(other.exact.get(&name).map(|text| (name.clone(), text.clone())));
                self.object.insert(name, value);
            }
        }
        self
    }

    /// Reads a secret as sent, including white space.
    pub fn secret(&mut self, name: &str) -> Option<String> {
        match self.take_not_null(name)? {
            Value::String(text) if text.is_empty() => self.error(name, NOT_BLANK),
            Value::String(text) if text.chars().count() > limits::PASSWORD => {
                self.error(name, too_long(limits::PASSWORD));
            }
            Value::String(text) => return Some(text),
            Value::Number(number) => return Some(number.to_string()),
            _ => self.error(name, "Not a valid string."),
        }
        None
    }

    fn parse_flag(&mut self, name: &str, value: &Value) -> Option<bool> {
        let flag = match value {
            Value::Bool(flag) => Some(*flag),
            Value::Number(number) => match number.as_f64() {
                Some(1.0) => Some(true),
                Some(0.0) => Some(false),
                _ => None,
            },
            Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
                "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        };
        if flag.is_none() {
            self.error(name, "Must be a valid boolean.");
        }
        flag
    }

    fn parse_datetime(&mut self, name: &str, value: &Value) -> Option<Timestamp> {
        let at = value.as_str().and_then(|text| datetime::parse(text.trim(), self.zone));
        if at.is_none() {
            self.error(name, BAD_DATETIME);
        }
        at
    }

    /// Takes the value as sent. Of a repeated form field, it takes the last value.
    fn take(&mut self, name: &str) -> Option<Value> {
        let value = self.object.get_mut(name)?.take();
        match value {
            Value::Array(mut values) if self.is_form => values.pop(),
            value => Some(value),
        }
    }

    fn take_not_null(&mut self, name: &str) -> Option<Value> {
        let value = self.take(name)?;
        if value.is_null() {
            self.error(name, NOT_NULL);
            return None;
        }
        Some(value)
    }
}

/// Checks a text (contract section 1.1).
fn text(value: Value, rule: TextRule) -> Result<String, String> {
    let text = match value {
        Value::String(text) => trimmed(text),
        Value::Number(number) => number.to_string(),
        _ => return Err("Not a valid string.".to_owned()),
    };
    if text.is_empty() && !rule.may_be_blank {
        return Err(NOT_BLANK.to_owned());
    }
    if text.contains('\0') {
        return Err(NO_NUL.to_owned());
    }
    if text.len() > rule.longest && text.chars().count() > rule.longest {
        return Err(too_long(rule.longest));
    }
    Ok(text)
}

/// Returns an integer, which may also be a text or have a fraction of zeros.
fn integer(value: &Value) -> Option<i64> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    let whole = text.split_once('.').filter(|(_, zeros)| zeros.bytes().all(|byte| byte == b'0'));
    whole.map_or(text.as_str(), |(whole, _)| whole).parse().ok()
}

fn trimmed(text: String) -> String {
    let inner = text.trim();
    if inner.len() == text.len() { text } else { inner.to_owned() }
}

#[cfg(test)]
mod tests;

//! Fields of a body: taken one by one, each error noted under its field, so that one answer names them all (contract
//! sections 1.1, 1.3 and 1.4).

mod lists;
pub mod python;
mod references;

use std::{collections::HashMap, ops::RangeInclusive};

use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use super::{
    body::exact_members,
    error::{ApiError, NO_NUL, NOT_BLANK, NOT_NULL, REQUIRED, too_long},
};
use crate::domain::{
    datetime, event::EventType, exact_json, incident::EndTime, limits, severity::Level, time::Timestamp,
    timeslot::TimeOfDay, urls,
};

const BAD_INTEGER: &str = "A valid integer is required.";
const BAD_TIME: &str = "Time has wrong format. Use one of these formats instead: hh:mm[:ss[.uuuuuu]].";
const BAD_DATETIME: &str = "Datetime has wrong format. Use one of these formats instead: \
                            YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z], or 'infinity'.";

/// What is left of an object, and what was wrong with what was taken.
///
/// The typed getters give `None` for a field that is absent or wrong; only the latter is noted as an error.
#[derive(Debug)]
pub struct BodyFields {
    object: Map<String, Value>,
    is_form: bool,
    /// Is what is required noted as missing? Not in a body that changes some fields only.
    is_whole: bool,
    /// Of times without an offset.
    zone: Tz,
    /// By its name the text of each field that holds an integer whose digits are lost in its value.
    exact: HashMap<String, String>,
    errors: Map<String, Value>,
}

/// What a text may be.
#[derive(Clone, Copy, Debug)]
pub struct TextRule {
    /// Characters.
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

    /// Notes an error unless the field is there.
    pub fn require(&mut self, name: &str) {
        if !self.has(name) {
            self.error(name, REQUIRED);
        }
    }

    /// The same for many, in a whole body only.
    pub fn require_all(&mut self, names: &[&str]) {
        if self.is_whole {
            for name in names {
                self.require(name);
            }
        }
    }

    /// A field that is not known here.
    pub fn ignore(&mut self, name: &str) {
        self.object.shift_remove(name);
    }

    pub fn error(&mut self, name: &str, text: impl Into<String>) {
        self.errors.insert(name.to_owned(), json!([text.into()]));
    }

    /// Notes an error of a shape of its own.
    pub fn error_value(&mut self, name: &str, error: Value) {
        self.errors.insert(name.to_owned(), error);
    }

    /// Everything that was wrong so far.
    #[must_use]
    pub fn refuse(self) -> ApiError {
        ApiError::fields(self.errors)
    }

    pub fn finish(self) -> Result<(), ApiError> {
        if self.errors.is_empty() { Ok(()) } else { Err(self.refuse()) }
    }

    /// White space around it is cut off; numbers are taken for texts.
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

    /// A web address; empty is refused.
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

    /// `Some(None)`: null, which means "never" or the like.
    pub fn nullable_datetime(&mut self, name: &str) -> Option<Option<Timestamp>> {
        match self.take(name)? {
            Value::Null => Some(None),
            Value::String(text) if self.is_form && text.is_empty() => Some(None),
            value => self.parse_datetime(name, &value).map(Some),
        }
    }

    /// The last moment that can be written means infinity, with any offset or none (contract section 5.2).
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
                // The same moment in the notation of another zone.
                let end = |at| if datetime::was_last_moment(at) { EndTime::Infinity } else { EndTime::At(at) };
                self.parse_datetime(name, &value).map(end)
            }
        }
    }

    /// 1 to 5, also as a string of one digit.
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

    /// 1 to 5, as a bound; `Some(None)`: null.
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

    /// Null counts as absent.
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

    /// Contract section 1.1.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        let value = self.take_not_null(name)?;
        self.parse_flag(name, &value)
    }

    /// `Some(None)`: null.
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

    /// The code of an event type.
    pub fn event_type(&mut self, name: &str) -> Option<EventType> {
        let value = self.take_not_null(name)?;
        let kind = value.as_str().and_then(EventType::from_code);
        if kind.is_none() {
            self.error(name, python::not_a_choice(&value));
        }
        kind
    }

    /// The primary key of something; null counts as absent.
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

    /// Any JSON but null, as compact text.
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

    /// The fields of an object within this one.
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

    /// Takes over what was wrong with the object called `name`.
    pub fn absorb(&mut self, name: &str, nested: Self) {
        if !nested.errors.is_empty() {
            self.error_value(name, Value::Object(nested.errors));
        }
    }

    /// Takes over what was wrong with fields that were picked from this object.
    pub fn join(&mut self, picked: Self) {
        self.errors.extend(picked.errors);
    }

    /// Some of the fields by themselves.
    #[must_use]
    pub fn pick(&mut self, names: &[&str]) -> Self {
        let object = names.iter().filter_map(|name| Some(((*name).to_owned(), self.object.get_mut(*name)?.take())));
        let exact = names.iter().filter_map(|name| self.exact.remove_entry(*name)).collect();
        Self::new(object.collect(), self.is_form).with_exact(exact).of(true, self.zone)
    }

    /// Gaps are filled with the fields of another object.
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

    /// As sent, with its white space.
    pub fn secret(&mut self, name: &str) -> Option<String> {
        match self.take_not_null(name)? {
            Value::String(text) if text.is_empty() => self.error(name, NOT_BLANK),
            Value::String(text) if text.len() > limits::PASSWORD => self.error(name, too_long(limits::PASSWORD)),
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

    /// The value as sent; of a repeated form field the last.
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

/// Contract section 1.1.
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

/// Also as a text, and with a fraction of zero.
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

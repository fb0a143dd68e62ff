//! Fields of contacts and groups: what counts as missing, and checks that both share (contact API contract section 7).

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Dialect, Problem};
use crate::domain::{contact::OriginEdit, limits::ORIGIN};

pub(super) type IcingaFields = Map<String, Value>;

/// Parses a UUID of 36 characters with hyphens, in any case.
pub(super) fn uuid(text: &str) -> Option<Uuid> {
    if text.len() == 36 { Uuid::try_parse(text).ok() } else { None }
}

/// Returns whether a value is empty in PHP, the language of the original.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => matches!(text.as_str(), "" | "0"),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// Reads required fields that must be strings.
pub(super) fn required<'a, const N: usize>(
    dialect: Dialect,
    fields: &'a IcingaFields,
    names: [&'static str; N],
    issue: &'static str,
) -> Result<[&'a str; N], Problem> {
    let mut texts = [""; N];
    for (name, text) in names.into_iter().zip(&mut texts) {
        let value = fields.get(name).unwrap_or(&Value::Null);
        *text = match (dialect, value) {
            (Dialect::Issue, Value::String(text)) if !text.is_empty() => text,
            (Dialect::Issue, _) => return Err(Problem::bad_request(issue)),
            (Dialect::Current, value) if is_empty(value) => {
                return Err(Problem::unprocessable(format!("Invalid request body: the field {name} must be present")));
            }
            (Dialect::Current, Value::String(text)) => text,
            (Dialect::Current, _) => {
                return Err(Problem::unprocessable(format!(
                    "Invalid request body: expects {name} to be of type string"
                )));
            }
        };
    }
    Ok(texts)
}

/// Returns the value of a field. `None` if it is absent or null.
pub(super) fn optional<'a>(fields: &'a IcingaFields, name: &str) -> Option<&'a Value> {
    fields.get(name).filter(|value| !value.is_null())
}

pub(super) fn check_length(name: &str, text: &str, limit: usize) -> Result<(), Problem> {
    if text.chars().count() <= limit {
        return Ok(());
    }
    Err(Problem::unprocessable(format!(
        "Invalid request body: expects {name} to be a string of at most {limit} characters"
    )))
}

/// Reads `origin`, an extension: absent keeps the stored value, null and an empty text clear it.
pub(super) fn origin(fields: &IcingaFields) -> Result<OriginEdit, Problem> {
    match fields.get("origin") {
        None => Ok(OriginEdit::Keep),
        Some(Value::Null) => Ok(OriginEdit::Set(None)),
        Some(Value::String(text)) => {
            check_length("origin", text, ORIGIN)?;
            Ok(OriginEdit::Set(Some(text.clone()).filter(|text| !text.is_empty())))
        }
        Some(_) => Err(Problem::unprocessable("Invalid request body: expects origin to be of type string")),
    }
}

/// Returns a value as it is shown in messages.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn takes_uuids_in_one_form_only() {
        let text = "0817D973-398e-41d7-9ef2-61cdb7ef41a2";
        assert_eq!(uuid(text).unwrap().to_string(), text.to_lowercase());
        assert!(uuid("00000000-0000-0000-0000-000000000000").is_some());
        for bad in [
            "0817d973398e41d79ef261cdb7ef41a2",
            "{0817d973-398e-41d7-9ef2-61cdb7ef41a2}",
            "urn:uuid:0817d973-398e-41d7-9ef2-61cdb7ef41a2",
            "0817d973-398e-41d7-9ef2-61cdb7ef41ag",
            "0",
            "",
        ] {
            assert!(uuid(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn knows_what_counts_as_nothing() {
        for empty in [json!(null), json!(""), json!("0"), json!(0), json!(false), json!([]), json!({})] {
            assert!(is_empty(&empty), "{empty}");
        }
        for there in [json!(" "), json!("00"), json!(1), json!(true), json!([0]), json!({"a": null})] {
            assert!(!is_empty(&there), "{there}");
        }
    }
}

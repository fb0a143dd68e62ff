//! Values in error texts, in Python's notation, which clients of the Argus API expect.

use serde_json::Value;

/// Returns the name of the type of a value, such as `list` or `str`.
#[must_use]
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "str",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
    }
}

#[must_use]
pub fn not_a_dictionary(value: &Value) -> String {
    format!("Invalid data. Expected a dictionary, but got {}.", type_name(value))
}

#[must_use]
pub fn not_a_list(value: &Value) -> String {
    format!("Expected a list of items but got type \"{}\".", type_name(value))
}

#[must_use]
pub fn not_a_choice(value: &Value) -> String {
    let shown = match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    format!("\"{shown}\" is not a valid choice.")
}

#[must_use]
pub fn not_a_key(value: &Value) -> String {
    format!("Incorrect type. Expected pk value, received {}.", type_name(value))
}

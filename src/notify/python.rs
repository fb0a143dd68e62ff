//! JSON in the notation that mails have always shown `metadata` in (contract section 19.3).

use std::fmt::Write;

use serde_json::Value;

/// `text` as it is if it is not JSON.
pub(super) fn notation(text: &str) -> String {
    match serde_json::from_str(text) {
        Ok(value) => {
            let mut out = String::new();
            write_value(&mut out, &value);
            out
        }
        Err(_) => text.to_owned(),
    }
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => write_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push_str(", ");
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (position, (name, member)) in members.iter().enumerate() {
                if position > 0 {
                    out.push_str(", ");
                }
                write_string(out, name);
                out.push_str(": ");
                write_value(out, member);
            }
            out.push('}');
        }
    }
}

fn write_string(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_python_would() {
        let json = r#"{"a": [1, 2.5, true, false, null], "it's": "it's", "b": "\"'\n\u0001æ", "c": {}}"#;
        assert_eq!(notation(json), r#"{'a': [1, 2.5, True, False, None], "it's": "it's", 'b': '"\'\n\x01æ', 'c': {}}"#);
        assert_eq!(notation("not json"), "not json");
    }
}

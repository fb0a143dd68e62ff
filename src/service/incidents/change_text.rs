//! The texts of change events (contract section 7.4), parts of which are in Python's notation.

use std::fmt::Write;

use serde_json::Value;

/// Returns the description of a change event.
pub(in crate::service) fn change(field: &str, before: &str, after: &str) -> String {
    format!("Change: \"{field}\": {before} → {after}")
}

/// Returns `N item(s)`, which stands for the metadata. A value that is not a container counts as one.
pub(in crate::service) fn item_count(metadata: &Value) -> String {
    let count = match metadata {
        Value::Null => 0,
        Value::Array(items) => items.len(),
        Value::Object(items) => items.len(),
        Value::String(text) => text.chars().count(),
        Value::Bool(_) | Value::Number(_) => 1,
    };
    format!("{count} item(s)")
}

/// Formats a list of texts as Python does: `['t=1', 'u=2']`.
pub(in crate::service) fn python_list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut list = String::from("[");
    for (i, text) in texts.into_iter().enumerate() {
        if i > 0 {
            list.push_str(", ");
        }
        push_python_string(&mut list, text);
    }
    list.push(']');
    list
}

fn push_python_string(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c => push_escape(out, u32::from(c)),
        }
    }
    out.push(quote);
}

fn push_escape(out: &mut String, code: u32) {
    // Writing to a string cannot fail.
    let _ = match code {
        0..=0xff => write!(out, "\\x{code:02x}"),
        0x100..=0xffff => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// Approximates `str.isprintable` of Python: no control, format, separator or private-use characters. Unassigned ones
/// pass.
fn is_printable(c: char) -> bool {
    c == ' '
        || !(c.is_control()
            || c.is_whitespace()
            || matches!(c,
                '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
                | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
                | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0001}'..='\u{e007f}' | '\u{f0000}'..='\u{10ffff}'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn says_what_became_what() {
        assert_eq!(change("level", "2", "3"), "Change: \"level\": 2 → 3");
        assert_eq!(change("ticket_url", "", "x"), "Change: \"ticket_url\":  → x");
        assert_eq!(
            change("tags", &python_list(["t=1"]), &python_list(["t=1", "u=2"])),
            "Change: \"tags\": ['t=1'] → ['t=1', 'u=2']"
        );
    }

    #[test]
    fn counts_items() {
        assert_eq!(item_count(&json!({"a": 1, "b": 2})), "2 item(s)");
        assert_eq!(item_count(&json!([])), "0 item(s)");
        assert_eq!(item_count(&json!("hø")), "2 item(s)");
        assert_eq!(item_count(&json!(17)), "1 item(s)");
    }

    #[test]
    fn quotes_like_python() {
        let quoted = |text| python_list([text]);
        assert_eq!(python_list([]), "[]");
        assert_eq!(quoted("a=it's"), "[\"a=it's\"]");
        assert_eq!(quoted("a=\"b\""), "['a=\"b\"']");
        assert_eq!(quoted("a='\""), "['a=\\'\"']");
        assert_eq!(quoted("a=\\ \n\r\t"), "['a=\\\\ \\n\\r\\t']");
        assert_eq!(
            quoted("a=\0\u{7f}\u{a0}\u{200b}\u{2028}\u{e0001}"),
            "['a=\\x00\\x7f\\xa0\\u200b\\u2028\\U000e0001']"
        );
        assert_eq!(quoted("a=grønn 日本 🔥"), "['a=grønn 日本 🔥']");
    }
}

//! JSON in Python's notation, in which mails show `metadata` (contract section 19.3).

use std::fmt::Write;

use serde::de::IgnoredAny;

use crate::domain::exact_json::{self, Token};

/// Converts JSON to Python's notation. Returns `text` unchanged if it is not JSON.
pub(super) fn notation(text: &str) -> String {
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return text.to_owned();
    }
    let mut out = String::new();
    for token in exact_json::tokens(text) {
        match token {
            Token::Mark(mark @ (',' | ':')) => {
                out.push(mark);
                out.push(' ');
            }
            Token::Mark(mark) => out.push(mark),
            Token::Number(number) => out.push_str(&exact_json::shown_number(number)),
            Token::Word("null") => out.push_str("None"),
            Token::Word("true") => out.push_str("True"),
            Token::Word("false") => out.push_str("False"),
            Token::Word(word) => out.push_str(word),
            Token::String(text) => write_string(&mut out, &serde_json::from_str::<String>(text).unwrap_or_default()),
        }
    }
    out
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
        assert_eq!(notation("[99999999999999999999999, 1e5]"), "[99999999999999999999999, 100000.0]");
    }
}

//! JSON whose integers keep all their digits. Parsed values hold only integers of up to 64 bits.

use serde_json::Value;

/// A token of a JSON document. White space between tokens is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// One of `{`, `}`, `[`, `]`, `,` and `:`.
    Mark(char),
    /// A string with its quotes and escapes.
    String(&'a str),
    Number(&'a str),
    /// `true`, `false` or `null`.
    Word(&'a str),
}

/// Returns the tokens of `json`, which has to be valid. Tokens of other texts have no meaning, but their number is
/// finite.
pub fn tokens(json: &str) -> impl Iterator<Item = Token<'_>> {
    let mut rest = json;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let length = match first {
            '{' | '}' | '[' | ']' | ',' | ':' => 1,
            '"' => string_length(rest),
            _ => rest.find(|c: char| c.is_whitespace() || "{}[],:\"".contains(c)).unwrap_or(rest.len()),
        };
        let (piece, after) = rest.split_at_checked(length)?;
        rest = after;
        Some(match first {
            '"' => Token::String(piece),
            '-' | '0'..='9' => Token::Number(piece),
            '{' | '}' | '[' | ']' | ',' | ':' => Token::Mark(first),
            _ => Token::Word(piece),
        })
    })
}

/// Returns the length in bytes of the string at the beginning of the text, with its quotes.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    let inner = text.get(1..).unwrap_or_default();
    let end = inner.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// Returns whether the value contains an integer whose digits were lost when it was parsed.
#[must_use]
pub fn has_lost_digits(value: &Value) -> bool {
    /// Smaller integers are parsed as integers.
    const LEAST: f64 = 9.0e18;
    match value {
        Value::Number(number) => number.is_f64() && number.as_f64().is_some_and(|number| number.abs() >= LEAST),
        Value::Array(items) => items.iter().any(has_lost_digits),
        Value::Object(members) => members.values().any(has_lost_digits),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// Formats valid JSON without white space. Numbers are written as by `serde_json`, except that integers keep all
/// digits.
#[must_use]
pub fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for token in tokens(json) {
        match token {
            Token::Mark(mark) => out.push(mark),
            Token::Number(number) => out.push_str(&shown_number(number)),
            Token::String(text) | Token::Word(text) => out.push_str(&reparsed(text)),
        }
    }
    out
}

/// Formats a number: an integer unchanged, any other number as `serde_json` writes it.
#[must_use]
pub fn shown_number(number: &str) -> String {
    if is_integer(number) { number.to_owned() } else { reparsed(number) }
}

/// Returns whether the text has only digits, perhaps after a minus.
#[must_use]
pub fn is_integer(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn reparsed(token: &str) -> String {
    serde_json::from_str::<Value>(token).map_or_else(|_| token.to_owned(), |value| value.to_string())
}

/// Formats valid JSON on several lines like `serde_json`, except that integers keep all digits.
#[must_use]
pub fn pretty(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut tokens = tokens(json).peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(token) = tokens.next() {
        match token {
            Token::Mark(open @ ('{' | '[')) => {
                out.push(open);
                if !matches!(tokens.peek(), Some(Token::Mark('}' | ']'))) {
                    depth += 1;
                    line(&mut out, depth);
                } else if let Some(Token::Mark(close)) = tokens.next() {
                    out.push(close);
                }
            }
            Token::Mark(close @ ('}' | ']')) => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(close);
            }
            Token::Mark(',') => {
                out.push(',');
                line(&mut out, depth);
            }
            Token::Mark(_) => out.push_str(": "),
            Token::Number(number) => out.push_str(&shown_number(number)),
            Token::String(text) | Token::Word(text) => out.push_str(&reparsed(text)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn integers_keep_their_digits() {
        let written = r#" {"a" : [ 99999999999999999999999, -170141183460469231731687303715884105729 , 1, 1e5, 2.50],
            "99999999999999999999999": "\u00e6 \"[1, 2]\\", "b": {}, "c": null} "#;
        assert_eq!(
            compact(written),
            r#"{"a":[99999999999999999999999,-170141183460469231731687303715884105729,1,100000.0,2.5],"99999999999999999999999":"æ \"[1, 2]\\","b":{},"c":null}"#
        );
        assert_eq!(
            pretty("{\"a\":[],\"b\":[18446744073709551616]}"),
            "{\n  \"a\": [],\n  \"b\": [\n    18446744073709551616\n  ]\n}"
        );
        assert!(has_lost_digits(&serde_json::from_str(written).unwrap()));
        for kept in ["18446744073709551615", "-9223372036854775808", "1e5", "[0.1]", "\"99999999999999999999999\""] {
            assert!(!has_lost_digits(&serde_json::from_str(kept).unwrap()), "{kept}");
        }
        for lost in ["18446744073709551616", "-9223372036854775809", "{\"a\":[99999999999999999999999]}"] {
            assert!(has_lost_digits(&serde_json::from_str(lost).unwrap()), "{lost}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
            "(?s).{0,12}".prop_map(Value::from),
            Just(json!("\\\"{[,:]}\\\\")),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map("(?s).{0,6}", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn writes_what_a_parsed_value_would(value in any_json()) {
            let pretty_text = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(compact(&pretty_text), value.to_string());
            prop_assert_eq!(pretty(&value.to_string()), pretty_text);
        }

        #[test]
        fn ends_whatever_the_text_is(text in "(?s).{0,60}") {
            prop_assert!(tokens(&text).count() <= text.len());
            let _ = (compact(&text), pretty(&text));
        }
    }
}

//! Estimates the memory of a parsed body before it is parsed, because a few bytes of JSON can become hundreds.

/// Bytes of a value in a list that grew by doubling.
const VALUE: usize = 2 * size_of::<serde_json::Value>();
/// Additional bytes of a member of an object, and of the shortest text.
const MEMBER: usize = 160;
const TEXT: usize = 32;
/// Bytes of an object with its smallest index.
const OBJECT: usize = 512;
/// Bytes of a field of a form, with short texts.
const FIELD: usize = 224;
/// Additional bytes of a field that is the first of its list or object.
const NESTED_FIELD: usize = 1_280;

/// Returns an upper bound of the memory of the value that `serde_json` parses, in bytes. Also counts invalid JSON.
#[must_use]
pub fn of_json(json: &[u8]) -> usize {
    let mut cost = VALUE + json.len();
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b',' | b'[' => cost += VALUE,
            b':' => cost += MEMBER,
            b'{' => cost += VALUE + OBJECT,
            b'"' => {
                cost += TEXT;
                skip_text(&mut bytes);
            }
            _ => {}
        }
    }
    cost
}

/// Skips the rest of a text, including its closing quote.
fn skip_text<'a>(bytes: &mut impl Iterator<Item = &'a u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

/// Returns an upper bound of the memory of a parsed URL-encoded form, in bytes.
#[must_use]
pub fn of_form(form: &[u8]) -> usize {
    form.split(|byte| *byte == b'&').fold(form.len(), |cost, field| {
        let name = field.split(|byte| *byte == b'=').next().unwrap_or_default();
        cost + of_field(name)
    })
}

fn of_field(name: &[u8]) -> usize {
    let may_nest = name.iter().any(|byte| matches!(byte, b'[' | b'.' | b'%'));
    if may_nest { FIELD + NESTED_FIELD } else { FIELD }
}

/// Returns an upper bound of the memory of a parsed multipart form, in bytes, whatever its boundary is: each part
/// begins with a line that begins with two dashes.
#[must_use]
pub fn of_multipart(form: &[u8]) -> usize {
    let parts = form.windows(3).filter(|bytes| bytes == b"\n--").count() + 1;
    form.len() + parts * (FIELD + NESTED_FIELD)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::domain::limits;

    #[test]
    fn what_is_sent_by_known_clients_fits() {
        let numbers: Vec<usize> = (0..limits::BULK_IDS).map(|id| id + 10_000_000).collect();
        let bulk = serde_json::to_vec(&serde_json::json!({"ids": numbers, "ack": {"description": "x"}})).unwrap();
        assert!(of_json(&bulk) < limits::PARSED_BODY_BYTES, "{}", of_json(&bulk));
        let members: Vec<String> = (0..100_000).map(|n| format!("{n:036}")).collect();
        let group = serde_json::to_vec(&serde_json::json!({"users": members})).unwrap();
        assert!(of_json(&group) < limits::PARSED_BODY_BYTES, "{}", of_json(&group));
        let pairs: Vec<String> = numbers.iter().map(|id| format!("pk={id}")).collect();
        let form = pairs.join("&");
        assert!(of_form(form.as_bytes()) < limits::PARSED_BODY_BYTES, "{}", of_form(form.as_bytes()));
    }

    #[test]
    fn what_becomes_much_more_does_not_fit() {
        let list = |item: &str| format!("[{}]", vec![item; limits::BODY_BYTES / (item.len() + 1) - 1].join(","));
        for item in ["0", "[]", "{}", "\"\"", "{\"\":0}", "[[[[]]]]"] {
            let json = list(item);
            assert!(json.len() <= limits::BODY_BYTES);
            assert!(of_json(json.as_bytes()) > limits::PARSED_BODY_BYTES, "{item}");
        }
        for field in ["a&", "a=&", "a.b&", "a[0]&"] {
            assert!(of_form(field.repeat(limits::BODY_BYTES / field.len()).as_bytes()) > limits::PARSED_BODY_BYTES);
        }
    }

    #[test]
    fn texts_count_once_whatever_they_hold() {
        assert_eq!(of_json(br#"["a,b:{[\",,"]"#) - of_json(br#"["aaaaaaaaaa"]"#), 0);
        assert_eq!(of_json(br#"["never ends,,,,"#) - of_json(b"["), 15 + TEXT);
    }

    /// Returns the least memory that a value holds, counted by hand, in bytes.
    fn held(value: &Value) -> usize {
        let own = size_of::<Value>();
        match value {
            Value::Array(items) => own + items.iter().map(held).sum::<usize>(),
            Value::Object(members) => {
                own + members.iter().map(|(name, value)| 32 + name.len() + held(value)).sum::<usize>()
            }
            Value::String(text) => own + text.len(),
            _ => own,
        }
    }

    proptest::proptest! {
        #[test]
        fn is_never_less_than_what_is_held(json in "[\\[\\]{}:,\"a0 ]{0,40}") {
            if let Ok(value) = serde_json::from_str::<Value>(&json) {
                proptest::prop_assert!(of_json(json.as_bytes()) >= held(&value), "{}", json);
            }
        }
    }
}

//! Numbers in query parameters.

use std::collections::BTreeSet;

pub(super) const NO_NUMBER: &str = "Enter a number.";

/// Parses a finite number.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    text.parse().ok().filter(|number: &f64| is_plain && number.is_finite())
}

/// Parses primary keys. `None` if an item is not a number. Numbers that cannot be a key are dropped, as they match
/// nothing.
pub(super) fn keys(items: &[&str]) -> Option<BTreeSet<u64>> {
    let mut keys = BTreeSet::new();
    for item in items {
        if let Ok(key) = item.parse() {
            keys.insert(key);
            continue;
        }
        let number = number(item)?;
        if number.fract() == 0.0 && (0.0..9e15).contains(&number) {
            keys.insert(number as u64);
        }
    }
    Some(keys)
}

pub(super) fn whole_number(text: &str) -> Option<i128> {
    let text = text.trim();
    let digits = text.strip_suffix(".0").unwrap_or(text);
    digits.parse().ok()
}

//! Tags: `key=value` labels of an incident (contract section 11.1).

use std::fmt;

use super::{Timestamp, UserId};

/// A valid tag, split at the first `=`. The key is `[a-z0-9_]+`; the value can be any text, or empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    text: String,
    key_len: usize,
}

/// Reason why a text is not a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    #[error("The tag does not have its delimiter: =.")]
    NoDelimiter,
    #[error("The key of the tag cannot be empty.")]
    EmptyKey,
    #[error("['Enter a valid key consisting of lowercase letters, numbers and underscores.']")]
    BadKey,
}

impl Tag {
    /// Trims white space around key and value, and checks the syntax.
    ///
    /// # Errors
    /// The first rule of contract section 11.1 that the text breaks.
    pub fn parse(text: &str) -> Result<Self, TagError> {
        let (key, value) = text.split_once('=').ok_or(TagError::NoDelimiter)?;
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() {
            return Err(TagError::EmptyKey);
        }
        if !key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            return Err(TagError::BadKey);
        }
        Ok(Self { text: format!("{key}={value}"), key_len: key.len() })
    }

    #[must_use]
    pub fn key(&self) -> &str {
        &self.text[..self.key_len]
    }

    #[must_use]
    pub fn value(&self) -> &str {
        &self.text[self.key_len + 1..]
    }

    /// Returns `key=value`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A tag of an incident, with who added it and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentTag {
    pub tag: Tag,
    pub added_by: UserId,
    pub added_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_the_first_equals_sign_and_trims_both_parts() {
        let tag = Tag::parse(" host = a=b ").unwrap();
        assert_eq!((tag.key(), tag.value(), tag.as_str()), ("host", "a=b", "host=a=b"));
    }

    #[test]
    fn accepts_an_empty_value() {
        assert_eq!(Tag::parse("host=").unwrap().value(), "");
    }

    #[test]
    fn names_the_rule_that_is_broken() {
        assert_eq!(Tag::parse("host"), Err(TagError::NoDelimiter));
        assert_eq!(Tag::parse("=v"), Err(TagError::EmptyKey));
        assert_eq!(Tag::parse("Host=v"), Err(TagError::BadKey));
        assert_eq!(Tag::parse("hø=v"), Err(TagError::BadKey));
    }
}

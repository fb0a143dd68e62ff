//! Parameters of a query string.

use std::{borrow::Cow, convert::Infallible};

use axum::{extract::FromRequestParts, http::request::Parts};
use rustc_hash::FxHashMap;
use serde::{Serialize, Serializer};
use url::form_urlencoded;

/// Parameters of a query string, in the order sent.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    #[must_use]
    pub fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).map(|(k, v)| (k.into_owned(), v.into_owned())).collect())
    }

    /// Returns the last value of a parameter. An empty value counts as absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().rfind(|(key, _)| key == name)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    /// Returns whether the parameter is present, even if it is empty.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// Returns the query with `name` set to `value`.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> String {
        let kept = self.0.iter().filter(|(key, _)| key != name);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair(name, value).extend_pairs(kept);
        query.finish()
    }
}

/// Serializes the parameters as an object, with the last value of repeated ones.
impl Serialize for Params {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let last: FxHashMap<&str, &str> = self.0.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        serializer.collect_map(last)
    }
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.uri.query().map(Self::parse).unwrap_or_default())
    }
}

/// Returns the last value of one parameter without reading the others.
#[must_use]
pub fn last<'a>(query: Option<&'a str>, name: &str) -> Option<Cow<'a, str>> {
    let query = query.filter(|query| query.contains(name))?;
    form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name).last().map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_repeated_parameters_wins() {
        let params = Params::parse("a=1&b=&a=2&c");
        assert_eq!(params.get("a"), Some("2"));
        assert_eq!(params.get("b"), None);
        assert_eq!(params.get("c"), None);
        assert!(params.has("c") && !params.has("d"));
        assert_eq!(serde_json::to_value(&params).unwrap(), serde_json::json!({"a": "2", "b": "", "c": ""}));
    }

    #[test]
    fn replaces_one_and_keeps_the_others() {
        let params = Params::parse("tags=a%3D1,b%3D2&cursor=x&open=True&cursor=y");
        assert_eq!(params.with("cursor", "z"), "cursor=z&tags=a%3D1%2Cb%3D2&open=True");
    }
}

//! Media of destinations: the built-in channel types, and channel plug-ins.

use std::collections::BTreeMap;

use super::{
    channel_types::{ChannelType, find},
    destination::ADDRESS,
    setting::{Form, Setting, same_origin},
};

/// Medium of a destination: a built-in type, or the type of a channel plug-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyMedium {
    BuiltIn(&'static ChannelType),
    Plugin(String),
}

/// Settings of a destination of a plug-in: one address, which the plug-in receives under the name of its type.
const OF_PLUGIN: &[Setting] = &[Setting::new(ADDRESS, "Address", Form::Address, "")];

impl AnyMedium {
    /// Returns the medium. Does not check that the plug-in exists.
    #[must_use]
    pub fn from_slug(slug: &str) -> Self {
        find(slug).map_or_else(|| Self::Plugin(slug.to_owned()), Self::BuiltIn)
    }

    #[must_use]
    pub fn slug(&self) -> &str {
        match self {
            Self::BuiltIn(known) => known.key,
            Self::Plugin(slug) => slug,
        }
    }

    /// Returns the settings of its destinations. The address comes first; every destination has it.
    #[must_use]
    pub const fn settings(&self) -> &'static [Setting] {
        match self {
            Self::BuiltIn(known) => known.of_destination,
            Self::Plugin(_) => OF_PLUGIN,
        }
    }

    /// Returns the key of the setting that holds the address. No two destinations of a user have the same value of it.
    #[must_use]
    pub fn address_key(&self) -> &'static str {
        match self {
            Self::BuiltIn(known) => known.address().key,
            Self::Plugin(_) => ADDRESS,
        }
    }
}

/// Returns the settings after a change: `given` replaces `before`. Secrets that are not mentioned are kept if scheme,
/// host and port of the address stay the same.
#[must_use]
pub fn changed_settings(
    medium: &AnyMedium,
    before: &BTreeMap<String, String>,
    given: BTreeMap<String, Option<String>>,
) -> BTreeMap<String, String> {
    let address = |settings: &BTreeMap<String, String>| settings.get(medium.address_key()).cloned().unwrap_or_default();
    let mentioned: Vec<String> = given.keys().cloned().collect();
    let mut after: BTreeMap<String, String> =
        given.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect();
    if same_origin(&address(before), &address(&after)) {
        let kept = medium.settings().iter().filter(|it| it.secret && !mentioned.iter().any(|key| key == it.key));
        for setting in kept {
            if let Some(value) = before.get(setting.key) {
                after.insert(setting.key.to_owned(), value.clone());
            }
        }
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::destination::DESTINATION_URL;

    const SECRET: &str = "secret";

    #[test]
    fn secrets_stay_with_their_host() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let given = |pairs: &[(&str, Option<&str>)]| -> BTreeMap<String, Option<String>> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect()
        };
        let before = map(&[(DESTINATION_URL, "https://x.org/a"), (SECRET, "s")]);
        let change =
            |pairs: &[(&str, Option<&str>)]| changed_settings(&AnyMedium::from_slug("webhook"), &before, given(pairs));
        let moved = "https://x.org/b";
        assert_eq!(change(&[(DESTINATION_URL, Some(moved))]), map(&[(DESTINATION_URL, moved), (SECRET, "s")]));
        assert_eq!(change(&[(DESTINATION_URL, Some(moved)), (SECRET, None)]), map(&[(DESTINATION_URL, moved)]));
        assert_eq!(
            change(&[(DESTINATION_URL, Some(moved)), (SECRET, Some("t"))]),
            map(&[(DESTINATION_URL, moved), (SECRET, "t")])
        );
        for elsewhere in ["https://y.org/a", "http://x.org/a", "https://x.org:444/a"] {
            assert_eq!(change(&[(DESTINATION_URL, Some(elsewhere))]), map(&[(DESTINATION_URL, elsewhere)]));
        }
    }
}

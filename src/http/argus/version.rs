//! Versions of the Argus API, and how they differ.

use super::shared::{incidents::READ_SINCE_V2, render::SHOWN_SINCE_V2};
use crate::domain::criterion::CRITERIA;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

impl Version {
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];

    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::V1 => "/api/v1",
            Self::V2 => "/api/v2",
        }
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }

    /// Returns whether incidents have metadata (contract section 5.1).
    #[must_use]
    pub const fn has_metadata(self) -> bool {
        matches!(self, Self::V2)
    }

    /// Returns whether an acknowledgement is posted as one object around an event (contract section 10).
    #[must_use]
    pub const fn nests_ack_events(self) -> bool {
        matches!(self, Self::V1)
    }

    /// Returns whether filters can be public and have all criteria. Otherwise they have `filter_string` (contract
    /// section 14).
    #[must_use]
    pub const fn has_wide_filters(self) -> bool {
        matches!(self, Self::V2)
    }

    /// Returns the properties that this version does not have of schemas that all versions share, as (schema,
    /// property).
    #[must_use]
    pub fn absent_properties(self) -> Vec<(&'static str, &'static str)> {
        let wide = CRITERIA.iter().filter(|criterion| criterion.is_wide).map(|criterion| ("FilterBlob", criterion.key));
        let others: &[(_, &[_])] = match self {
            Self::V1 => &[
                ("Incident", SHOWN_SINCE_V2),
                ("IncidentRequest", READ_SINCE_V2),
                ("Filter", &["public"]),
                ("FilterRequest", &["public"]),
            ],
            Self::V2 => &[("Filter", &["filter_string"]), ("FilterRequest", &["filter_string"])],
        };
        let others = others.iter().flat_map(|(schema, names)| names.iter().map(|name| (*schema, *name)));
        wide.filter(|_| !self.has_wide_filters()).chain(others).collect()
    }

    /// Returns the properties of one schema that this version does not have.
    pub fn absent_in(self, schema: &str) -> impl Iterator<Item = &'static str> {
        self.absent_properties().into_iter().filter(move |(of, _)| *of == schema).map(|(_, property)| property)
    }

    /// Returns the error for an invalid parameter `tags` (contract section 6).
    #[must_use]
    pub const fn bad_tag_filter(self) -> &'static str {
        match self {
            Self::V1 => "Enter a valid key-value construct: \"key=value\", where key and value are strings.",
            Self::V2 => {
                "Enter a valid key-value construct: \"key=value\", where key and value are strings. The key can \
                 consist of lowercase letters, numbers and underscores."
            }
        }
    }
}

//! Parses the path of a request (contact API contract section 2).

use percent_encoding::percent_decode_str;

use super::Dialect;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Contacts,
    Groups,
    Channels,
}

impl Endpoint {
    /// Returns the name of an object of the endpoint, as it occurs in messages.
    pub(super) const fn label(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::Contacts, _) => "Contact",
            (Self::Groups, Dialect::Issue) => "Contactgroup",
            (Self::Groups, Dialect::Current) => "Contact Group",
            (Self::Channels, _) => "Channel",
        }
    }

    pub(super) const fn segment(self, dialect: Dialect) -> &'static str {
        match (self, dialect) {
            (Self::Contacts, _) => "contacts",
            (Self::Groups, Dialect::Issue) => "contactgroups",
            (Self::Groups, Dialect::Current) => "contact-groups",
            (Self::Channels, _) => "channels",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PathTarget {
    Endpoint {
        endpoint: Endpoint,
        identifier: Option<String>,
    },
    /// An unknown endpoint or version. Contains the name of the endpoint, as it occurs in messages.
    Unknown(String),
    /// A path that cannot name an endpoint.
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestPath {
    pub dialect: Dialect,
    pub target: PathTarget,
}

impl RequestPath {
    /// Parses `path`, which is relative to the mount. `dialect` applies if the endpoint does not determine one.
    pub(super) fn read(path: &str, dialect: Dialect) -> Self {
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments: Vec<&str> = path.split('/').collect();
        let (version, name, identifier) = match segments.as_slice() {
            [version, name] if !name.is_empty() => (*version, *name, None),
            [version, name, identifier] if !name.is_empty() => (*version, *name, Some(*identifier)),
            _ => return Self { dialect, target: PathTarget::Nothing },
        };
        let name = percent_decode_str(name).decode_utf8_lossy();
        let known = match name.to_ascii_lowercase().as_str() {
            "contacts" => Some((Endpoint::Contacts, dialect)),
            "channels" => Some((Endpoint::Channels, dialect)),
            "contactgroups" => Some((Endpoint::Groups, Dialect::Issue)),
            "contact-groups" | "contact_groups" | "contact groups" => Some((Endpoint::Groups, Dialect::Current)),
            _ => None,
        };
        let dialect = known.map_or(dialect, |(_, dialect)| dialect);
        let target = match known.filter(|_| version.eq_ignore_ascii_case("v1")) {
            Some((endpoint, _)) => PathTarget::Endpoint { endpoint, identifier: identifier.map(str::to_owned) },
            None => PathTarget::Unknown(camel_case(&name)),
        };
        Self { dialect, target }
    }
}

fn camel_case(name: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    };
    name.split(['-', '_', ' ']).map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_endpoints_and_their_dialects() {
        use Dialect::{Current, Issue};
        for (path, dialect, endpoint, identifier) in [
            ("v1/contacts", Issue, Endpoint::Contacts, None),
            ("V1/Contacts/", Issue, Endpoint::Contacts, None),
            ("v1/contactgroups/x/", Issue, Endpoint::Groups, Some("x")),
            ("v1/contact-groups/x", Current, Endpoint::Groups, Some("x")),
            ("v1/contact%20Groups", Current, Endpoint::Groups, None),
            ("v1/channels//", Issue, Endpoint::Channels, Some("")),
        ] {
            let target = PathTarget::Endpoint { endpoint, identifier: identifier.map(str::to_owned) };
            assert_eq!(RequestPath::read(path, Issue), RequestPath { dialect, target }, "{path}");
        }
    }

    #[test]
    fn names_what_it_does_not_find() {
        for (path, name) in [("v1/foo", "Foo"), ("v1/api-v1/5", "ApiV1"), ("v2/contacts", "Contacts"), ("x/ætt", "Ætt")]
        {
            assert_eq!(RequestPath::read(path, Dialect::Issue).target, PathTarget::Unknown(name.to_owned()), "{path}");
        }
        for path in ["", "/", "v1", "v1/", "v1//", "v1/contacts/x/y"] {
            assert_eq!(RequestPath::read(path, Dialect::Issue).target, PathTarget::Nothing, "{path}");
        }
    }
}

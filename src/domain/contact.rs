//! Contacts and contact groups: people who are notified by rules. They are usually kept in step with a directory,
//! through the contact API. Their keys are UUIDs that clients choose.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{ContactGroupId, ContactId, limits::EMAIL};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Primary key, which is never shown. Identifies this contact in versions, and is not reused for another contact
    /// with the same UUID.
    pub id: ContactId,
    pub uuid: Uuid,
    pub full_name: String,
    /// Username, unique among contacts regardless of case. Links the contact to the user of that name.
    pub username: Option<String>,
    /// UUID of a channel.
    pub default_channel: Uuid,
    /// UUIDs of groups. Memberships are stored here only, not with the group.
    pub groups: BTreeSet<Uuid>,
    /// Addresses by channel type.
    pub addresses: BTreeMap<String, String>,
    /// Text by which a client recognizes the contacts that it created.
    pub origin: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactGroup {
    /// See [`Contact::id`].
    pub id: ContactGroupId,
    pub uuid: Uuid,
    /// Name, unique among groups regardless of case.
    pub name: String,
    /// See [`Contact::origin`].
    pub origin: Option<String>,
}

/// Change of the origin of a stored contact or group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginEdit {
    Keep,
    Set(Option<String>),
}

impl OriginEdit {
    fn applied_to(&self, before: Option<&String>) -> Option<String> {
        match self {
            Self::Keep => before.cloned(),
            Self::Set(origin) => origin.clone(),
        }
    }
}

/// The requested values of a new or changed contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactDraft {
    pub uuid: Uuid,
    pub full_name: String,
    pub username: Option<String>,
    pub default_channel: Uuid,
    /// UUIDs of the groups. `None`: memberships do not change.
    pub groups: Option<Vec<Uuid>>,
    pub addresses: BTreeMap<String, String>,
    pub origin: OriginEdit,
}

/// The requested values of a new or changed group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupDraft {
    pub uuid: Uuid,
    pub name: String,
    /// UUIDs of the members. `None`: memberships do not change.
    pub users: Option<Vec<Uuid>>,
    pub origin: OriginEdit,
}

impl ContactDraft {
    /// Returns the contact. What the draft does not set is taken from `before`.
    #[must_use]
    pub fn into_contact(self, id: ContactId, before: Option<&Contact>) -> Contact {
        Contact {
            id,
            uuid: self.uuid,
            full_name: self.full_name,
            username: self.username,
            default_channel: self.default_channel,
            groups: match self.groups {
                Some(groups) => groups.into_iter().collect(),
                None => before.map(|it| it.groups.clone()).unwrap_or_default(),
            },
            addresses: self.addresses,
            origin: self.origin.applied_to(before.and_then(|it| it.origin.as_ref())),
        }
    }
}

impl GroupDraft {
    /// Returns the group. What the draft does not set is taken from `before`.
    #[must_use]
    pub fn to_group(&self, id: ContactGroupId, before: Option<&ContactGroup>) -> ContactGroup {
        let origin = self.origin.applied_to(before.and_then(|it| it.origin.as_ref()));
        ContactGroup { id, uuid: self.uuid, name: self.name.clone(), origin }
    }
}

/// Returns whether the text looks like an e-mail address: one `@`, with text before it and a host name after it.
#[must_use]
pub fn looks_like_email(text: &str) -> bool {
    let Some((local, host)) = text.rsplit_once('@') else { return false };
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"()<>[]:;,@\\\"".contains(c);
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    text.chars().count() <= EMAIL
        && !local.is_empty()
        && local.chars().all(plain)
        && local.split('.').all(|part| !part.is_empty())
        && host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_addresses_from_other_texts() {
        for good in ["a@b", "jane.doe+x@mail.example.com", "o'hara@xn--bcher-kva.example", "grønn@blåbær.no"] {
            assert!(looks_like_email(good), "{good}");
        }
        for bad in [
            "", "a", "@b", "a@", "a b@c", "a@b c", "a@@b", "a@b@c", ".a@b", "a..b@c", "a@b..c", "a@-b", "a@b\n",
            "<a@b>",
        ] {
            assert!(!looks_like_email(bad), "{bad:?}");
        }
        assert!(!looks_like_email(&format!("{}@example.org", "a".repeat(250))));
    }
}

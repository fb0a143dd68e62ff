//! Channels, via which contacts are notified. Administrators set them up.

mod draft;
pub mod settings;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{
    ChannelId, Contact,
    channel_types::{OwnAddress, find},
    destination::EMAIL,
};

pub use draft::{ChannelDraft, ChannelRefusal};

/// Upper bound on the length of a file name, in bytes.
const TYPE_BYTES: usize = 255;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Primary key, which is never shown. Identifies this channel in versions.
    pub id: ChannelId,
    pub uuid: Uuid,
    /// Name, unique among channels regardless of case.
    pub name: String,
    /// Key of a built-in channel type, or name of a plug-in.
    pub kind: String,
    /// Settings as the administrator entered them, secrets included: a JSON object.
    pub config: Option<Map<String, Value>>,
    /// Whether all users may create destinations of this type.
    pub offered: bool,
}

impl Channel {
    /// Returns whether the channel makes its plug-in a medium for all users. Built-in types are enabled by settings of
    /// the server instead.
    #[must_use]
    pub fn is_medium(&self) -> bool {
        self.offered && find(&self.kind).is_none()
    }

    /// Returns the settings with blank secrets, which still show that a secret is set. All settings of plug-ins are
    /// secret.
    #[must_use]
    pub fn shown_config(&self) -> Option<Map<String, Value>> {
        self.config_without(|key| find(&self.kind).is_none_or(|known| known.is_secret(key)))
    }

    /// Returns the settings, with those blank for which `is_secret` returns true.
    #[must_use]
    pub fn config_without(&self, is_secret: impl Fn(&str) -> bool) -> Option<Map<String, Value>> {
        let shown = |(key, value): (&String, &Value)| {
            let value = if is_secret(key) { Value::String(String::new()) } else { value.clone() };
            (key.clone(), value)
        };
        self.config.as_ref().map(|config| config.iter().map(shown).collect())
    }

    #[must_use]
    pub fn without_secrets(&self) -> Self {
        Self { config: self.shown_config(), ..self.clone() }
    }

    /// Returns the address at which the channel reaches a contact: the contact's address for its type, or an empty text
    /// if the channel itself has the address. `None`: no address. Gives the same answer for versions, in which secrets
    /// are blank.
    #[must_use]
    pub fn address_of(&self, contact: &Contact) -> Option<String> {
        if let Some(address) = contact.addresses.get(&self.kind).filter(|address| !address.is_empty()) {
            return Some(address.clone());
        }
        let has_url = self.config.as_ref().is_some_and(|config| config.get("url").is_some_and(Value::is_string));
        (has_url && self.own_address() != OwnAddress::Never).then(String::new)
    }

    /// Returns whether mails of this channel are sent through a mail server of its own.
    #[must_use]
    pub fn has_own_mail_server(&self) -> bool {
        let is_set = |key: &&str| {
            self.config.as_ref().and_then(|config| config.get(*key)).is_some_and(|it| !settings::is_unset(it))
        };
        self.kind == EMAIL && settings::OF_SERVER.iter().any(is_set)
    }

    /// Returns whether the channel cannot be used while the server of this medium is unreachable.
    #[must_use]
    pub fn depends_on(&self, medium: &str) -> bool {
        self.kind == medium && !self.has_own_mail_server()
    }

    /// Returns whether contacts can be notified via the channel without an address of their own.
    #[must_use]
    pub fn needs_no_address(&self) -> bool {
        let has_url =
            || self.config.as_ref().and_then(|config| config.get("url")?.as_str()).is_some_and(|url| !url.is_empty());
        match self.own_address() {
            OwnAddress::Never => false,
            OwnAddress::Optional => has_url(),
            OwnAddress::Expected => true,
        }
    }

    fn own_address(&self) -> OwnAddress {
        find(&self.kind).map_or(OwnAddress::Never, |known| known.own_address)
    }
}

#[must_use]
pub fn is_valid_type(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= TYPE_BYTES
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SLACK: &str = "slack";
    const WEBHOOK: &str = "webhook";
    const NTFY: &str = "ntfy";

    fn channel(kind: &str, config: &Value) -> Channel {
        let config = config.as_object().cloned();
        let (id, uuid) = (ChannelId(1), Uuid::nil());
        Channel { id, uuid, name: "name".to_owned(), kind: kind.to_owned(), config, offered: false }
    }

    #[test]
    fn secrets_are_blank() {
        let shown = |kind, config: Value| channel(kind, &config).shown_config().map(Value::Object);
        assert_eq!(
            shown(EMAIL, json!({"host": "h", "port": 25, "password": "p", "unknown": "x"})),
            Some(json!({"host": "h", "port": 25, "password": "", "unknown": ""}))
        );
        assert!(channel(EMAIL, &json!({"host": "h"})).has_own_mail_server());
        assert!(!channel(EMAIL, &json!({"host": "", "sender_name": "n"})).has_own_mail_server());
        assert_eq!(shown(SLACK, json!({"url": "https://secret"})), Some(json!({"url": ""})));
        assert_eq!(shown("plug-in", json!({"a": {"b": 1}})), Some(json!({"a": ""})));
        assert_eq!(shown(EMAIL, Value::Null), None);
    }

    #[test]
    fn some_channels_carry_the_address_themselves() {
        assert!(channel(WEBHOOK, &Value::Null).needs_no_address());
        assert!(channel(SLACK, &json!({"url": "https://x"})).needs_no_address());
        assert!(!channel(NTFY, &json!({"url": ""})).needs_no_address());
        assert!(!channel(EMAIL, &json!({"url": "https://x"})).needs_no_address());
    }

    #[test]
    fn types_are_names_of_files() {
        assert!(is_valid_type("my-plug_in1") && is_valid_type("email"));
        for bad in ["", "a b", "../x", "a.b", "é"] {
            assert!(!is_valid_type(bad), "{bad:?}");
        }
        assert!(!is_valid_type(&"a".repeat(256)));
    }
}

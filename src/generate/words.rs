//! Names of places, devices and faults of the generated network, and what people say about them: `words.json`.

use std::sync::LazyLock;

use serde::Deserialize;

pub(super) static WORDS: LazyLock<Words> =
    LazyLock::new(|| serde_json::from_str(include_str!("words.json")).unwrap_or_default());

/// Lists to choose from, of which none is empty.
#[derive(Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"), deny_unknown_fields)]
pub(super) struct Words {
    pub places: Vec<&'static str>,
    pub buildings: Vec<&'static str>,
    pub roles: Vec<&'static str>,
    pub server_roles: Vec<&'static str>,
    pub customers: Vec<&'static str>,
    pub services: Vec<&'static str>,
    pub namespaces: Vec<&'static str>,
    pub mounts: Vec<&'static str>,
    pub port_kinds: Vec<&'static str>,
    pub modules: Vec<&'static str>,
    pub end_texts: Vec<&'static str>,
    pub ack_texts: Vec<&'static str>,
    pub comments: Vec<&'static str>,
    pub close_texts: Vec<&'static str>,
    pub reopen_texts: Vec<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_has_words() {
        let lists: std::collections::BTreeMap<String, Vec<String>> =
            serde_json::from_str(include_str!("words.json")).unwrap();
        assert!(lists.values().all(|list| !list.is_empty()));
        assert_eq!(lists["places"], WORDS.places);
    }
}

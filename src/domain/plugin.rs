//! Descriptions that channel plug-ins give of themselves.

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginInfo {
    pub name: String,
    pub version: String,
    pub author: String,
    pub options: Vec<PluginOption>,
}

/// A setting of a channel of the plug-in's type. Texts are in English.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginOption {
    pub name: String,
    /// Type of the value: `string`, `text`, `number`, `bool`, `secret`, `option` or `options`.
    pub kind: String,
    pub label: String,
    pub help: String,
    pub required: bool,
    /// Allowed values.
    pub choices: Vec<String>,
}

impl PluginInfo {
    /// Returns whether a setting is secret. If the plug-in declares no secrets, all settings are, and so are unknown
    /// ones.
    #[must_use]
    pub fn is_secret(&self, key: &str) -> bool {
        let declared = |option: &PluginOption| option.kind == "secret";
        if !self.options.iter().any(declared) {
            return true;
        }
        self.options.iter().find(|option| option.name == key).is_none_or(declared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_declared_is_secret() {
        let option = |name: &str, kind: &str| PluginOption {
            name: name.to_owned(),
            kind: kind.to_owned(),
            ..PluginOption::default()
        };
        let with = |options: Vec<PluginOption>| PluginInfo { options, ..PluginInfo::default() };
        let room = with(vec![option("room", "string"), option("token", "secret")]);
        assert!(room.is_secret("token") && room.is_secret("unheard-of") && !room.is_secret("room"));
        assert!(with(vec![option("room", "string")]).is_secret("room"));
        assert!(with(Vec::new()).is_secret("x"));
    }
}

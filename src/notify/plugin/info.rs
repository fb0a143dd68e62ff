//! What a plug-in says of itself.

use serde_json::Value;

use crate::{domain::limits::PLUGIN_OPTIONS, notify::text::clean};

const TEXT: usize = 300;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginInfo {
    pub name: String,
    pub version: String,
    pub author: String,
    pub options: Vec<PluginOption>,
}

/// One of the settings of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginOption {
    pub name: String,
    /// `string`, `text`, `number`, `bool`, `secret`, `option` or `options`.
    pub kind: String,
    /// In English.
    pub label: String,
    pub required: bool,
}

impl PluginInfo {
    /// From the answer to `GetInfo`; what is missing is empty.
    pub(super) fn read(answer: &Value) -> Self {
        let options = answer.get("config_attrs").and_then(Value::as_array);
        Self {
            name: text(answer.get("name")),
            version: text(answer.get("version")),
            author: text(answer.get("author")),
            options: options.into_iter().flatten().take(PLUGIN_OPTIONS).map(PluginOption::read).collect(),
        }
    }
}

impl PluginOption {
    fn read(option: &Value) -> Self {
        Self {
            name: text(option.get("name")),
            kind: text(option.get("type")),
            label: text(option.get("label").and_then(|label| label.get("en_US"))),
            required: option.get("required").and_then(Value::as_bool).unwrap_or_default(),
        }
    }
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).map(|text| clean(text, TEXT)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_is_empty() {
        assert_eq!(PluginInfo::read(&Value::Null), PluginInfo::default());
        let answer = json!({"name": "Room", "version": "1.2", "config_attrs": [
            {"name": "token", "type": "secret", "label": {"en_US": "Token", "de_DE": "Schlüssel"}, "required": true},
            {"name": "x"},
            7,
        ]});
        let info = PluginInfo::read(&answer);
        assert_eq!((info.name.as_str(), info.version.as_str(), info.author.as_str()), ("Room", "1.2", ""));
        let token = &info.options[0];
        assert_eq!((token.kind.as_str(), token.label.as_str(), token.required), ("secret", "Token", true));
        assert_eq!((info.options.len(), info.options[1].kind.as_str()), (3, ""));
    }
}

//! Reads the description that a plug-in gives of itself.

use serde_json::Value;

use crate::domain::{
    PluginInfo, PluginOption,
    limits::{PLUGIN_CHOICES, PLUGIN_OPTIONS},
};
use crate::notify::text::clean;

const TEXT: usize = 300;

/// Reads the answer to `GetInfo`. Missing values are empty.
pub(super) fn read(answer: &Value) -> PluginInfo {
    let options = answer.get("config_attrs").and_then(Value::as_array);
    PluginInfo {
        name: text(answer.get("name")),
        version: text(answer.get("version")),
        author: text(answer.get("author")),
        options: options.into_iter().flatten().take(PLUGIN_OPTIONS).map(option).collect(),
    }
}

fn option(option: &Value) -> PluginOption {
    let english = |name: &str| text(option.get(name).and_then(|texts| texts.get("en_US")));
    let choices = option.get("options").and_then(Value::as_object);
    PluginOption {
        name: text(option.get("name")),
        kind: text(option.get("type")),
        label: english("label"),
        help: english("help"),
        required: option.get("required").and_then(Value::as_bool).unwrap_or_default(),
        choices: choices.into_iter().flatten().take(PLUGIN_CHOICES).map(|(key, _)| clean(key, TEXT)).collect(),
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
        assert_eq!(read(&Value::Null), PluginInfo::default());
        let answer = json!({"name": "Room", "version": "1.2", "config_attrs": [
            {"name": "token", "type": "secret", "label": {"en_US": "Token", "de_DE": "Schlüssel"}, "required": true},
            {"name": "x", "type": "option", "help": {"en_US": "Which."}, "options": {"a": "A", "b": "B"}},
            7,
        ]});
        let info = read(&answer);
        assert_eq!((info.name.as_str(), info.version.as_str(), info.author.as_str()), ("Room", "1.2", ""));
        let token = &info.options[0];
        assert_eq!((token.kind.as_str(), token.label.as_str(), token.required), ("secret", "Token", true));
        assert_eq!((info.options.len(), info.options[1].kind.as_str()), (3, "option"));
        assert_eq!((info.options[1].help.as_str(), info.options[1].choices.join(",").as_str()), ("Which.", "a,b"));
    }
}

//! JSON schemas of channel settings.

use serde_json::{Map, Value, json};

use crate::domain::{
    PluginInfo, PluginOption,
    setting::{Form, Setting},
};

pub(super) fn of_built_in(kind: &str, settings: &[Setting]) -> Value {
    let properties: Map<String, Value> = settings.iter().map(|it| (it.key.to_owned(), property(it))).collect();
    json!({
        "title": format!("Settings of channels of type {kind}"),
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

/// Returns the schema that the plug-in declares. The plug-in validates the settings itself.
pub(super) fn of_plugin(info: &PluginInfo) -> Value {
    let properties: Map<String, Value> = info.options.iter().map(|it| (it.name.clone(), option(info, it))).collect();
    let required: Vec<&str> = info.options.iter().filter(|it| it.required).map(|it| it.name.as_str()).collect();
    json!({
        "title": format!("Settings of channels of type {}", info.name),
        "type": "object",
        "properties": properties,
        "required": required,
    })
}

fn property(setting: &Setting) -> Value {
    let mut property = match setting.form {
        Form::Line | Form::Text | Form::Ascii | Form::Host | Form::Phone | Form::Address => json!({"type": "string"}),
        Form::Port => json!({"type": "integer", "minimum": 1, "maximum": 65_535}),
        Form::OneOf(choices) => json!({"type": "string", "enum": choices}),
        Form::MailAddress => json!({"type": "string", "format": "email"}),
        Form::AddressTemplate => json!({"type": "string", "pattern": "\\{number\\}"}),
        Form::HookUrl => json!({"type": "string", "format": "uri", "pattern": "^https://"}),
        Form::HttpUrl | Form::TopicUrl => json!({"type": "string", "format": "uri", "pattern": "^https?://"}),
        Form::UrlTemplate => json!({"type": "string", "pattern": "^https?://"}),
        Form::Headers => json!({"type": "object", "additionalProperties": {"type": "string"}}),
    };
    describe(&mut property, setting.title, setting.description, setting.secret);
    property
}

fn option(info: &PluginInfo, option: &PluginOption) -> Value {
    let mut property = match option.kind.as_str() {
        // The bundled plug-ins accept numbers as texts, too.
        "number" => json!({"type": ["number", "string"]}),
        "bool" => json!({"type": "boolean"}),
        "option" => json!({"type": "string", "enum": option.choices}),
        "options" => json!({"type": "array", "items": {"type": "string", "enum": option.choices}}),
        _ => json!({"type": "string"}),
    };
    describe(&mut property, &option.label, &option.help, info.is_secret(&option.name));
    property
}

fn describe(property: &mut Value, title: &str, description: &str, secret: bool) {
    property["title"] = title.into();
    if !description.is_empty() {
        property["description"] = description.into();
    }
    if secret {
        property["writeOnly"] = true.into();
    }
}

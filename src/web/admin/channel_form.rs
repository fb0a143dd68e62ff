//! The settings of a channel as a form, with a field for each setting of its type. Secrets are never shown.

use serde_json::{Map, Value};

use crate::domain::{
    Channel, PluginOption,
    channel::settings::is_unset,
    setting::{Form, Setting},
};
use crate::service::AboutType;
use crate::web::{
    FormFields, Problem, Site,
    form_input::{FormInput, InputKind},
};

/// Prefix of the names of inputs, which distinguishes them from other fields.
const PREFIX: &str = "set.";
/// Key of the input for all settings, which is used if the individual settings are not known.
const WHOLE: &str = "(all)";

impl FormInput {
    fn built_in(setting: &Setting) -> Self {
        let (kind, choices): (_, &[&str]) = match setting.form {
            Form::Text => (InputKind::Area, &[]),
            Form::Headers => (InputKind::Headers, &[]),
            Form::Port => (InputKind::Number, &[]),
            Form::OneOf(choices) => (InputKind::Choice, choices),
            _ => (InputKind::Line, &[]),
        };
        let help = match kind {
            InputKind::Headers => format!("{} One per line: name, colon, value.", setting.description).into(),
            _ => setting.description.into(),
        };
        let choices = choices.iter().map(|it| ((*it).to_owned(), (*it).to_owned())).collect();
        let input = Self::new(kind, format!("{PREFIX}{}", setting.key), setting.title);
        Self { help, secret: setting.secret, choices, ..input }
    }

    fn of_plugin(option: &PluginOption, secret: bool) -> Self {
        let kind = match option.kind.as_str() {
            "text" => InputKind::Area,
            "number" => InputKind::Number,
            "bool" => InputKind::Flag,
            "option" if !option.choices.is_empty() => InputKind::Choice,
            _ => InputKind::Line,
        };
        let title = if option.label.is_empty() { &option.name } else { &option.label };
        let input = Self::new(kind, format!("{PREFIX}{}", option.name), title.clone());
        let choices = option.choices.iter().map(|it| (it.clone(), it.clone())).collect();
        Self { help: option.help.clone().into(), secret, required: option.required && !secret, choices, ..input }
    }
}

/// Returns the inputs for a channel of a type, with its current settings except secrets.
pub(super) fn settings(site: &Site, kind: &str, channel: Option<&Channel>) -> Vec<FormInput> {
    let known = site.service.contacts().channel_types().into_iter().find(|known| known.kind == kind);
    let shown = channel.and_then(|channel| site.service.contacts().shown_config(channel)).unwrap_or_default();
    let mut inputs: Vec<FormInput> = match known.map(|known| known.about) {
        Some(AboutType::BuiltIn(settings)) => settings.iter().map(FormInput::built_in).collect(),
        Some(AboutType::Plugin(info)) => {
            info.options.iter().map(|option| FormInput::of_plugin(option, info.is_secret(&option.name))).collect()
        }
        Some(AboutType::Silent(_)) | None => Vec::new(),
    };
    let has_others = shown.keys().any(|known| inputs.iter().all(|input| key(input) != *known));
    if inputs.is_empty() || has_others {
        let value = if shown.is_empty() { String::new() } else { pretty(&shown) };
        let whole = FormInput::new(InputKind::Json, format!("{PREFIX}{WHOLE}"), "Settings, as a JSON object");
        return vec![whole.holding(value).help("", "Secrets are shown blank; leave them blank to keep them.")];
    }
    let real = channel.and_then(|channel| channel.config.as_ref());
    for input in &mut inputs {
        input.is_set = real.and_then(|config| config.get(key(input))).is_some_and(|value| !is_unset(value));
        if !input.secret {
            input.value = shown.get(key(input)).map(text).unwrap_or_default();
        }
    }
    inputs
}

/// Returns the key of the setting that the input is for.
fn key(input: &FormInput) -> &str {
    input.name.strip_prefix(PREFIX).unwrap_or_default()
}

fn pretty(config: &Map<String, Value>) -> String {
    serde_json::to_string_pretty(config).unwrap_or_default()
}

fn text(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(false) => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        other => other.to_string(),
    }
}

/// Converts what was typed to a JSON object. A stored secret whose input is empty becomes an empty text, so it is kept.
pub(super) fn config(fields: &FormFields, inputs: &[FormInput]) -> Result<String, Problem> {
    let mut config = Map::new();
    for input in inputs {
        let typed = fields.get(&input.name).unwrap_or_default();
        if input.kind == InputKind::Json {
            return Ok(if typed.is_empty() { "{}".to_owned() } else { typed.to_owned() });
        }
        if !typed.is_empty() {
            config.insert(key(input).to_owned(), value(input, typed)?);
        } else if input.secret && input.is_set && !fields.ticked(&input.clear_name()) {
            config.insert(key(input).to_owned(), Value::String(String::new()));
        }
    }
    Ok(Value::Object(config).to_string())
}

fn value(input: &FormInput, typed: &str) -> Result<Value, Problem> {
    let bad = |what: &str| Problem::of(input.name.clone(), format!("{}: {what}", input.title));
    match input.kind {
        InputKind::Number => {
            let number = typed.parse::<i64>().map(Value::from);
            number.map_err(|_| bad("enter a whole number."))
        }
        InputKind::Flag => Ok(Value::Bool(true)),
        InputKind::Headers => {
            let mut headers = Map::new();
            for line in typed.lines().map(str::trim).filter(|line| !line.is_empty()) {
                let Some((name, value)) = line.split_once(':') else {
                    return Err(bad("each line needs a name, a colon and a value."));
                };
                headers.insert(name.trim().to_owned(), value.trim().into());
            }
            Ok(Value::Object(headers))
        }
        _ => Ok(typed.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::form_input::filled;

    fn input(key: &str, kind: InputKind) -> FormInput {
        FormInput::new(kind, format!("{PREFIX}{key}"), key.to_owned())
    }

    fn config(sent: &str, inputs: &[FormInput]) -> Result<Value, Problem> {
        super::config(&FormFields::parse(sent.as_bytes()), inputs).map(|text| serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn settings_are_put_together_from_inputs() {
        let inputs = [
            input("host", InputKind::Line),
            input("port", InputKind::Number),
            input("headers", InputKind::Headers),
            input("on", InputKind::Flag),
        ];
        let sent = "set.host=+h+&set.port=25&set.headers=X-A:+b:c%0AX-B:d&set.on=on&other=1";
        let expected = serde_json::json!({"host": "h", "port": 25, "headers": {"X-A": "b:c", "X-B": "d"}, "on": true});
        assert_eq!(config(sent, &inputs), Ok(expected));
        assert_eq!(config("set.host=", &inputs), Ok(serde_json::json!({})));
        assert!(config("set.port=x", &inputs).is_err() && config("set.headers=x", &inputs).is_err());
    }

    #[test]
    fn a_secret_that_is_there_stays_unless_it_is_cleared() {
        let secret = |is_set| [FormInput { secret: true, is_set, ..input("token", InputKind::Line) }];
        assert_eq!(config("set.token=", &secret(true)), Ok(serde_json::json!({"token": ""})));
        assert_eq!(config("set.token=", &secret(false)), Ok(serde_json::json!({})));
        assert_eq!(config("set.token=&clear.token=on", &secret(true)), Ok(serde_json::json!({})));
        assert_eq!(config("set.token=t", &secret(true)), Ok(serde_json::json!({"token": "t"})));
        let inputs = filled(secret(true).to_vec(), Some(&FormFields::parse(b"set.token=hunter2")));
        assert_eq!(inputs[0].value, "", "what was typed as a secret does not come back");
    }
}

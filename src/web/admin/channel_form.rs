//! The settings of a channel as a form, with a field for each setting of its type. Secrets are never shown.

use serde_json::{Map, Value};

use crate::{
    domain::{
        channel::{Channel, ChannelDraft, settings::is_unset},
        plugin::PluginOption,
        setting::{Form, Setting},
    },
    service::AboutType,
    web::{Site, form::FormFields, problem::Problem},
};

/// Prefix of the names of inputs, which distinguishes them from other fields.
const PREFIX: &str = "set.";
/// Prefix of the names of check boxes that delete a secret.
const CLEAR: &str = "clear.";
/// Key of the input for all settings, which is used if the individual settings are not known.
const WHOLE: &str = "(all)";

/// Input for one setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingInput {
    pub key: String,
    pub title: String,
    pub help: String,
    pub secret: bool,
    pub required: bool,
    /// Whether a secret is stored.
    pub is_set: bool,
    /// Current value. Always empty for secrets.
    pub value: String,
    pub shape: InputKind,
    pub choices: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputKind {
    #[default]
    Line,
    Number,
    Area,
    /// `Name: value`, one per line.
    Headers,
    Choice,
    Flag,
    /// A JSON object with all settings.
    Whole,
}

impl SettingInput {
    #[must_use]
    pub fn name(&self) -> String {
        format!("{PREFIX}{}", self.key)
    }

    #[must_use]
    pub fn clear_name(&self) -> String {
        format!("{CLEAR}{}", self.key)
    }

    #[must_use]
    pub fn is(&self, shape: &str) -> bool {
        let own = match self.shape {
            InputKind::Line => "line",
            InputKind::Number => "number",
            InputKind::Area | InputKind::Headers | InputKind::Whole => "area",
            InputKind::Choice => "choice",
            InputKind::Flag => "flag",
        };
        own == shape
    }

    fn built_in(setting: &Setting) -> Self {
        let (shape, choices) = match setting.form {
            Form::Text => (InputKind::Area, Vec::new()),
            Form::Headers => (InputKind::Headers, Vec::new()),
            Form::Port => (InputKind::Number, Vec::new()),
            Form::OneOf(choices) => (InputKind::Choice, choices.iter().map(|it| (*it).to_owned()).collect()),
            _ => (InputKind::Line, Vec::new()),
        };
        Self {
            key: setting.key.to_owned(),
            title: setting.title.to_owned(),
            help: match shape {
                InputKind::Headers => format!("{} One per line: name, colon, value.", setting.description),
                _ => setting.description.to_owned(),
            },
            secret: setting.secret,
            shape,
            choices,
            ..Self::default()
        }
    }

    fn of_plugin(option: &PluginOption, secret: bool) -> Self {
        let shape = match option.kind.as_str() {
            "text" => InputKind::Area,
            "number" => InputKind::Number,
            "bool" => InputKind::Flag,
            "option" if !option.choices.is_empty() => InputKind::Choice,
            _ => InputKind::Line,
        };
        Self {
            key: option.name.clone(),
            title: if option.label.is_empty() { option.name.clone() } else { option.label.clone() },
            help: option.help.clone(),
            secret,
            required: option.required && !secret,
            shape,
            choices: option.choices.clone(),
            ..Self::default()
        }
    }
}

/// Returns the inputs for a channel of a type, with its current settings except secrets.
pub(super) fn inputs(site: &Site, kind: &str, channel: Option<&Channel>) -> Vec<SettingInput> {
    let known = site.service.contacts().channel_types().into_iter().find(|known| known.kind == kind);
    let shown = channel.and_then(|channel| site.service.contacts().shown_config(channel)).unwrap_or_default();
    let mut inputs: Vec<SettingInput> = match known.map(|known| known.about) {
        Some(AboutType::BuiltIn(settings)) => settings.iter().map(SettingInput::built_in).collect(),
        Some(AboutType::Plugin(info)) => {
            info.options.iter().map(|option| SettingInput::of_plugin(option, info.is_secret(&option.name))).collect()
        }
        Some(AboutType::Silent(_)) | None => Vec::new(),
    };
    let has_others = shown.keys().any(|key| inputs.iter().all(|input| input.key != *key));
    if inputs.is_empty() || has_others {
        let value = if shown.is_empty() { String::new() } else { pretty(&shown) };
        return vec![SettingInput {
            key: WHOLE.to_owned(),
            title: "Settings, as a JSON object".to_owned(),
            help: "Secrets are shown blank; leave them blank to keep them.".to_owned(),
            value,
            shape: InputKind::Whole,
            ..SettingInput::default()
        }];
    }
    let real = channel.and_then(|channel| channel.config.as_ref());
    for input in &mut inputs {
        input.is_set = real.and_then(|config| config.get(&input.key)).is_some_and(|value| !is_unset(value));
        if !input.secret {
            input.value = shown.get(&input.key).map(text).unwrap_or_default();
        }
    }
    inputs
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

/// Values that the user entered.
#[derive(Default)]
pub struct ChannelForm {
    pub name: String,
    pub offered: bool,
    /// Fields of the form. `None` if it was not sent yet.
    fields: Option<FormFields>,
}

impl ChannelForm {
    #[must_use]
    pub fn of(channel: &Channel) -> Self {
        Self { name: channel.name.clone(), offered: channel.offered, fields: None }
    }

    #[must_use]
    pub fn draft(&self, config: String) -> ChannelDraft {
        let (name, offered) = (Some(self.name.clone()), Some(self.offered));
        ChannelDraft { name, offered, config: Some(config), ..ChannelDraft::default() }
    }

    #[must_use]
    pub fn read(fields: &FormFields) -> Self {
        Self { name: fields.text("name"), offered: fields.ticked("offered"), fields: Some(fields.clone()) }
    }

    /// Copies the entered values to the inputs, except for secrets.
    pub fn fill(&self, inputs: &mut [SettingInput]) {
        let Some(fields) = &self.fields else { return };
        for input in inputs.iter_mut().filter(|input| !input.secret) {
            fields.raw(&input.name()).unwrap_or_default().clone_into(&mut input.value);
        }
    }

    /// Returns the settings as a JSON object. A stored secret that was left blank is blank in it, which keeps it.
    pub fn config(&self, inputs: &[SettingInput]) -> Result<String, Problem> {
        let mut config = Map::new();
        let Some(fields) = &self.fields else { return Ok("{}".to_owned()) };
        for input in inputs {
            let typed = fields.raw(&input.name()).unwrap_or_default().trim();
            if input.shape == InputKind::Whole {
                return Ok(if typed.is_empty() { "{}".to_owned() } else { typed.to_owned() });
            }
            if typed.is_empty() {
                if input.secret && input.is_set && !fields.ticked(&input.clear_name()) {
                    config.insert(input.key.clone(), Value::String(String::new()));
                }
                continue;
            }
            config.insert(input.key.clone(), value(input, typed)?);
        }
        Ok(Value::Object(config).to_string())
    }
}

fn value(input: &SettingInput, typed: &str) -> Result<Value, Problem> {
    let bad = |what: &str| Problem::of(input.name(), format!("{}: {what}", input.title));
    match input.shape {
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
        InputKind::Line | InputKind::Area | InputKind::Choice | InputKind::Whole => Ok(typed.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(key: &str, shape: InputKind) -> SettingInput {
        SettingInput { key: key.to_owned(), title: key.to_owned(), shape, ..SettingInput::default() }
    }

    fn config(sent: &str, inputs: &[SettingInput]) -> Result<Value, Problem> {
        let form = ChannelForm::read(&FormFields::parse(sent.as_bytes()));
        form.config(inputs).map(|text| serde_json::from_str(&text).unwrap())
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
        let secret = |is_set| [SettingInput { secret: true, is_set, ..input("token", InputKind::Line) }];
        assert_eq!(config("set.token=", &secret(true)), Ok(serde_json::json!({"token": ""})));
        assert_eq!(config("set.token=", &secret(false)), Ok(serde_json::json!({})));
        assert_eq!(config("set.token=&clear.token=on", &secret(true)), Ok(serde_json::json!({})));
        assert_eq!(config("set.token=t", &secret(true)), Ok(serde_json::json!({"token": "t"})));
        let mut inputs = secret(true);
        ChannelForm::read(&FormFields::parse(b"set.token=hunter2")).fill(&mut inputs);
        assert_eq!(inputs[0].value, "", "what was typed as a secret does not come back");
    }
}

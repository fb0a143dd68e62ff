//! Rules for the settings of channels: which are allowed, and which secrets are kept when they change.

use serde_json::{Map, Value};

use crate::domain::{channel_types::find, setting::same_origin};

/// Settings that select the mail server.
pub(super) const OF_SERVER: [&str; 3] = ["host", "port", "encryption"];

/// A refused setting: its key, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct BadChannelSetting {
    pub key: String,
    pub reason: String,
}

/// Checks settings against the table of channel types. Settings of plug-ins are accepted, since plug-ins check them.
pub fn check(kind: &str, config: &Map<String, Value>) -> Result<(), BadChannelSetting> {
    let Some(known) = find(kind) else { return Ok(()) };
    for (key, value) in config {
        let setting = known.of_channel.iter().find(|it| it.key == key);
        let setting = setting.ok_or_else(|| bad(key, format!("Channels of type {kind} have no such setting.")))?;
        if !is_unset(value) {
            setting.form.check(value).map_err(|reason| bad(key, reason))?;
        }
    }
    check_together(config)
}

/// Returns the settings that replace `before`. Secrets are shown blank, so a blank one keeps its value, provided that
/// the settings still lead to the same place. Otherwise the error names the first secret that cannot be kept.
pub fn changed(
    kind: &str,
    before: Option<&Map<String, Value>>,
    given: Map<String, Value>,
    is_secret: impl Fn(&str) -> bool,
) -> Result<Map<String, Value>, BadChannelSetting> {
    let Some(before) = before else { return Ok(given) };
    let stays = |key: &String, value: &Value| {
        value.as_str() == Some("") && is_secret(key) && before.get(key).is_some_and(|value| !is_unset(value))
    };
    let Some(kept) = given.iter().find(|(key, value)| stays(key, value)).map(|(key, _)| key.clone()) else {
        return Ok(given);
    };
    if !leads_to_same_place(kind, before, &given, &is_secret) {
        let reason = "The secret stays only while the settings lead to the same place. Give it again.";
        return Err(bad(&kept, reason));
    }
    let settle = |(key, value): (String, Value)| {
        let value = if stays(&key, &value) { before.get(&key).cloned().unwrap_or(value) } else { value };
        (key, value)
    };
    Ok(given.into_iter().map(settle).collect())
}

/// Returns whether the value is empty, which means the same as a missing setting.
#[must_use]
pub fn is_unset(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn bad(key: &str, reason: impl Into<String>) -> BadChannelSetting {
    BadChannelSetting { key: key.to_owned(), reason: reason.into() }
}

fn check_together(config: &Map<String, Value>) -> Result<(), BadChannelSetting> {
    let has = |key: &str| config.get(key).is_some_and(|value| !is_unset(value));
    for (one, other) in [("user", "password"), ("password", "user")] {
        if has(one) && !has(other) {
            return Err(bad(other, "User name and password belong together."));
        }
    }
    let gateways = ["gateway_address", "address_template", "url"];
    if let Some(second) = gateways.into_iter().filter(|key| has(key)).nth(1) {
        return Err(bad(second, "There can be only one gateway."));
    }
    Ok(())
}

/// Returns whether both settings lead to the same place. For plug-ins, only if no setting changes that is not secret.
fn leads_to_same_place(
    kind: &str,
    before: &Map<String, Value>,
    given: &Map<String, Value>,
    is_secret: impl Fn(&str) -> bool,
) -> bool {
    let same = |key: &str| {
        let value = |config: &Map<String, Value>| config.get(key).filter(|value| !is_unset(value)).cloned();
        value(before) == value(given)
    };
    let text = |config: &Map<String, Value>, key: &str| {
        config.get(key).and_then(Value::as_str).map(str::to_owned).unwrap_or_default()
    };
    let same_url = || {
        let (was, is) = (text(before, "url"), text(given, "url"));
        is.is_empty() || is == was || same_origin(&was, &is)
    };
    match find(kind) {
        Some(known) => {
            known.of_channel.iter().filter(|it| OF_SERVER.contains(&it.key)).all(|it| same(it.key)) && same_url()
        }
        None => before.keys().chain(given.keys()).all(|key| is_secret(key) || same(key)),
    }
}

#[cfg(test)]
mod tests;

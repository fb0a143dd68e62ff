//! Channel types of the installed plug-ins.

use anyhow::Context;
use serde::Serialize;

use super::transport_settings;
use crate::config::Config;
use crate::domain::{PluginInfo, PluginOption};
use crate::notify::Channels;

#[derive(Serialize)]
pub struct PluginTypeRow {
    pub kind: String,
    /// Name, or the reason for which the plug-in gives none.
    pub name: String,
    pub version: String,
    /// Names of settings, with a note if they are required or secret.
    pub settings: Vec<String>,
}

/// Describes the installed plug-ins. Starts each of them briefly.
pub fn plugin_types(config: &Config) -> anyhow::Result<Vec<PluginTypeRow>> {
    let settings = transport_settings::plugin_settings(config);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let described = runtime.block_on(Channels::describe_plugins(&settings));
    Ok(described.into_iter().map(|(kind, info)| row(kind, info)).collect())
}

fn row(kind: String, info: Result<PluginInfo, String>) -> PluginTypeRow {
    match info {
        Ok(info) => {
            let settings = info.options.iter().map(setting).collect();
            PluginTypeRow { kind, name: info.name, version: info.version, settings }
        }
        Err(reason) => {
            PluginTypeRow { kind, name: format!("(no answer: {reason})"), version: String::new(), settings: Vec::new() }
        }
    }
}

fn setting(option: &PluginOption) -> String {
    match (option.required, option.kind == "secret") {
        (true, true) => format!("{} (required, secret)", option.name),
        (true, false) => format!("{} (required)", option.name),
        (false, true) => format!("{} (secret)", option.name),
        (false, false) => option.name.clone(),
    }
}

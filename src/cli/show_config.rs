//! `argusd config`: prints or checks the current settings.

use std::process::ExitCode;

use super::output;
use crate::config::{Config, Environment};
use crate::server;

#[expect(clippy::unnecessary_wraps, reason = "all verbs have one form")]
pub(super) fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let rows: Vec<Vec<String>> = config
        .rows()
        .into_iter()
        .map(|(name, value, origin)| vec![name.to_owned(), value, origin.to_string()])
        .collect();
    output::say(output::table(&["SETTING", "VALUE", "FROM"], &rows));
    Ok(ExitCode::SUCCESS)
}

/// Fails where `serve` would refuse to start because of a setting.
pub(super) fn check(config: &Config, environment: &Environment) -> anyhow::Result<ExitCode> {
    environment.refuse_unknown()?;
    server::check_settings(config)?;
    output::say("the settings are valid");
    Ok(ExitCode::SUCCESS)
}

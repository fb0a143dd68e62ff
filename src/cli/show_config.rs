//! `argusd config`: prints the current settings.

use std::process::ExitCode;

use super::output;
use crate::config::Config;

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

//! `argusd serve`, which is also the default without a command.

use std::process::ExitCode;

use crate::config::Config;
use crate::server;
use crate::telemetry;

pub(super) fn run(config: &Config) -> anyhow::Result<ExitCode> {
    telemetry::start(&config.log.level.value);
    server::run(config)?;
    Ok(ExitCode::SUCCESS)
}

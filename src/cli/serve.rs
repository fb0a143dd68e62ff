//! `argusd serve`, which is also the default without a command.

use std::process::ExitCode;

use crate::config::{Config, Environment, LogFormat};
use crate::server;
use crate::telemetry::{self, LogSettings};

pub(super) fn run(config: &Config) -> anyhow::Result<ExitCode> {
    telemetry::start(LogSettings {
        level: &config.log.level.value,
        json: config.log.format.value == LogFormat::Json,
        access: config.log.access.value,
        journal_stream: Environment::of_process().get("JOURNAL_STREAM").as_deref(),
    });
    server::run(config)?;
    Ok(ExitCode::SUCCESS)
}

//! `argusd serve`: starts the log and runs the server until a signal stops it.

use std::process::ExitCode;

use crate::config::{Config, Environment, LogFormat};
use crate::server;
use crate::telemetry::{self, LogSettings};

pub(super) fn run(config: &Config, environment: &Environment) -> anyhow::Result<ExitCode> {
    environment.refuse_unknown()?;
    telemetry::start(LogSettings {
        level: &config.log.level.value,
        json: config.log.format.value == LogFormat::Json,
        access: config.log.access.value,
        journal_stream: environment.get("JOURNAL_STREAM").as_deref(),
    });
    server::run(config)?;
    Ok(ExitCode::SUCCESS)
}

//! `argusd serve`, which is also the default without a command.

use std::process::ExitCode;

use super::output;
use crate::config::{Config, Environment, Flags, LogFormat};
use crate::server::{self, Misconfigured, Reloading};
use crate::telemetry::{self, LogSettings};

/// Exit code for wrong settings, `EX_CONFIG` of sysexits.h. A service manager does not start the server again then.
const BAD_CONFIGURATION: u8 = 78;

pub(super) fn run(config: &Config, flags: Flags, environment: Environment) -> anyhow::Result<ExitCode> {
    if let Err(error) = environment.refuse_unknown() {
        return Ok(refuse(&error.into()));
    }
    telemetry::start(LogSettings {
        level: &config.log.level.value,
        json: config.log.format.value == LogFormat::Json,
        access: config.log.access.value,
        journal_stream: environment.get("JOURNAL_STREAM").as_deref(),
    });
    let load = Box::new(move || Config::load(&flags, &environment));
    match server::run(config, Reloading { load, set_log_level: telemetry::set_level }) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.is::<Misconfigured>() => Ok(refuse(&error)),
        Err(error) => Err(error),
    }
}

/// Reports wrong settings.
pub(super) fn refuse(error: &anyhow::Error) -> ExitCode {
    output::complain(error);
    ExitCode::from(BAD_CONFIGURATION)
}

//! `argusd restore`: puts a backup in the place of the data file.

use std::{path::Path, process::ExitCode};

use super::output;
use crate::config::Config;
use crate::server;
use crate::telemetry;

pub(super) fn run(config: &Config, file: &Path, force: bool) -> anyhow::Result<ExitCode> {
    telemetry::start_for_command();
    let kept = server::restore(config, file, force)?;
    output::say(format_args!("restored {} to {}", file.display(), config.data.value.display()));
    if let Some(kept) = kept {
        output::say(format_args!("the old data file is {}", kept.display()));
    }
    Ok(ExitCode::SUCCESS)
}

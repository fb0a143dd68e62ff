//! `argusd backup`: writes a complete, verified copy of the data file to a file or to standard output.

use std::{
    io::{IsTerminal, stdout},
    path::Path,
    process::ExitCode,
};

use super::{output, remote};
use crate::config::Config;
use crate::server;
use crate::telemetry;

pub(super) fn run(config: &Config, file: &Path) -> anyhow::Result<ExitCode> {
    telemetry::start_for_command();
    let target = (file != Path::new("-")).then_some(file);
    if target.is_none() {
        anyhow::ensure!(!stdout().is_terminal(), "standard output is a terminal; name a file, or use a pipe");
    }
    remote::require_data_file(config)?;
    let findings = server::back_up(config, target)?;
    let Some(first) = findings.first() else { return Ok(ExitCode::SUCCESS) };
    output::note(format_args!(
        "argusd: the copy is complete, but the data file is inconsistent, and so is the copy: {first}"
    ));
    Ok(ExitCode::FAILURE)
}

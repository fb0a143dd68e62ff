//! `argusd check`: verifies the data file or a backup, and exits with 1 and a message if something is wrong.

use std::{fs, os::unix::fs::MetadataExt, panic::AssertUnwindSafe, path::Path, process::ExitCode};

use super::{
    commands,
    output::{self, Format},
    remote,
};
use crate::config::Config;
use crate::control::{AdminReply, AdminRequest};
use crate::server;
use crate::telemetry;

pub(super) fn run(config: &Config, file: Option<&Path>) -> anyhow::Result<ExitCode> {
    let data = &config.data.value;
    // The data file itself may be open in a server, which then checks it.
    let file = file.filter(|file| !is_same(file, data));
    let path = file.unwrap_or(data);
    match file {
        Some(file) => anyhow::ensure!(file.exists(), "there is no file {}", file.display()),
        None => remote::require_data_file(config)?,
    }
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| match file {
        Some(file) => {
            telemetry::start_for_command();
            server::check_file(file).map(AdminReply::Findings)
        }
        None => remote::carry_out(config, AdminRequest::Check),
    }));
    let reply = match outcome {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) => AdminReply::Findings(vec![output::with_causes(&error)]),
        Err(_) => AdminReply::Findings(vec![format!("{} is too damaged to be opened", path.display())]),
    };
    commands::show(reply, Format::Table)
}

fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

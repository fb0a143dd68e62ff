//! `argusd check`: verifies the data file, and exits with 1 and a message if something is wrong.

use std::{panic::AssertUnwindSafe, process::ExitCode};

use super::{
    commands,
    output::{self, Format},
    remote,
};
use crate::config::Config;
use crate::control::{AdminReply, AdminRequest};

pub(super) fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let path = &config.data.value;
    remote::require_data_file(config)?;
    // A damaged file can make the layers below panic, even while it is being opened.
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| remote::carry_out(config, AdminRequest::Check)));
    let reply = match outcome {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) => AdminReply::Findings(vec![output::with_causes(&error)]),
        Err(_) => AdminReply::Findings(vec![format!("{} is too damaged to be opened", path.display())]),
    };
    commands::show(reply, Format::Table)
}

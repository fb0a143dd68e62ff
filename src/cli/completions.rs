//! `argusd completions`: prints a script by which a shell completes the command line.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell as Script;

use super::{
    args::{Arguments, Shell},
    output,
};

pub(super) fn run(shell: Shell) -> ExitCode {
    let shell = match shell {
        Shell::Bash => Script::Bash,
        Shell::Zsh => Script::Zsh,
        Shell::Fish => Script::Fish,
    };
    // Into memory, because the generator panics when a reader has closed the pipe.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "argusd", &mut script);
    output::write(&script);
    ExitCode::SUCCESS
}

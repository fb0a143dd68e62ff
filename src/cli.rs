//! The command line: its grammar, and one file for each verb.

mod args;
mod backup;
mod check;
mod commands;
mod completions;
mod doctor;
mod health;
mod man;
mod openapi;
mod output;
mod remote;
mod requests;
mod restore;
mod retention;
mod secrets;
mod serve;
mod show_config;
mod stress;
mod version;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
};

use clap::{Parser, error::ErrorKind};

use self::args::{Arguments, Command, Demo};
use crate::config::{Config, Environment, Flags};
use crate::telemetry;

/// Runs the program with these arguments; the first is its name.
pub fn run(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(args::of_channels(arguments)) {
        Ok(arguments) => arguments,
        Err(error) => {
            let shown = error.print();
            let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked_for && shown.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(2) };
        }
    };
    telemetry::report_panics();
    // Files that are created from here on are readable only by their owner, because all of them contain texts of
    // incidents.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let outcome = catch_unwind(AssertUnwindSafe(|| dispatch(arguments)));
    match outcome.unwrap_or_else(|_| Err(anyhow::anyhow!("an internal error ended the command"))) {
        Ok(code) => code,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let command = arguments.command.unwrap_or(Command::Serve);
    // These need neither settings nor a data file.
    match command {
        Command::Openapi { version } => return openapi::run(version),
        Command::Stress(load) => return stress::run(&load),
        Command::Version => return Ok(version::run()),
        Command::Completions { shell } => return Ok(completions::run(shell)),
        Command::Man => return man::run(),
        Command::Health { url: Some(url) } => return health::run(&url),
        _ => {}
    }
    let (flags, environment) = (Flags::from(arguments.settings), Environment::of_process());
    let config = match Config::load(&flags, &environment) {
        Err(error) if matches!(command, Command::Serve) => return Ok(serve::refuse(&error.into())),
        loaded => loaded?,
    };
    match command {
        Command::Serve => serve::run(&config, flags, environment),
        Command::Config { check: true } => show_config::check(&config, &environment),
        Command::Config { check: false } => show_config::run(&config),
        Command::Check { file } => check::run(&config, file.as_deref()),
        Command::Doctor(doctor) => doctor::run(&config, &doctor),
        Command::Mail { command } => doctor::mail(&config, command),
        Command::Generate(generate) => commands::run(&config, requests::generate(&generate), output::Format::Table),
        Command::Demo(Demo { seed, force }) => {
            commands::run(&config, crate::control::AdminRequest::Demo { seed, force }, output::Format::Table)
        }
        Command::Reindex => commands::run(&config, crate::control::AdminRequest::Reindex, output::Format::Table),
        Command::Backup { file } => backup::run(&config, &file),
        Command::Restore { file, force } => restore::run(&config, &file, force),
        Command::User { command } => commands::user(&config, command),
        Command::Token { command } => commands::token(&config, command),
        Command::Source { command } => commands::source(&config, command),
        Command::Channel { command } => commands::channel(&config, command),
        Command::Filter { command } => commands::filter(&config, command),
        Command::Profile { command } => commands::profile(&config, command),
        Command::Incident { command } => commands::incident(&config, command),
        Command::Retention { command } => retention::run(&config, command),
        Command::Health { .. } => health::run(&health::address(&config)),
        Command::Openapi { .. }
        | Command::Stress(_)
        | Command::Version
        | Command::Completions { .. }
        | Command::Man => Ok(ExitCode::SUCCESS),
    }
}

//! `argusd retention`: shows which old incidents will be deleted, and when.

use std::process::ExitCode;

use super::{
    args::RetentionCommand,
    commands,
    output::{self, Format},
};
use crate::config::Config;
use crate::control::{AdminRequest, RetentionRow};

pub(super) fn run(config: &Config, command: RetentionCommand) -> anyhow::Result<ExitCode> {
    let RetentionCommand::Show { days, json } = command;
    let path = &config.data.value;
    anyhow::ensure!(path.exists(), "there is no file {}", path.display());
    commands::run(config, AdminRequest::ShowRetention { days }, Format::from_flag(json))
}

pub(super) fn show(row: &RetentionRow, format: Format) {
    if format == Format::Json {
        output::say(serde_json::to_string_pretty(row).unwrap_or_default());
        return;
    }
    let Some(days) = row.closed_days else {
        output::say("Retention is off (retention.closed_days is never): no incidents are deleted.");
        output::say("To see what a number of days would delete: argusd retention show --days 365");
        return;
    };
    output::say(format_args!(
        "Days after which closed incidents are deleted: {days}{}",
        if row.is_set { "" } else { " (not set; this shows what would happen)" }
    ));
    if let Some(at) = &row.next_deletion_local {
        output::say(format_args!("Next deletion: {at}{}", if row.is_set { "" } else { ", if it is set now" }));
    }
    output::say(format_args!("To be deleted then: {} of {} incidents", row.incidents, row.all_incidents));
    if let (Some(oldest), Some(newest)) = (&row.oldest, &row.newest) {
        output::say(format_args!("Closed: from {oldest} to {newest}"));
        output::say(format_args!("Size of their records: {} bytes", row.bytes));
    }
}

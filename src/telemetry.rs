//! Starts the log, whose lines go to standard error, reports panics, and knows the id of the current request.

mod line;
mod request;

use std::{
    io::{IsTerminal, Write},
    os::{fd::AsFd, unix::fs::MetadataExt},
    sync::OnceLock,
};

use tracing_subscriber::{EnvFilter, fmt};

use self::line::LineFormat;
pub use self::request::{RequestId, current_request, in_request};

/// Settings of the log.
#[derive(Clone, Copy, Debug)]
pub struct LogSettings<'a> {
    /// A level or a list of directives.
    pub level: &'a str,
    /// Whether lines are JSON objects.
    pub json: bool,
    /// Whether requests are logged, whatever the level is.
    pub access: bool,
    /// Value of the variable `JOURNAL_STREAM`.
    pub journal_stream: Option<&'a str>,
}

/// Target of the lines of the access log.
pub const ACCESS: &str = "access";

/// Installs a hook that reports a panic as one line, without a backtrace: in the log, or on standard error before the
/// log is started.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
        let what = panic.payload_as_str().unwrap_or("no message").replace('\n', " ");
        if tracing::dispatcher::has_been_set() {
            tracing::error!("internal error{place}: {what}");
        } else {
            let ignored = writeln!(std::io::stderr(), "argusd: internal error{place}: {what}");
            drop(ignored);
        }
    }));
}

type ReplaceLevel = Box<dyn Fn(&str) + Send + Sync>;

/// Function that replaces the level of the log. Set when the log is started.
static REPLACE_LEVEL: OnceLock<ReplaceLevel> = OnceLock::new();

/// Starts writing log lines. Only the first call has an effect.
pub fn start(settings: LogSettings<'_>) {
    let format = LineFormat {
        json: settings.json,
        colors: std::io::stderr().is_terminal(),
        journal: settings.journal_stream.is_some_and(is_standard_error),
    };
    let log = fmt()
        .with_env_filter(filter(settings.level, settings.access))
        .with_writer(std::io::stderr)
        .event_format(format)
        .with_filter_reloading();
    let (handle, access) = (log.reload_handle(), settings.access);
    if log.try_init().is_ok() {
        REPLACE_LEVEL.get_or_init(|| Box::new(move |level| drop(handle.reload(filter(level, access)))));
    }
}

/// Changes the level of a log that was started.
pub fn set_level(level: &str) {
    if let Some(replace) = REPLACE_LEVEL.get() {
        replace(level);
    }
}

/// Starts writing the warnings and errors of a command.
pub fn start_for_command() {
    start(LogSettings { level: "warn", json: false, access: false, journal_stream: None });
}

fn filter(level: &str, access: bool) -> EnvFilter {
    EnvFilter::try_new(directives(level, access)).unwrap_or_else(|_| EnvFilter::new("info"))
}

fn directives(level: &str, access: bool) -> String {
    // The search library reports each merge, which is of no use to an operator who did not ask for it by name.
    let quiet = if level.contains('=') { "" } else { ",tantivy=warn" };
    let access = if access { ",access=info" } else { "" };
    format!("{level}{quiet}{access}")
}

/// Returns whether `stream`, the device and the inode of a stream in the form `8:1234`, is standard error. systemd sets
/// it for services whose output goes to the journal; processes that they start may write elsewhere.
fn is_standard_error(stream: &str) -> bool {
    let Ok(file) = std::io::stderr().as_fd().try_clone_to_owned().map(std::fs::File::from) else { return false };
    file.metadata().is_ok_and(|metadata| format!("{}:{}", metadata.dev(), metadata.ino()) == stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_access_log_needs_no_level() {
        assert_eq!(directives("warn", false), "warn,tantivy=warn");
        assert_eq!(directives("warn", true), "warn,tantivy=warn,access=info");
        assert_eq!(directives("info,argusd::http=debug", true), "info,argusd::http=debug,access=info");
    }

    #[test]
    fn another_stream_is_not_standard_error() {
        for stream in ["", "x", "0:0", "1:2:3"] {
            assert!(!is_standard_error(stream), "{stream}");
        }
    }
}

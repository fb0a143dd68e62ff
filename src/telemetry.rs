//! Starts the log, whose lines go to standard error, and reports panics.

use std::io::{IsTerminal, Write};

use tracing_subscriber::{EnvFilter, fmt};

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

/// Starts writing log lines. `level` is a level or a list of directives. Only the first call has an effect.
pub fn start(level: &str) {
    // The search library reports each merge, which is of no use to an operator who did not ask for it by name.
    let directives = if level.contains('=') { level.to_owned() } else { format!("{level},tantivy=warn") };
    let filter = EnvFilter::try_new(directives).unwrap_or_else(|_| EnvFilter::new("info"));
    let ignored = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .try_init();
    drop(ignored);
}

//! `argusd version`: the version with its commit and build.

use std::process::ExitCode;

use super::output;

/// Version, commit, profile and target, such as `0.1.0 (commit 0123456789ab, profile ship, x86_64-unknown-linux-gnu)`.
/// The commit of a debug build is unknown, because the build does not depend on it.
pub(super) const TEXT: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("ARGUSD_BUILD_COMMIT"),
    ", profile ",
    env!("ARGUSD_BUILD_PROFILE"),
    ", ",
    env!("ARGUSD_BUILD_TARGET"),
    ")"
);

pub(super) fn run() -> ExitCode {
    output::say(format_args!("argusd {TEXT}"));
    ExitCode::SUCCESS
}

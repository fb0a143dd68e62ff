//! Passes the arguments to the command line and returns its exit code.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Returns freed memory to the system within about ten seconds, which the default allocator does not do after a burst
/// (`docs/PERFORMANCE.md` has the figures).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    argusd::cli::run(std::env::args_os())
}

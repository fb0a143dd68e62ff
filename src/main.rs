//! Arguments in, exit code out.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Gives memory back to the system within some ten seconds after it was freed, which the default one does not do after a
/// burst (`docs/PERFORMANCE.md` has the figures).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    argusd::cli::run(std::env::args_os())
}

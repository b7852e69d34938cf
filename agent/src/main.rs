//! Entry point of `skybridge`.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Bodies of hundreds of kilobytes come and go all the time. After a burst of 132 MiB glibc kept 136
/// MiB for good (measured); jemalloc gives unused pages back within seconds, from a thread of its
/// own, as `.cargo/config.toml` says. It costs 1.3 MiB at rest.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    agent::cli::main()
}

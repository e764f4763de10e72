//! The program `tertulia`.

use std::process::ExitCode;

use clap::Parser as _;
use tertulia::cli::Cli;

/// The C library's allocator keeps up to a tenth more memory each hour that conversations come and go. jemalloc's settings
/// stand in `.cargo/config.toml`, because it reads them when it is built.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    Cli::parse().execute()
}

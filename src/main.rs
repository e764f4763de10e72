//! The program `tertulia`.

use std::process::ExitCode;

use clap::Parser as _;
use tertulia::cli::Cli;

/// With the C library's allocator, memory grows by up to a tenth per hour while conversations come and go. jemalloc's
/// settings are in `.cargo/config.toml`, because it reads them when it is built.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    Cli::parse().execute()
}

//! `tertulia run`: the service.

use std::path::PathBuf;

use crate::config::DEFAULT_FILE;

/// What to run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  TERTULIA_GATEWAY__LISTEN=127.0.0.1:9090 tertulia run --config tertulia.toml")]
pub struct RunOptions {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    pub config: PathBuf,
}

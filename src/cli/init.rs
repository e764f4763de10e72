//! `tertulia init`: a configuration to start from.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, anyhow};

use crate::config::{ConfigurationError, DEFAULT_FILE};

/// The configuration to start from: valid as it stands, without a connection, so that no made-up login is tried.
const TEMPLATE: &str = include_str!("../config/template.toml");

/// Where the configuration is written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tertulia init && tertulia check")]
pub struct InitOptions {
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    pub config: PathBuf,
    /// Print the configuration and write no file
    #[arg(long, conflicts_with_all = ["config", "force"])]
    pub stdout: bool,
    /// Replace the file if it exists
    #[arg(long)]
    pub force: bool,
}

/// Writes the configuration, or prints it.
pub(super) fn execute(options: &InitOptions) -> anyhow::Result<ExitCode> {
    if options.stdout {
        io::stdout().write_all(TEMPLATE.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = options.config.display();
    let mut open = OpenOptions::new();
    open.write(true);
    match options.force {
        true => open.create(true).truncate(true),
        false => open.create_new(true),
    };
    let written = open.open(&options.config).and_then(|mut opened| opened.write_all(TEMPLATE.as_bytes()));
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(anyhow!("{file} already exists; --force replaces it, and --stdout prints the configuration"));
        }
        written => written.with_context(|| format!("cannot write {file}"))?,
    }
    let check = command("check --connect", &options.config);
    writeln!(io::stdout(), "{file}: written; remove the # from [[connections]], name a login, and try it: {check}")?;
    Ok(ExitCode::SUCCESS)
}

/// Converts an error. If the file does not exist, the error also names the command that writes one.
pub(super) fn advise(error: ConfigurationError) -> anyhow::Error {
    match &error {
        ConfigurationError::Unreadable { file, source } if source.kind() == io::ErrorKind::NotFound => {
            let init = command("init", file);
            anyhow!("{error}: {source}; `{init}` writes a configuration, and `tertulia demo` needs none")
        }
        _ => error.into(),
    }
}

/// The command line of a command that concerns `file`.
fn command(command: &str, file: &Path) -> String {
    if file == Path::new(DEFAULT_FILE) {
        return format!("tertulia {command}");
    }
    format!("tertulia {command} --config {}", file.display())
}

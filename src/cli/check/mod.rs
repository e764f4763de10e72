//! `tertulia check`: validates a configuration, and with `--connect` tries each connection.

mod connect;
mod report;

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::PathBuf,
    pin::pin,
    process::ExitCode,
};

use futures_util::StreamExt as _;

use super::init;
use crate::{
    config::{Configuration, ConfigurationError, DEFAULT_FILE, EngineKind, Environment},
    engine::postgres,
    harmless::harmless,
};
use connect::Trial;
use report::Report;

/// Which file to validate.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tertulia check --config tertulia.toml")]
pub struct CheckOptions {
    /// The configuration to validate
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    pub config: PathBuf,
    /// Also try discovery and login of each connection; a running service with the same login must then log in again
    #[arg(long)]
    pub connect: bool,
    /// Print only the result on standard output, as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Prints the result. The exit code is success only if there is no mistake and every tried connection works.
pub(super) fn execute(options: &CheckOptions) -> anyhow::Result<ExitCode> {
    let loaded = Configuration::load(&options.config, &Environment::of_process());
    if options.json {
        return print_json(options, loaded);
    }
    print_lines(options, loaded)
}

/// Prints one line for each mistake, `file:line: path: message`, or one line that confirms the configuration; then,
/// with `--connect`, one line for each connection.
fn print_lines(options: &CheckOptions, loaded: Result<Configuration, ConfigurationError>) -> anyhow::Result<ExitCode> {
    let mut answer = io::stdout();
    match loaded {
        Ok(configuration) => {
            if let Err(error) = check_database(&configuration) {
                writeln!(answer, "{}: engine: {}", options.config.display(), harmless(&format!("{error:#}")))?;
                return Ok(ExitCode::FAILURE);
            }
            writeln!(answer, "{}: ok: {}", options.config.display(), summary(&configuration))?;
            if options.connect {
                actix_rt::System::new().block_on(connect(&configuration))
            } else {
                Ok(ExitCode::SUCCESS)
            }
        }
        Err(mistakes @ ConfigurationError::Mistaken { .. }) => {
            writeln!(answer, "{mistakes}")?;
            Ok(ExitCode::FAILURE)
        }
        Err(unreadable @ ConfigurationError::Unreadable { .. }) => Err(init::advise(unreadable)),
    }
}

/// Prints `connection: ok: …` or `connection: failed: …` for each connection.
async fn connect(configuration: &Configuration) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    let mut trials = pin!(connect::try_all(configuration)?);
    while let Some(Trial { connection, outcome }) = trials.next().await {
        match outcome {
            Ok(done) => writeln!(io::stdout(), "{}: ok: {done}", connection.id)?,
            Err(failure) => {
                let failed = format!("{}: failed: {}", connection.id, failure.with_advice());
                writeln!(io::stdout(), "{}", harmless(&failed))?;
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

/// Prints a [`Report`], whatever is wrong.
fn print_json(options: &CheckOptions, loaded: Result<Configuration, ConfigurationError>) -> anyhow::Result<ExitCode> {
    let report = match loaded.map(|configuration| (check_database(&configuration), configuration)) {
        Ok((Err(error), _)) => Report::unusable(&options.config, &error),
        Ok((Ok(()), configuration)) if options.connect => {
            actix_rt::System::new().block_on(try_for_report(options, &configuration))
        }
        Ok((Ok(()), _)) => Report::valid(&options.config),
        Err(ConfigurationError::Mistaken { file, problems }) => Report::mistaken(&file, problems),
        Err(unreadable @ ConfigurationError::Unreadable { .. }) => {
            Report::unusable(&options.config, &init::advise(unreadable))
        }
    };
    writeln!(io::stdout(), "{}", serde_json::to_string(&report)?)?;
    Ok(if report.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn try_for_report(options: &CheckOptions, configuration: &Configuration) -> Report {
    let trials = match connect::try_all(configuration) {
        Ok(trials) => trials,
        Err(error) => return Report::unusable(&options.config, &error),
    };
    let mut trials = pin!(trials);
    let mut report = Report::tried(&options.config);
    while let Some(trial) = trials.next().await {
        report.add(trial);
    }
    report
}

/// Checks the database of a shared engine: whether it answers, its version, whether it is durable, the user's rights and
/// the schema's form.
fn check_database(configuration: &Configuration) -> anyhow::Result<()> {
    match &configuration.engine.kind {
        EngineKind::Embedded(_) => Ok(()),
        EngineKind::Postgres(engine) => Ok(postgres::check(engine)?),
    }
}

fn summary(configuration: &Configuration) -> String {
    let mut summary = format!("connections: {}, engine: ", configuration.connections.len());
    let _ = match &configuration.engine.kind {
        EngineKind::Embedded(engine) => write!(summary, "embedded in {}", engine.path.display()),
        EngineKind::Postgres(engine) => {
            let is_sealed = configuration.node.as_ref().is_some_and(|node| node.seal.is_some());
            let secrets = if is_sealed { "sealed" } else { "not sealed, see node.seal" };
            write!(summary, "postgres, schema {}, secrets of webhooks and step-ups: {secrets}", engine.schema)
        }
    };
    let gateway = &configuration.gateway;
    let _ = write!(summary, ", gateway: {}, tokens: {}", gateway.listen, gateway.tokens.len());
    summary
}

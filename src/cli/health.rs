//! `tertulia health`: whether a running service is healthy, for images that have no other HTTP client.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, anyhow};
use awc::http::Method;
use tokio::{task::LocalSet, time::timeout};

use super::gateway::{ANSWER_WITHIN, GatewayOptions, LARGEST_PROBLEM};
use crate::harmless::harmless;

/// Which service, and which of its two questions.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tertulia health --ready --url http://127.0.0.1:8080")]
pub struct HealthOptions {
    /// Ask whether the service is ready (/readyz), and not only whether the process is alive (/healthz)
    #[arg(long)]
    pub ready: bool,
    /// Where the service is, and the token to use.
    #[command(flatten)]
    pub gateway: GatewayOptions,
}

/// Prints what the service says. The exit code is success only if the service says yes.
pub(super) fn execute(options: &HealthOptions) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (is_well, said) = LocalSet::new().block_on(&runtime, ask(options))?;
    writeln!(io::stdout(), "{}", harmless(&said))?;
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the response is a success, and its body.
async fn ask(options: &HealthOptions) -> anyhow::Result<(bool, String)> {
    let address = options.gateway.address(if options.ready { "/readyz" } else { "/healthz" });
    let client = options.gateway.client()?;
    let asked = async {
        let sent = options.gateway.request(&client, Method::GET, &address).send().await;
        let mut response = sent.map_err(|error| anyhow!("the request to {address} failed: {error}"))?;
        let body = response.body().limit(LARGEST_PROBLEM).await;
        let body = body.with_context(|| format!("the response of {address} cannot be read"))?;
        Ok((response.status().is_success(), String::from_utf8_lossy(&body).into_owned()))
    };
    timeout(ANSWER_WITHIN, asked).await.map_err(|_| anyhow!("{address} does not answer"))?
}

//! `tertulia health`: whether a running service is alive or ready, for images that have no HTTP client.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, anyhow};
use awc::http::Method;
use tokio::{task::LocalSet, time::timeout};

use super::gateway::{ANSWER_WITHIN, GatewayOptions, LARGEST_PROBLEM};
use crate::harmless::harmless;

/// Which service to check, and for what.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tertulia health --ready --url http://127.0.0.1:8080")]
pub struct HealthOptions {
    /// Check whether the service is ready (/readyz) instead of whether the process is alive (/healthz)
    #[arg(long)]
    pub ready: bool,
    /// Where the service is, and the token to use.
    #[command(flatten)]
    pub gateway: GatewayOptions,
}

/// Prints the body of the response. The exit code is success only if the status of the response is.
pub(super) fn execute(options: &HealthOptions) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (is_success, body) = LocalSet::new().block_on(&runtime, fetch(options))?;
    writeln!(io::stdout(), "{}", harmless(&body))?;
    Ok(if is_success { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the status of the response is a success, and its body.
async fn fetch(options: &HealthOptions) -> anyhow::Result<(bool, String)> {
    let address = options.gateway.address(if options.ready { "/readyz" } else { "/healthz" });
    let client = options.gateway.client()?;
    let exchange = async {
        let sent = options.gateway.request(&client, Method::GET, &address).send().await;
        let mut response = sent.map_err(|error| anyhow!("the request to {address} failed: {error}"))?;
        let body = response.body().limit(LARGEST_PROBLEM).await;
        let body = body.with_context(|| format!("cannot read the response of {address}"))?;
        Ok((response.status().is_success(), String::from_utf8_lossy(&body).into_owned()))
    };
    timeout(ANSWER_WITHIN, exchange).await.map_err(|_| anyhow!("{address} does not answer"))?
}

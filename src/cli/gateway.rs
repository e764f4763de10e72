//! A client of the gateway of a running service, for commands.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use awc::{Client, ClientRequest, ClientResponse, Connector, error::PayloadError, http::Method};
use bytes::Bytes;
use futures_util::Stream;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tertulia_actors::platform::{Platform, PlatformSettings};
use tokio::time::timeout;

use crate::harmless::harmless;

/// How long a gateway may take to respond.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// The most bytes read of a response that is printed.
pub(super) const LARGEST_PROBLEM: usize = 64 * 1024;

/// Where a service's gateway is, and the token to use.
#[derive(Clone, Debug, clap::Args)]
pub struct GatewayOptions {
    /// Address of the service's gateway
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// A token of the gateway, if the gateway requires one; prefer the environment variable to this option
    #[arg(long, value_name = "TOKEN", env = "TERTULIA_TOKEN", hide_env_values = true)]
    pub token: Option<SecretString>,
    /// PEM file of one more certificate authority to trust, for a gateway with https
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// The members of an error response that commands print.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    detail: String,
    code: String,
}

impl GatewayOptions {
    /// A client that trusts the chosen authorities and follows no redirect, so that the token reaches only the gateway.
    pub(super) fn client(&self) -> anyhow::Result<Client> {
        let authorities = self.ca_file.iter().map(|file| {
            fs::read_to_string(file)
                .with_context(|| format!("cannot read the certificate authority in {}", file.display()))
        });
        let authorities = authorities.collect::<anyhow::Result<Vec<_>>>()?;
        let platform = Platform::new(PlatformSettings { authorities, ..PlatformSettings::default() })?;
        let connector = Connector::new().rustls_0_23(Arc::clone(platform.tls())).timeout(ANSWER_WITHIN);
        Ok(Client::builder().connector(connector).disable_timeout().disable_redirects().finish())
    }

    pub(super) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.url.trim_end_matches('/'))
    }

    /// A request with the token, if one is set.
    pub(super) fn request(&self, client: &Client, method: Method, address: &str) -> ClientRequest {
        let request = client.request(method, address);
        match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret().trim()),
            None => request,
        }
    }
}

/// Describes a response that is not a success.
pub(super) async fn refusal<S>(address: &str, mut response: ClientResponse<S>) -> String
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let status = response.status();
    let body = timeout(ANSWER_WITHIN, response.body().limit(LARGEST_PROBLEM)).await;
    let problem = body.ok().and_then(Result::ok).and_then(|body| serde_json::from_slice(&body).ok());
    let Problem { detail, code } = problem.unwrap_or_default();
    let mut why = format!("{address} answered {status}");
    if !detail.is_empty() {
        why.push_str(&format!(": {} ({})", harmless(&detail), harmless(&code)));
    }
    why
}

//! `tertulia mcp`: the tools for models on standard input and output.

use std::process::ExitCode;

use anyhow::Context as _;
use awc::{
    Client,
    error::{PayloadError, SendRequestError},
    http::{Method, header},
};
use rmcp::{serve_server, service::ServerInitializeError, transport::async_rw::AsyncRwTransport};
use tokio::{
    io::{stdin, stdout},
    task::LocalSet,
    time::timeout,
};

use super::{gateway::GatewayOptions, interrupt::Interrupt};
use crate::mcp::{Answer, Call, Interface, LARGEST_ANSWER, Server, Unanswered, WITHIN};

/// The longest message of a client, in bytes. Longer messages are dropped.
const LONGEST_MESSAGE: usize = 1024 * 1024;

/// The service whose tools a model gets.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A client of the Model Context Protocol starts this command itself. With a token of scope read, \
                        tools that act are refused.\n\n\
                        Example:\n  TERTULIA_TOKEN=… tertulia mcp --url http://127.0.0.1:8080"
)]
pub struct McpOptions {
    /// Where the service is, and the token to use.
    #[command(flatten)]
    pub gateway: GatewayOptions,
}

/// Answers the client on standard input until standard input ends, or until SIGINT or SIGTERM.
pub(super) fn execute(options: &McpOptions) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = LocalSet::new().block_on(&runtime, async {
        let mut interrupt = Interrupt::listen().context("cannot listen for signals")?;
        tokio::select! {
            outcome = serve(&options.gateway) => outcome,
            () = interrupt.received() => Ok(()),
        }
    });
    // Does not wait for a blocked read of standard input.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn serve(gateway: &GatewayOptions) -> anyhow::Result<()> {
    let interface = Remote { client: gateway.client()?, gateway: gateway.clone() };
    let transport = AsyncRwTransport::new_server(stdin(), stdout()).with_max_line_length(LONGEST_MESSAGE);
    match serve_server(Server::new(interface), transport).await {
        Ok(running) => drop(running.waiting().await.context("the server failed")?),
        // Standard input ended before the client said anything.
        Err(ServerInitializeError::ConnectionClosed(_)) => {}
        Err(error) => return Err(error).context("the client does not speak the Model Context Protocol"),
    }
    Ok(())
}

/// The endpoints of a gateway, called over HTTP.
struct Remote {
    client: Client,
    gateway: GatewayOptions,
}

impl Interface for Remote {
    async fn call(&self, call: Call) -> Result<Answer, Unanswered> {
        let address = self.gateway.address(&call.path);
        let method = if call.acting.is_some() { Method::POST } else { Method::GET };
        let request = self.gateway.request(&self.client, method, &address);
        let answering = async {
            let sent = match &call.acting {
                Some(acting) => {
                    let request =
                        request.content_type("application/json").insert_header(("idempotency-key", &*acting.key));
                    request.insert_header((header::ACCEPT, "application/json")).send_body(acting.body.to_string()).await
                }
                None => request.send().await,
            };
            let mut response = sent.map_err(unsent)?.timeout(WITHIN);
            let status = response.status().as_u16();
            let body = response.body().limit(LARGEST_ANSWER).await.map_err(unread)?;
            Ok(Answer::new(status, &body))
        };
        let late = || Unanswered::NoAnswer(format!("it took more than {} s", WITHIN.as_secs()));
        timeout(WITHIN, answering).await.unwrap_or_else(|_| Err(late()))
    }

    /// The gateway knows the scope of the token, and refuses what the scope does not permit.
    fn may_act(&self) -> bool {
        true
    }
}

fn unsent(error: SendRequestError) -> Unanswered {
    match error {
        SendRequestError::Url(_) | SendRequestError::Http(_) | SendRequestError::Connect(_) => {
            Unanswered::NotSent(error.to_string())
        }
        _ => Unanswered::NoAnswer(error.to_string()),
    }
}

fn unread(error: PayloadError) -> Unanswered {
    match error {
        PayloadError::Overflow => Unanswered::TooLarge,
        _ => Unanswered::NoAnswer(error.to_string()),
    }
}

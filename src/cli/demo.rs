//! `tertulia demo`: the main job, on an embedded platform stand-in.

use std::net::SocketAddr;

use super::{Faults, loopback_address};

/// Conversations that one bot holds unless told otherwise.
const CONVERSATIONS_PER_BOT: u32 = 250;

/// How much to show, and under which conditions.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tertulia demo --conversations 5000 --faults flaky --json")]
pub struct DemoOptions {
    /// Conversations to hold at once
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub conversations: u32,
    /// Bot connections that answer [default: conversations / 250, at least 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    bots: Option<u32>,
    /// Messages that each consumer sends
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub messages: u32,
    /// Seconds to go on sending, instead of a number of messages
    #[arg(long, value_name = "S", conflicts_with = "messages", value_parser = clap::value_parser!(u64).range(1..))]
    pub duration: Option<u64>,
    /// How badly the platform stand-in behaves
    #[arg(long, value_name = "MODE", default_value = "none")]
    pub faults: Faults,
    /// Where the gateway and the dashboard listen, on loopback; port 0 picks a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", value_parser = loopback_address)]
    pub listen: SocketAddr,
    /// Print the summary as one JSON object, alone on standard output
    #[arg(long)]
    pub json: bool,
    /// Stay up until interrupted
    #[arg(long)]
    pub keep: bool,
}

impl DemoOptions {
    /// Number of bot connections, at least 1.
    pub fn bots(&self) -> u32 {
        self.bots.unwrap_or_else(|| (self.conversations / CONVERSATIONS_PER_BOT).max(1))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: DemoOptions,
    }

    fn parse(arguments: &[&str]) -> Result<DemoOptions, clap::Error> {
        Line::try_parse_from([&["demo"], arguments].concat()).map(|line| line.options)
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let options = parse(&[]).unwrap();
        assert_eq!((options.conversations, options.bots(), options.messages, options.duration), (1000, 4, 10, None));
        assert_eq!(options.faults, Faults::None);
        assert!(options.listen.ip().is_loopback() && !options.json && !options.keep);
    }

    #[test]
    fn there_is_at_least_one_bot() {
        assert_eq!(parse(&["--conversations", "3"]).unwrap().bots(), 1);
        assert_eq!(parse(&["--conversations", "3", "--bots", "2"]).unwrap().bots(), 2);
        assert!(parse(&["--bots", "0"]).is_err());
    }

    #[test]
    fn a_duration_stands_instead_of_a_number_of_messages() {
        assert_eq!(parse(&["--duration", "5"]).unwrap().duration, Some(5));
        assert!(parse(&["--duration", "5", "--messages", "5"]).is_err());
    }

    #[test]
    fn the_gateway_of_a_demo_has_no_tokens_and_stays_on_loopback() {
        assert!(parse(&["--listen", "0.0.0.0:8080"]).is_err());
        assert!(parse(&["--listen", "[::1]:0"]).is_ok());
    }
}

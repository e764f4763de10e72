//! A stand-in for the UMS messaging platform on loopback: discovery, login, identity, the brand's and the
//! consumer's websockets, routing, surveys, files, faults on purpose, and a ledger of what really happened.
//!
//! Any UMS client can be developed against it, in any language; nothing in it shares code with Tertulia's own
//! client, so that a mistake in one idea of the protocol is not repeated on both ends of the wire.
//!
//! ```no_run
//! use tertulia_emulator::{Emulator, EmulatorConfig};
//!
//! let emulator = Emulator::start(EmulatorConfig::default())?;
//! emulator.write_ca("emulator-ca.pem")?;
//! let conversation = emulator.create_conversation(None, None);
//! emulator.say(&conversation, "hello")?;
//! assert_eq!(emulator.summary().consumer_messages, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod account;
mod client_properties;
mod config;
mod connector;
mod control;
mod dialect;
mod early_hints;
mod emulator;
mod faults;
mod files;
mod http;
mod hub;
mod identity;
mod ledger;
mod network;
mod platform;
pub mod protocol {
    #![doc = include_str!("../../../actors/core/src/reference/protocol.md")]
}
pub mod rules {
    #![doc = include_str!("../../../actors/core/src/reference/rules.md")]
}
mod socket;
mod tls;
mod traffic;

pub use config::{EmulatorConfig, HistoryBound, HistoryReaders, Limits, StateCloseSurvey, Switches, TtrDefaults};
pub use connector::{AppEndpoint, AppInstall, EVENT_TYPES, SignatureKind};
pub use emulator::{Emulator, Refused, StartError};
pub use faults::{Fault, FaultKind, FaultMode, FaultRule, HowOften, Outcome, RuleCounts, RuleError, RuleId, Side};
pub use hub::UserSessions;
pub use ledger::{ChangeRequest, Ledger, LedgerEntry, LedgerSummary, SessionCount};
pub use network::NetworkSettings;
pub use traffic::{TrafficProgress, TrafficSpec};

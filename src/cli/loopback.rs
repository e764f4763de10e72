//! Addresses that other machines must not reach, because their callers may do everything.

use std::net::SocketAddr;

/// Parses a loopback address with a port.
pub(super) fn loopback_address(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "expected an IP address with a port".to_owned())?;
    if address.ip().is_loopback() { Ok(address) } else { Err("expected a loopback address".to_owned()) }
}

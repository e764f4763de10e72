//! Addresses that must not be reached from other machines, because whoever reaches them may do everything.

use std::net::SocketAddr;

/// A loopback address with a port.
pub(super) fn loopback_address(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| "expected an IP address with a port".to_owned())?;
    if address.ip().is_loopback() { Ok(address) } else { Err("expected a loopback address".to_owned()) }
}

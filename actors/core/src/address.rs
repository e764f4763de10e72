//! Which addresses a caller must not be able to reach: those of this machine and of the private networks around it.
//!
//! A caller of the gateway chooses the addresses of webhooks, and may be less trusted than the gateway's network.
//! Therefore every address that is not clearly on the public internet counts as internal, including addresses that
//! embed another address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns whether an address is internal.
#[must_use]
pub fn is_internal(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_internal_v4(address),
        IpAddr::V6(address) => is_internal_v6(address),
    }
}

/// The special-purpose registry of RFC 6890, and the address at which Azure's machines reach their host.
fn is_internal_v4(address: Ipv4Addr) -> bool {
    const AZURE_HOST: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
    if address == AZURE_HOST {
        return true;
    }
    match address.octets() {
        // This network, private use, loopback.
        [0 | 10 | 127, ..] => true,
        // Shared by carriers, and the metadata of some clouds.
        [100, 64..=127, ..] => true,
        // Link-local, and the metadata of most clouds.
        [169, 254, ..] => true,
        [172, 16..=31, ..] | [192, 168, ..] => true,
        // Protocols, documentation, relays of 6to4, benchmarks.
        [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [192, 88, 99, _] | [198, 18..=19, ..] => true,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    }
}

fn is_internal_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Mapped, and by the well-known prefix of NAT64.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_internal_v4(embedded(high, low))
        }
        // 6to4.
        [0x2002, high, low, ..] => is_internal_v4(embedded(high, low)),
        // Teredo, benchmarks and other protocols; documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => true,
        // Only this part is given out as global unicast.
        [first, ..] => first & 0xe000 != 0x2000,
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERNAL: [&str; 52] = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.0.1",
        "169.254.169.254",
        "169.254.170.2",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:8.8.8.8",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::8.8.8.8",
        "100::1",
        "2001::1",
        "2001:0:5ef5:79fd:1:2:3:4",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ];
    const PUBLIC: [&str; 16] = [
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "168.63.129.17",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.1",
        "192.167.255.255",
        "223.255.255.255",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
        "2606:4700:4700::1111",
    ];

    #[test]
    fn what_is_not_plainly_public_is_internal() {
        for address in INTERNAL {
            assert!(is_internal(address.parse().unwrap()), "{address}");
        }
        for address in PUBLIC {
            assert!(!is_internal(address.parse().unwrap()), "{address}");
        }
    }
}

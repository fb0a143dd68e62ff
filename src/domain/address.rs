//! Network addresses of clients as limits count them: an IPv4 address, or an IPv6 network of 64 bits.

use std::net::{IpAddr, Ipv6Addr};

/// Returns an IPv4 address unchanged, and of an IPv6 address its network of 64 bits, all of which one host may have.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

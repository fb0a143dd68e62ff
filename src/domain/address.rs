//! Network addresses of clients, as limits count them: an IPv4 address, or an IPv6 network of 64 bits.

use std::net::{IpAddr, Ipv6Addr};

/// The address itself, or the network of 64 bits of an IPv6 address, since one host may have all of that.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

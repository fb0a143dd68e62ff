//! Addresses to which requests may be sent. Those where clouds keep credentials of machines are never permitted.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns whether requests may be sent to an address. `private`: whether this host and private networks are permitted.
pub(super) fn is_allowed(address: IpAddr, private: bool) -> bool {
    match address {
        IpAddr::V4(address) => is_allowed_v4(address, private),
        IpAddr::V6(address) => match v4_within(address) {
            Some(inner) => is_allowed_v4(inner, private),
            None => is_allowed_v6(address, private),
        },
    }
}

/// Returns whether an address is this host, in a private network, or in another one that the internet does not route
/// to.
pub(super) fn is_private(address: IpAddr) -> bool {
    !is_allowed(address, false)
}

fn is_allowed_v4(address: Ipv4Addr, private: bool) -> bool {
    // Some clouds have their metadata, or the service that issues machine credentials, here instead of on a link-local
    // address.
    const OTHER_METADATA: [Ipv4Addr; 3] =
        [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192), Ipv4Addr::new(168, 63, 129, 16)];
    let [first, second, third, _] = address.octets();
    let of_carrier = first == 100 && (64..128).contains(&second);
    let of_laboratory = first == 198 && matches!(second, 18 | 19);
    let of_protocols = (first, second, third) == (192, 0, 0);
    let is_reserved = first == 0 || first >= 240;
    let here =
        address.is_loopback() || address.is_private() || of_carrier || of_laboratory || of_protocols || is_reserved;
    let never = address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || OTHER_METADATA.contains(&address);
    !never && (private || !here)
}

fn is_allowed_v6(address: Ipv6Addr, private: bool) -> bool {
    const METADATA: [Ipv6Addr; 2] =
        [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];
    // A network's own translators put the IPv4 address into the last 32 bits.
    if let [0x64, 0xff9b, 1, _, _, _, high, low] = address.segments() {
        return private && is_allowed_v4(v4(high, low), true);
    }
    let is_site_local = address.segments()[0] & 0xffc0 == 0xfec0;
    let here = address.is_loopback() || address.is_unspecified() || address.is_unique_local() || is_site_local;
    let never = address.is_unicast_link_local() || address.is_multicast() || METADATA.contains(&address);
    !never && (private || !here)
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

/// Returns the IPv4 address that this one stands for: mapped, compatible, translated or tunneled.
fn v4_within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(v4(high, low)),
        [0x2001, 0, .., high, low] => Some(v4(!high, !low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_and_link_local_addresses_are_out_of_bounds() {
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "100.100.100.200",
            "168.63.129.16",
            "fd20:ce::254",
            "64:ff9b:1::169.254.169.254",
            "64:ff9b:1:2:3:4:a83f:8110",
            "::ffff:0:169.254.169.254",
            "2001:0:1:2:3:4:5601:5601",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
        ] {
            assert!(!is_allowed(address.parse().unwrap(), true), "{address}");
        }
    }

    #[test]
    fn private_networks_are_a_matter_of_choice() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "::",
            "fd12::1",
            "fec0::1",
            "feff::1",
            "198.18.0.1",
            "198.19.255.255",
            "192.0.0.8",
            "240.0.0.1",
            "64:ff9b:1::8.8.8.8",
            "64:ff9b::10.0.0.1",
            "2001:0:1:2:3:4:80ff:fffe",
            "::ffff:127.0.0.1",
        ] {
            let address = address.parse().unwrap();
            assert!(is_allowed(address, true), "{address}");
            assert!(!is_allowed(address, false) && is_private(address), "{address}");
        }
        for address in ["192.0.2.1", "8.8.8.8", "2001:db8::1", "172.32.0.1", "198.20.0.1", "64:ff9b::8.8.8.8"] {
            assert!(is_allowed(address.parse().unwrap(), false), "{address}");
        }
    }
}

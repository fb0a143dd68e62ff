//! Observes forwarding headers of requests, so that `argusd doctor` can say that a proxy is not trusted.

use std::{
    net::IpAddr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Forwarding headers that were seen since the start. Only peers on this host and in private networks count: everybody else can send these
/// headers, too, and is no proxy of ours.
#[derive(Debug, Default)]
pub struct Forwarding {
    untrusted: Mutex<Option<IpAddr>>,
    is_https: AtomicBool,
}

impl Forwarding {
    /// Notes a request with `X-Forwarded-For`, and whether its client used https.
    pub(super) fn note(&self, peer: IpAddr, is_trusted: bool, is_https: bool) {
        if !is_trusted && !is_near(peer) {
            return;
        }
        if is_https && !self.is_https.load(Ordering::Relaxed) {
            self.is_https.store(true, Ordering::Relaxed);
        }
        if !is_trusted {
            *self.untrusted.lock().unwrap_or_else(PoisonError::into_inner) = Some(peer);
        }
    }

    /// Returns the last peer that sent forwarding headers although it is not trusted.
    #[must_use]
    pub fn untrusted(&self) -> Option<IpAddr> {
        *self.untrusted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether clients reach a proxy by https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.is_https.load(Ordering::Relaxed)
    }
}

fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_peers_are_taken_for_proxies() {
        let seen = |peer: &str, is_trusted| {
            let forwarding = Forwarding::default();
            forwarding.note(peer.parse().unwrap(), is_trusted, true);
            (forwarding.untrusted().is_some(), forwarding.is_https())
        };
        for peer in ["127.0.0.1", "10.1.2.3", "192.168.0.1", "::1", "fd00::1"] {
            assert_eq!(seen(peer, false), (true, true), "{peer}");
        }
        assert_eq!(seen("192.0.2.1", false), (false, false), "anybody");
        assert_eq!(seen("192.0.2.1", true), (false, true), "a proxy that is trusted");
    }
}

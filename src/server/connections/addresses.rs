//! Counts the connections of each address, so that one address cannot take all of them.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustc_hash::FxHashMap;

use crate::domain::address::network;
use crate::http::Network;

/// Numbers of connections by address. IPv6 is counted by networks of 64 bits, which usually belong to one customer.
/// Cheap to clone.
#[derive(Clone)]
pub(super) struct AddressCounts {
    most: usize,
    trusted: Arc<[Network]>,
    connections: Arc<Mutex<FxHashMap<IpAddr, usize>>>,
}

/// One connection of an address, counted until it is dropped.
pub(super) struct CountedAddress {
    /// `None`: a trusted proxy or a client without an address, which are not counted.
    counted: Option<(IpAddr, AddressCounts)>,
}

impl AddressCounts {
    pub(super) fn new(most: usize, trusted: &[Network]) -> Self {
        Self { most, trusted: trusted.into(), connections: Arc::default() }
    }

    /// Counts a connection. `None`: the address has as many as it may have. A client of a Unix socket has no address,
    /// and is not counted: it is a proxy or a process on this host.
    pub(super) fn admit(&self, peer: Option<IpAddr>) -> Option<CountedAddress> {
        let Some(peer) = peer else { return Some(CountedAddress { counted: None }) };
        if self.trusted.iter().any(|network| network.contains(peer)) {
            return Some(CountedAddress { counted: None });
        }
        let address = network(peer);
        let mut connections = self.connections();
        let count = connections.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(CountedAddress { counted: Some((address, self.clone())) })
    }

    fn connections(&self) -> MutexGuard<'_, FxHashMap<IpAddr, usize>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CountedAddress {
    fn drop(&mut self) {
        let Some((address, addresses)) = &self.counted else { return };
        let mut connections = addresses.connections();
        match connections.get_mut(address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(connections.remove(address)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_its_share_only() {
        let addresses = AddressCounts::new(2, &["10.0.0.0/8".parse().unwrap()]);
        let admit = |address: &str| addresses.admit(Some(address.parse().unwrap()));
        let local: Vec<_> = (0..9).map(|_| addresses.admit(None)).collect();
        assert!(local.iter().all(Option::is_some));
        let first = admit("192.0.2.1");
        let second = admit("::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(admit("192.0.2.1").is_none());
        assert!(admit("192.0.2.2").is_some());
        let proxied: Vec<_> = (0..9).map(|_| admit("10.1.2.3")).collect();
        assert!(proxied.iter().all(Option::is_some));
        drop(second);
        let again = admit("192.0.2.1");
        assert!(again.is_some() && admit("192.0.2.1").is_none());
        let neighbours = [admit("2001:db8::1"), admit("2001:db8::2")];
        assert!(neighbours.iter().all(Option::is_some) && admit("2001:db8::3").is_none());
        drop((first, again, neighbours));
        assert!(addresses.connections().is_empty());
    }
}

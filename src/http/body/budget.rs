//! Memory for request bodies: one sum for all connections, divided fairly when it runs short.
//!
//! A body is charged as its bytes arrive, so announcing a large one costs others nothing. When the sum is reached, the
//! holder of most memory yields: if that would be the holder of the body that needs more, this body is refused;
//! otherwise a body that the largest holder is still sending is dropped. So nobody can keep others out by sending
//! slowly.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustc_hash::FxHashMap;
use tokio::sync::Notify;

use crate::domain::{UserId, address::network, limits};

/// User or address that is charged for a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    User(UserId),
    /// Address of a client without credentials. For IPv6 the network of 64 bits, which usually belongs to one customer.
    Address(Option<IpAddr>),
}

impl Holder {
    #[must_use]
    pub fn of_address(address: Option<IpAddr>) -> Self {
        Self::Address(address.map(network))
    }
}

/// Error: there is no memory for this body. The client may retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

/// Bounds of the budget, in bytes.
#[derive(Clone, Copy, Debug)]
struct BudgetBounds {
    all: usize,
    large: usize,
    per_holder: usize,
}

/// Handle of the budget; clones share it.
#[derive(Clone)]
pub struct Budget {
    bounds: BudgetBounds,
    state: Arc<Mutex<BudgetState>>,
}

#[derive(Default)]
struct BudgetState {
    bytes: usize,
    of_holders: FxHashMap<Holder, usize>,
    bodies: FxHashMap<u64, BudgetEntry>,
    last: u64,
}

struct BudgetEntry {
    holder: Holder,
    bytes: usize,
    /// Notified when the body is dropped. `None` once the body has been received, when it can no longer be dropped.
    receiving: Option<Arc<Notify>>,
}

impl Default for Budget {
    fn default() -> Self {
        Self::with(BudgetBounds {
            all: limits::BODIES_BYTES,
            large: limits::LARGE_BODIES_BYTES,
            per_holder: limits::BODIES_BYTES_PER_HOLDER,
        })
    }
}

impl Budget {
    fn with(bounds: BudgetBounds) -> Self {
        Self { bounds, state: Arc::default() }
    }

    /// Opens a charge of 0 bytes for one request.
    #[must_use]
    pub fn open(&self, holder: Holder) -> Charge {
        let dropped = Arc::new(Notify::new());
        let mut state = self.state();
        state.last += 1;
        let id = state.last;
        state.bodies.insert(id, BudgetEntry { holder, bytes: 0, receiving: Some(Arc::clone(&dropped)) });
        drop(state);
        Charge { budget: self.clone(), id, dropped }
    }

    fn state(&self) -> MutexGuard<'_, BudgetState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.state().bytes
    }
}

/// Memory that one request holds, in the budget. Released on drop.
pub struct Charge {
    budget: Budget,
    id: u64,
    dropped: Arc<Notify>,
}

impl Charge {
    /// Charges `holder` for this request from now on.
    pub fn assign(&self, holder: Holder) {
        let mut state = self.budget.state();
        let Some(entry) = state.bodies.get_mut(&self.id) else { return };
        let (before, bytes) = (std::mem::replace(&mut entry.holder, holder), entry.bytes);
        state.take(before, bytes);
        state.give(holder, bytes);
    }

    /// Raises the charge of this request to `bytes`, while its body is `length` bytes long.
    ///
    /// # Errors
    ///
    /// There is no memory left, or the body was dropped in favor of others; then nothing more can be charged.
    pub fn raise(&self, bytes: usize, length: usize) -> Result<(), Exhausted> {
        let bounds = self.budget.bounds;
        let most = if length <= limits::SMALL_BODY_BYTES { bounds.all } else { bounds.large };
        let mut state = self.budget.state();
        loop {
            let entry = state.bodies.get(&self.id).ok_or(Exhausted)?;
            let (holder, more) = (entry.holder, bytes.saturating_sub(entry.bytes));
            let of_holder = state.of_holders.get(&holder).copied().unwrap_or(0).saturating_add(more);
            if more > 0 && of_holder > bounds.per_holder {
                return Err(Exhausted);
            }
            if more == 0 || state.bytes.saturating_add(more) <= most {
                state.give(holder, more);
                if let Some(entry) = state.bodies.get_mut(&self.id) {
                    entry.bytes += more;
                }
                return Ok(());
            }
            let victim = state.largest_received().filter(|(id, held)| *id != self.id && *held > of_holder);
            match victim {
                Some((id, _)) => state.remove(id),
                None => return Err(Exhausted),
            }
        }
    }

    /// Marks the body as received. It is held until this charge is dropped.
    ///
    /// # Errors
    ///
    /// The body was dropped in favor of others.
    pub fn received(&self) -> Result<(), Exhausted> {
        let mut state = self.budget.state();
        state.bodies.get_mut(&self.id).ok_or(Exhausted)?.receiving = None;
        Ok(())
    }

    /// Waits until the body is dropped in favor of others.
    pub async fn dropped(&self) {
        self.dropped.notified().await;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.state().remove(self.id);
    }
}

impl BudgetState {
    fn give(&mut self, holder: Holder, bytes: usize) {
        self.bytes += bytes;
        *self.of_holders.entry(holder).or_default() += bytes;
    }

    fn take(&mut self, holder: Holder, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        let left = self.of_holders.get(&holder).map_or(0, |held| held.saturating_sub(bytes));
        if left == 0 {
            self.of_holders.remove(&holder);
        } else {
            self.of_holders.insert(holder, left);
        }
    }

    /// Returns the largest body that is being received of the largest such holder, and the bytes of that holder in all.
    fn largest_received(&self) -> Option<(u64, usize)> {
        let receiving = self.bodies.iter().filter(|(_, entry)| entry.receiving.is_some() && entry.bytes > 0);
        let held = |entry: &BudgetEntry| self.of_holders.get(&entry.holder).copied().unwrap_or(0);
        receiving.max_by_key(|(id, entry)| (held(entry), entry.bytes, **id)).map(|(id, entry)| (*id, held(entry)))
    }

    fn remove(&mut self, id: u64) {
        let Some(entry) = self.bodies.remove(&id) else { return };
        self.take(entry.holder, entry.bytes);
        if let Some(dropped) = entry.receiving {
            dropped.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: BudgetBounds = BudgetBounds { all: 1_000_000, large: 900_000, per_holder: 500_000 };
    /// Lengths of bodies.
    const SMALL: usize = 100;
    const LARGE: usize = limits::SMALL_BODY_BYTES + 1;

    fn user(id: u64) -> Holder {
        Holder::User(UserId(id))
    }

    fn is_dropped(charge: &Charge) -> bool {
        charge.received() == Err(Exhausted)
    }

    #[test]
    fn what_is_dropped_is_given_back() {
        let budget = Budget::with(BOUNDS);
        let charge = budget.open(Holder::of_address(None));
        assert_eq!(charge.raise(1_000, LARGE), Ok(()));
        assert_eq!(charge.raise(500, LARGE), Ok(()), "a charge is never lowered");
        assert_eq!(budget.bytes(), 1_000);
        charge.assign(user(1));
        assert_eq!(budget.state().of_holders, FxHashMap::from_iter([(user(1), 1_000)]));
        drop(charge);
        assert_eq!(budget.bytes(), 0);
        assert!(budget.state().of_holders.is_empty() && budget.state().bodies.is_empty());
    }

    #[test]
    fn one_user_cannot_have_all() {
        let budget = Budget::with(BOUNDS);
        let charges: Vec<Charge> = (0..6).map(|_| budget.open(user(1))).collect();
        let taken = charges.iter().filter(|charge| charge.raise(100_000, LARGE).is_ok()).count();
        assert_eq!(taken, 5);
        assert_eq!(budget.open(user(2)).raise(400_000, LARGE), Ok(()));
    }

    #[tokio::test]
    async fn whoever_holds_most_gives_way() {
        let budget = Budget::with(BOUNDS);
        let greedy: Vec<Charge> = (0..5).map(|_| budget.open(user(1))).collect();
        let modest: Vec<Charge> = (0..4).map(|_| budget.open(user(2))).collect();
        for charge in greedy.iter().chain(&modest) {
            assert_eq!(charge.raise(100_000, LARGE), Ok(()));
        }
        let newcomer = budget.open(user(3));
        assert_eq!(newcomer.raise(100_000, LARGE), Ok(()));
        assert_eq!(greedy.iter().filter(|charge| is_dropped(charge)).count(), 1);
        assert!(!modest.iter().any(is_dropped));
        let dropped = greedy.iter().find(|charge| is_dropped(charge)).unwrap();
        dropped.dropped().await;
        assert_eq!(dropped.raise(1, LARGE), Err(Exhausted), "it does not come back");
        assert_eq!(budget.bytes(), 900_000);
    }

    #[test]
    fn what_has_been_received_stays() {
        let budget = Budget::with(BOUNDS);
        let received: Vec<Charge> = (1..4).map(|id| budget.open(user(id))).collect();
        for charge in &received {
            assert_eq!(charge.raise(300_000, LARGE), Ok(()));
            assert_eq!(charge.received(), Ok(()));
        }
        assert_eq!(budget.open(user(9)).raise(1_000, LARGE), Err(Exhausted));
        assert!(!received.iter().any(is_dropped));
    }

    #[test]
    fn small_bodies_get_in_where_large_ones_do_not() {
        let budget = Budget::with(BOUNDS);
        let large: Vec<Charge> = (1..4).map(|id| budget.open(user(id))).collect();
        for charge in &large {
            assert_eq!(charge.raise(300_000, LARGE), Ok(()));
            assert_eq!(charge.received(), Ok(()));
        }
        let small = budget.open(user(9));
        assert_eq!(small.raise(10_000, SMALL), Ok(()));
        assert_eq!(small.raise(40_000, LARGE), Err(Exhausted), "it has grown");
    }

    #[test]
    fn neighbours_in_a_network_are_one() {
        let holder = |address: &str| Holder::of_address(Some(address.parse().unwrap()));
        assert_eq!(holder("2001:db8:1:2::1"), holder("2001:db8:1:2:ffff::9"));
        assert_ne!(holder("2001:db8:1:2::1"), holder("2001:db8:1:3::1"));
        assert_eq!(holder("::ffff:192.0.2.1"), holder("192.0.2.1"));
        assert_ne!(holder("192.0.2.1"), holder("192.0.2.2"));
    }
}

//! Limits on how much a user may have open at once, for each user and for all users together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;

use crate::domain::UserId;

/// A limited number of slots. Cheap to clone.
#[derive(Clone)]
pub struct Slots {
    inner: Arc<SlotState>,
}

struct SlotState {
    limit: usize,
    limit_per_user: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    count: usize,
    by_user: FxHashMap<UserId, usize>,
}

/// Reason for which no slot is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSlot {
    /// All slots are taken.
    Full,
    /// The user has taken all slots that one user may have.
    FullForUser,
}

/// A slot that is taken until this is dropped.
pub struct Slot {
    inner: Arc<SlotState>,
    user: UserId,
}

impl Slots {
    #[must_use]
    pub fn new(limit: usize, limit_per_user: usize) -> Self {
        Self { inner: Arc::new(SlotState { limit, limit_per_user, taken: Mutex::default() }) }
    }

    /// Takes a slot, without waiting.
    ///
    /// # Errors
    /// The limit that is reached. The limit of the user is checked first.
    pub fn take(&self, user: UserId) -> Result<Slot, NoSlot> {
        let mut taken = self.inner.taken();
        let own = taken.by_user.get(&user).copied().unwrap_or_default();
        if own >= self.inner.limit_per_user {
            return Err(NoSlot::FullForUser);
        }
        if taken.count >= self.inner.limit {
            return Err(NoSlot::Full);
        }
        taken.count += 1;
        taken.by_user.insert(user, own + 1);
        Ok(Slot { inner: Arc::clone(&self.inner), user })
    }

    /// Returns the number of taken slots.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.inner.taken().count
    }
}

impl SlotState {
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.inner.taken();
        taken.count -= 1;
        if let Some(own) = taken.by_user.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                taken.by_user.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_hold_and_places_are_given_back() {
        let slots = Slots::new(3, 2);
        let (ann, bob) = (UserId(1), UserId(2));
        let first = slots.take(ann).ok().unwrap();
        let second = slots.take(ann).ok().unwrap();
        assert_eq!(slots.take(ann).err(), Some(NoSlot::FullForUser));
        let third = slots.take(bob).ok().unwrap();
        assert_eq!(slots.take(bob).err(), Some(NoSlot::Full));
        drop(first);
        assert!(slots.take(bob).is_ok());
        assert!(slots.take(ann).is_ok());
        drop((second, third));
        assert_eq!(slots.taken(), 0);
        assert!(slots.inner.taken().by_user.is_empty());
    }
}

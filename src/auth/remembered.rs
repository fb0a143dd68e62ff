//! Passwords that were right a short while ago, so that clients that send their password with each request need not
//! wait for argon2 each time. They are in memory only, under a keyed hash, and valid only for the network that they
//! came from, so others cannot use them to find out whether a guess is right.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::Mutex as Turn;

use crate::clock::random_bytes;
use crate::domain::{
    MonotonicTime, User, UserId,
    address::network,
    limits::{PASSWORD_REMEMBERED_FOR, PASSWORDS_REMEMBERED},
};

/// Key under which a name and a password are remembered. It is useless without the secret key of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

pub struct Remembered {
    key: [u8; 32],
    known: Mutex<HashMap<Fingerprint, RememberedToken>>,
    turns: Mutex<HashMap<Fingerprint, Weak<Turn<()>>>>,
}

struct RememberedToken {
    user: UserId,
    /// The hash that the password matched. If the user has another one, the password was changed.
    password_hash: String,
    until: MonotonicTime,
}

impl Default for Remembered {
    fn default() -> Self {
        Self { key: random_bytes(), known: Mutex::default(), turns: Mutex::default() }
    }
}

impl Remembered {
    #[must_use]
    pub fn fingerprint(&self, username: &str, password: &str, peer: Option<IpAddr>) -> Fingerprint {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else { return Fingerprint([0; 32]) };
        match peer.map(network) {
            None => mac.update(&[0]),
            Some(IpAddr::V4(address)) => mac.update(&[&[4][..], &address.octets()].concat()),
            Some(IpAddr::V6(address)) => mac.update(&[&[6][..], &address.octets()].concat()),
        }
        mac.update(&(username.len() as u64).to_be_bytes());
        mac.update(username.as_bytes());
        mac.update(password.as_bytes());
        Fingerprint(mac.finalize().into_bytes().into())
    }

    /// Returns whether this password was right and still matches the user.
    #[must_use]
    pub fn knows(&self, fingerprint: Fingerprint, user: &User, now: MonotonicTime) -> bool {
        lock(&self.known).get(&fingerprint).is_some_and(|known| {
            known.until > now && known.user == user.id && user.password_hash.as_ref() == Some(&known.password_hash)
        })
    }

    /// Remembers a password that was right.
    pub fn remember(&self, fingerprint: Fingerprint, user: &User, now: MonotonicTime) {
        let Some(password_hash) = user.password_hash.clone() else { return };
        let mut known = lock(&self.known);
        if known.len() >= PASSWORDS_REMEMBERED {
            known.retain(|_, known| known.until > now);
            if known.len() >= PASSWORDS_REMEMBERED {
                known.clear();
            }
        }
        let life = i64::try_from(PASSWORD_REMEMBERED_FOR.as_micros()).unwrap_or(i64::MAX);
        known.insert(
            fingerprint,
            RememberedToken { user: user.id, password_hash, until: now.saturating_add_micros(life) },
        );
    }

    /// Returns a lock for checking this password. Other requests with the same password wait for it and then find the
    /// password remembered, so a client with many connections counts as one attempt.
    #[must_use]
    pub fn turn(&self, fingerprint: Fingerprint) -> Arc<Turn<()>> {
        let mut turns = lock(&self.turns);
        if let Some(turn) = turns.get(&fingerprint).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::new(Turn::new(()));
        turns.insert(fingerprint, Arc::downgrade(&turn));
        turn
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    const NOW: MonotonicTime = MonotonicTime::from_micros(1_700_000_000_000_000);

    fn user(id: u64, password_hash: &str) -> User {
        User {
            id: UserId(id),
            username: "ann".to_owned(),
            password_hash: Some(password_hash.to_owned()),
            first_name: String::new(),
            last_name: String::new(),
            email: String::new(),
            is_staff: false,
            is_superuser: false,
            is_active: true,
            created: Timestamp::MIN,
            grants: Vec::new(),
        }
    }

    #[test]
    fn knows_a_password_for_a_short_while_and_until_it_is_changed() {
        let remembered = Remembered::default();
        let (ann, print) = (user(1, "hash"), remembered.fingerprint("ann", "secret", None));
        assert!(!remembered.knows(print, &ann, NOW));
        remembered.remember(print, &ann, NOW);
        assert!(remembered.knows(print, &ann, NOW));
        assert!(!remembered.knows(print, &user(1, "other hash"), NOW));
        assert!(!remembered.knows(print, &user(2, "hash"), NOW));
        assert!(!remembered.knows(remembered.fingerprint("ann", "wrong", None), &ann, NOW));
        let later = NOW.saturating_add_micros(PASSWORD_REMEMBERED_FOR.as_micros() as i64);
        assert!(!remembered.knows(print, &ann, later));
    }

    #[test]
    fn name_and_password_do_not_run_into_each_other() {
        let remembered = Remembered::default();
        assert_ne!(remembered.fingerprint("ann", "abc", None), remembered.fingerprint("anna", "bc", None));
        let from = |address: &str| remembered.fingerprint("ann", "abc", address.parse().ok());
        assert_ne!(from("10.0.0.1"), from("10.0.0.2"));
        assert_ne!(from("10.0.0.1"), from(""));
        assert_eq!(from("10.0.0.1"), from("::ffff:10.0.0.1"));
        assert_ne!(remembered.fingerprint("ann", "abc", None), Remembered::default().fingerprint("ann", "abc", None));
    }

    #[test]
    fn forgets_rather_than_grow() {
        let remembered = Remembered::default();
        let ann = user(1, "hash");
        for i in 0..=PASSWORDS_REMEMBERED {
            remembered.remember(remembered.fingerprint("ann", &i.to_string(), None), &ann, NOW);
        }
        assert!(lock(&remembered.known).len() <= PASSWORDS_REMEMBERED);
    }
}

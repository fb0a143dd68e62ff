//! How often passwords may be tried: per account, so that nobody is guessed, and per address, so that nobody guesses many.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    time::Duration,
};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};

use crate::domain::limits::{
    PASSWORD_TRIES_KEPT, PASSWORD_TRIES_PER_ACCOUNT, PASSWORD_TRIES_PER_ADDRESS, PASSWORD_TRY_PER_ACCOUNT_EVERY,
    PASSWORD_TRY_PER_ADDRESS_EVERY,
};

/// Keys are hashed, so that names of any length cost the same.
pub struct Tries {
    hasher: RandomState,
    accounts: DefaultKeyedRateLimiter<u64>,
    addresses: DefaultKeyedRateLimiter<u64>,
}

impl Default for Tries {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            accounts: limiter(PASSWORD_TRY_PER_ACCOUNT_EVERY, PASSWORD_TRIES_PER_ACCOUNT),
            addresses: limiter(PASSWORD_TRY_PER_ADDRESS_EVERY, PASSWORD_TRIES_PER_ADDRESS),
        }
    }
}

impl Tries {
    /// Counts a try, right or wrong; there need not be such an account. `Err`: how long to wait.
    pub fn count(&self, username: &str, peer: Option<IpAddr>) -> Result<(), Duration> {
        if let Some(peer) = peer {
            check(&self.addresses, self.hasher.hash_one(network(peer)))?;
        }
        check(&self.accounts, self.hasher.hash_one(username))
    }
}

/// One host may have a whole IPv6 network of 64 bits to itself.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & (u128::MAX << 64)).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn limiter(one_every: Duration, burst: NonZeroU32) -> DefaultKeyedRateLimiter<u64> {
    let quota = Quota::with_period(one_every).unwrap_or(Quota::per_second(NonZeroU32::MIN));
    RateLimiter::keyed(quota.allow_burst(burst))
}

fn check(limiter: &DefaultKeyedRateLimiter<u64>, key: u64) -> Result<(), Duration> {
    if limiter.len() >= PASSWORD_TRIES_KEPT {
        limiter.retain_recent();
    }
    limiter.check_key(&key).map_err(|until| until.wait_time_from(limiter.clock().now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    #[test]
    fn an_account_is_closed_to_guessers_wherever_they_are() {
        let tries = Tries::default();
        for i in 0..PASSWORD_TRIES_PER_ACCOUNT.get() {
            assert_eq!(tries.count("ann", from(&format!("10.0.0.{i}"))), Ok(()));
        }
        let wait = tries.count("ann", None).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= PASSWORD_TRY_PER_ACCOUNT_EVERY, "{wait:?}");
        assert_eq!(tries.count("bob", None), Ok(()));
    }

    #[test]
    fn an_address_cannot_try_many_accounts() {
        let tries = Tries::default();
        for i in 0..PASSWORD_TRIES_PER_ADDRESS.get() {
            assert_eq!(tries.count(&format!("user{i}"), from("2001:db8::1")), Ok(()));
        }
        assert!(tries.count("another", from("2001:db8::2")).is_err());
        assert_eq!(tries.count("another", from("2001:db8:0:1::1")), Ok(()));
    }

    #[test]
    fn ipv4_is_the_same_in_either_notation() {
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), network("192.0.2.1".parse().unwrap()));
    }
}

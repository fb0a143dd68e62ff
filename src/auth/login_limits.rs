//! Limits for wrong passwords, so that nobody can guess a password, and nobody can lock out the owner of an account.
//!
//! Only failures count. Unknown clients have a budget for each account and network, and one for each network. Networks
//! from which the account logged in recently, and browsers and sessions that can prove that they belong to it, have
//! budgets of their own that unknown clients cannot use up. There is no budget for an account as a whole, because it
//! would lock out the owner. The rate of guesses for an account from many networks together is limited by the number of
//! checks for unknown clients ([`super::Passwords`]).

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    num::NonZeroU32,
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use super::{password::CheckPriority, remembered::lock};
use crate::domain::{
    TokenHash, UserId,
    address::network,
    limits::{
        PASSWORD_PLACE_KEPT, PASSWORD_PLACES_KEPT, PASSWORD_PLACES_PER_ACCOUNT, PASSWORD_TRIES_KEPT,
        PASSWORD_TRIES_PER_ACCOUNT, PASSWORD_TRIES_PER_ADDRESS, PASSWORD_TRY_PER_ACCOUNT_EVERY,
        PASSWORD_TRY_PER_ADDRESS_EVERY,
    },
};

/// A client that tries to log in.
#[derive(Clone, Copy, Debug)]
pub struct LoginClient<'a> {
    /// The account need not exist.
    pub username: &'a str,
    pub user: Option<UserId>,
    /// Address of the client. `None`: a local client.
    pub peer: Option<IpAddr>,
    /// Identifier of a browser or a session that proved that it belongs to the account.
    pub proof: Option<TokenHash>,
}

/// Budgets and known networks, in memory and bounded. Keys of budgets are hashed, so that names of any length cost the
/// same.
#[derive(Default)]
pub struct LoginLimits {
    hasher: RandomState,
    budgets: Mutex<AttemptBudgets>,
    places: Mutex<KnownNetworks>,
}

/// A budget: `burst` attempts at once, and one more after each interval.
#[derive(Clone, Copy)]
struct Quota {
    burst: NonZeroU32,
    every: Duration,
}

const ACCOUNT: Quota = Quota { burst: PASSWORD_TRIES_PER_ACCOUNT, every: PASSWORD_TRY_PER_ACCOUNT_EVERY };
const ADDRESS: Quota = Quota { burst: PASSWORD_TRIES_PER_ADDRESS, every: PASSWORD_TRY_PER_ADDRESS_EVERY };

impl LoginLimits {
    /// Takes an attempt from each budget to which it counts. The error is the time to wait.
    pub fn begin(&self, trier: LoginClient<'_>) -> Result<Attempt<'_>, Duration> {
        self.begin_at(trier, Instant::now())
    }

    fn begin_at(&self, trier: LoginClient<'_>, now: Instant) -> Result<Attempt<'_>, Duration> {
        let network = trier.peer.map(network);
        let (is_known, taken) = if let Some(proof) = trier.proof {
            (true, vec![(self.hasher.hash_one(("proof", trier.username, proof)), ACCOUNT)])
        } else if trier.user.is_some_and(|user| lock(&self.places).knows(user, network, now)) {
            (true, vec![(self.hasher.hash_one(("place", trier.username, network)), ACCOUNT)])
        } else {
            let account = (self.hasher.hash_one(("stranger", trier.username, network)), ACCOUNT);
            // Clients without an address share a budget, since a proxy may connect without naming its clients.
            let address = (self.hasher.hash_one(("address", network)), ADDRESS);
            (false, vec![account, address])
        };
        let level = lock(&self.budgets).take(&taken, now)?;
        Ok(Attempt { login_limits: self, rank: CheckPriority::new(is_known, level), taken, network, counts: false })
    }

    fn budgets(&self) -> MutexGuard<'_, AttemptBudgets> {
        lock(&self.budgets)
    }
}

/// An attempt in progress. It costs nothing if it is dropped before its check begins.
#[must_use]
pub struct Attempt<'a> {
    login_limits: &'a LoginLimits,
    rank: CheckPriority,
    taken: Vec<(u64, Quota)>,
    network: Option<IpAddr>,
    counts: bool,
}

impl Attempt<'_> {
    /// Returns the priority in the queue for checks. The fewer failures, the higher it is.
    #[must_use]
    pub fn rank(&self) -> CheckPriority {
        self.rank
    }

    /// Marks the beginning of the check. From now on the attempt counts as a failure, even if the caller stops waiting.
    pub fn counts(&mut self) {
        self.counts = true;
    }

    /// Reports a right password. The attempt costs nothing, and the network becomes known to the account.
    pub fn succeeded(mut self, user: UserId) {
        self.counts = false;
        lock(&self.login_limits.places).note(user, self.network, Instant::now());
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.counts {
            self.login_limits.budgets().give_back(&self.taken, Instant::now());
        }
    }
}

/// Times at which budgets are full again, by key.
#[derive(Default)]
struct AttemptBudgets(HashMap<u64, Instant>);

impl AttemptBudgets {
    /// Takes from all budgets or from none. Returns the number of attempts that are missing from all of them together.
    fn take(&mut self, taken: &[(u64, Quota)], now: Instant) -> Result<u32, Duration> {
        let mut level = 0;
        for (key, quota) in taken {
            let debt = self.debt(*key, now) + quota.every;
            let limit = quota.every * quota.burst.get();
            if debt > limit {
                return Err(debt.saturating_sub(limit));
            }
            let login_limits = debt.as_micros().div_ceil(quota.every.as_micros().max(1));
            level = u32::try_from(login_limits).unwrap_or(u32::MAX).saturating_add(level);
        }
        self.make_room(now);
        for (key, quota) in taken {
            let whole = now + self.debt(*key, now) + quota.every;
            self.0.insert(*key, whole);
        }
        Ok(level)
    }

    fn give_back(&mut self, taken: &[(u64, Quota)], now: Instant) {
        for (key, quota) in taken {
            let debt = self.debt(*key, now).saturating_sub(quota.every);
            if debt.is_zero() {
                self.0.remove(key);
            } else {
                self.0.insert(*key, now + debt);
            }
        }
    }

    fn debt(&self, key: u64, now: Instant) -> Duration {
        self.0.get(&key).map_or(Duration::ZERO, |whole| whole.saturating_duration_since(now))
    }

    /// Makes room for one more budget. If there are too many, full ones are forgotten first, and then the half that is
    /// nearest to full.
    fn make_room(&mut self, now: Instant) {
        if self.0.len() < PASSWORD_TRIES_KEPT {
            return;
        }
        self.0.retain(|_, whole| *whole > now);
        if self.0.len() < PASSWORD_TRIES_KEPT {
            return;
        }
        let mut times: Vec<Instant> = self.0.values().copied().collect();
        let (_, median, _) = times.select_nth_unstable(PASSWORD_TRIES_KEPT / 2);
        let median = *median;
        self.0.retain(|_, whole| *whole > median);
    }
}

/// Networks from which each account logged in recently. Only a right password adds one, so unknown clients cannot
/// displace others.
#[derive(Default)]
struct KnownNetworks(HashMap<UserId, Vec<(Option<IpAddr>, Instant)>>);

impl KnownNetworks {
    fn knows(&self, user: UserId, network: Option<IpAddr>, now: Instant) -> bool {
        let places = self.0.get(&user).into_iter().flatten();
        places
            .into_iter()
            .any(|(known, since)| *known == network && now.saturating_duration_since(*since) < PASSWORD_PLACE_KEPT)
    }

    fn note(&mut self, user: UserId, network: Option<IpAddr>, now: Instant) {
        if self.0.len() >= PASSWORD_PLACES_KEPT && !self.0.contains_key(&user) {
            let last = |places: &[(Option<IpAddr>, Instant)]| places.iter().map(|(_, since)| *since).max();
            if let Some(oldest) = self.0.iter().min_by_key(|(_, places)| last(places)).map(|(user, _)| *user) {
                self.0.remove(&oldest);
            }
        }
        let places = self.0.entry(user).or_default();
        places.retain(|(known, _)| *known != network);
        if places.len() >= PASSWORD_PLACES_PER_ACCOUNT {
            places.remove(0);
        }
        places.push((network, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId(1);

    fn trier<'a>(username: &'a str, address: &str) -> LoginClient<'a> {
        let user = (username == "ann").then_some(ANN);
        LoginClient { username, user, peer: address.parse().ok(), proof: None }
    }

    fn fail(login_limits: &LoginLimits, who: LoginClient<'_>, now: Instant) -> Result<CheckPriority, Duration> {
        let mut attempt = login_limits.begin_at(who, now)?;
        attempt.counts();
        Ok(attempt.rank())
    }

    #[test]
    fn guessers_use_up_their_own_budget_only() {
        let (login_limits, now) = (LoginLimits::default(), Instant::now());
        let guesser = trier("ann", "10.0.0.1");
        for _ in 0..PASSWORD_TRIES_PER_ACCOUNT.get() {
            fail(&login_limits, guesser, now).unwrap();
        }
        assert_eq!(fail(&login_limits, guesser, now), Err(PASSWORD_TRY_PER_ACCOUNT_EVERY));
        fail(&login_limits, guesser, now + PASSWORD_TRY_PER_ACCOUNT_EVERY).unwrap();
        assert!(fail(&login_limits, guesser, now + PASSWORD_TRY_PER_ACCOUNT_EVERY).is_err());
        fail(&login_limits, trier("ann", "10.0.0.2"), now).unwrap();
        fail(&login_limits, trier("bob", "10.0.0.1"), now).unwrap();
    }

    #[test]
    fn failures_count_and_nothing_else_does() {
        let (login_limits, now) = (LoginLimits::default(), Instant::now());
        for _ in 0..500 {
            let mut attempt = login_limits.begin_at(trier("ann", "10.0.0.1"), now).unwrap();
            attempt.counts();
            attempt.succeeded(ANN);
            drop(login_limits.begin_at(trier("bob", "10.0.0.1"), now).unwrap());
        }
        assert!(lock(&login_limits.budgets).0.is_empty());
    }

    #[test]
    fn tries_under_way_count_until_they_end() {
        let (login_limits, now) = (LoginLimits::default(), Instant::now());
        let begin = || login_limits.begin_at(trier("ann", "10.0.0.1"), now);
        let under_way: Vec<_> = std::iter::from_fn(|| begin().ok()).collect();
        assert_eq!(under_way.len(), PASSWORD_TRIES_PER_ACCOUNT.get() as usize);
        drop(under_way);
        assert!(begin().is_ok());
    }

    #[test]
    fn where_the_account_logged_in_it_has_a_budget_of_its_own() {
        let (login_limits, now) = (LoginLimits::default(), Instant::now());
        login_limits.begin_at(trier("ann", "10.0.0.1"), now).unwrap().succeeded(ANN);
        // Another client with the same address tries many accounts.
        let mut number = 0;
        while fail(&login_limits, trier(&format!("user{number}"), "10.0.0.1"), now).is_ok() {
            number += 1;
        }
        assert_eq!(number, PASSWORD_TRIES_PER_ADDRESS.get());
        let known = fail(&login_limits, trier("ann", "10.0.0.1"), now).unwrap();
        let strange = fail(&login_limits, trier("ann", "10.0.0.2"), now).unwrap();
        assert!(known < strange, "who is known comes first");
        let later = now + PASSWORD_PLACE_KEPT + Duration::from_hours(1);
        assert!(fail(&login_limits, trier("ann", "10.0.0.1"), later).unwrap() > known, "but not for ever");
    }

    #[test]
    fn a_proof_has_a_budget_of_its_own() {
        let (login_limits, now) = (LoginLimits::default(), Instant::now());
        let proved = LoginClient { proof: Some([1; 32]), ..trier("ann", "10.0.0.1") };
        login_limits.begin_at(trier("ann", "10.0.0.1"), now).unwrap().succeeded(ANN);
        while fail(&login_limits, trier("ann", "10.0.0.1"), now).is_ok() {}
        for _ in 0..PASSWORD_TRIES_PER_ACCOUNT.get() {
            fail(&login_limits, proved, now).unwrap();
        }
        assert!(fail(&login_limits, proved, now).is_err(), "which ends as well");
        assert!(fail(&login_limits, LoginClient { proof: Some([2; 32]), ..proved }, now).is_ok());
    }

    #[test]
    fn an_address_cannot_try_many_accounts() {
        let (login_limits, now) = (LoginLimits::default(), Instant::now());
        for i in 0..PASSWORD_TRIES_PER_ADDRESS.get() {
            fail(&login_limits, trier(&format!("user{i}"), "2001:db8::1"), now).unwrap();
        }
        assert!(fail(&login_limits, trier("another", "2001:db8::2"), now).is_err());
        fail(&login_limits, trier("another", "2001:db8:0:1::1"), now).unwrap();
    }

    #[test]
    fn clients_without_an_address_share_a_budget() {
        let (login_limits, now) = (LoginLimits::default(), Instant::now());
        for i in 0..PASSWORD_TRIES_PER_ADDRESS.get() {
            fail(&login_limits, trier(&format!("user{i}"), ""), now).unwrap();
        }
        assert!(fail(&login_limits, trier("another", ""), now).is_err());
        fail(&login_limits, trier("another", "10.0.0.1"), now).unwrap();
    }

    #[test]
    fn who_failed_more_often_waits_longer() {
        let (login_limits, now) = (LoginLimits::default(), Instant::now());
        let first = fail(&login_limits, trier("ann", "10.0.0.1"), now).unwrap();
        let second = fail(&login_limits, trier("ann", "10.0.0.1"), now).unwrap();
        assert!(first < second);
        assert_eq!(fail(&login_limits, trier("ann", "10.0.0.2"), now).unwrap(), first);
    }

    #[test]
    fn memory_is_bounded_and_keeps_those_who_failed_most() {
        let (login_limits, now) = (LoginLimits::default(), Instant::now());
        while fail(&login_limits, trier("ann", "10.0.0.1"), now).is_ok() {}
        for number in 0..2 * PASSWORD_TRIES_KEPT as u32 {
            let peer = Some(IpAddr::V4((0x0b00_0000 + number).into()));
            fail(&login_limits, LoginClient { peer, ..trier("ann", "") }, now).unwrap();
        }
        assert!(lock(&login_limits.budgets).0.len() <= PASSWORD_TRIES_KEPT + 2);
        assert!(fail(&login_limits, trier("ann", "10.0.0.1"), now).is_err());
        for number in 0..100 {
            let peer = Some(IpAddr::V4((0x0c00_0000 + number).into()));
            login_limits.begin_at(LoginClient { peer, ..trier("ann", "") }, now).unwrap().succeeded(ANN);
        }
        assert_eq!(lock(&login_limits.places).0[&ANN].len(), PASSWORD_PLACES_PER_ACCOUNT);
        let mut places = KnownNetworks::default();
        for number in 0..PASSWORD_PLACES_KEPT as u64 + 50 {
            places.note(UserId(number), None, now + Duration::from_millis(number));
        }
        assert_eq!(places.0.len(), PASSWORD_PLACES_KEPT);
    }

    #[test]
    fn ipv4_is_the_same_in_either_notation() {
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), network("192.0.2.1".parse().unwrap()));
    }
}

//! Password hashes: argon2id in PHC format, computed on blocking threads, a limited number at once.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::{sync::oneshot, task, time::timeout};

use super::remembered::lock;
use crate::clock::random_bytes;
use crate::domain::limits::{PASSWORD, PASSWORD_CHECKS, PASSWORD_CHECKS_OF_STRANGERS, PASSWORD_QUEUE, PASSWORD_WAIT};

/// Hash that is checked if there is none, so that the check takes as long. No password is known that matches it.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("too many passwords are being checked")]
    Busy,
    #[error("the password could not be hashed")]
    Failed,
}

/// Priority of a waiting check. The lowest value comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckPriority {
    is_stranger: bool,
    failures: u32,
}

impl CheckPriority {
    /// Priority of work that unknown clients cannot cause.
    pub const OWN: Self = Self::new(true, 0);

    #[must_use]
    pub const fn new(is_known: bool, failures: u32) -> Self {
        Self { is_stranger: !is_known, failures }
    }
}

/// Hashing and checking of passwords, a limited number at once.
#[derive(Debug, Default)]
pub struct Passwords {
    line: Arc<Mutex<CheckQueue>>,
}

impl Passwords {
    /// Returns a new hash in PHC format.
    pub async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        let password = password.to_owned();
        let turn = self.turn(CheckPriority::OWN).await?;
        run(turn, move || {
            Argon2::default()
                .hash_password_with_salt(password.as_bytes(), &random_bytes::<16>())
                .map(|hash: PasswordHash| hash.to_string())
                .map_err(|_| PasswordError::Failed)
        })
        .await?
    }

    /// Returns whether the password matches the hash. Without a hash it does not, after the same time.
    pub async fn verify(&self, turn: HashPermit, password: &str, hash: Option<&str>) -> Result<bool, PasswordError> {
        if password.chars().count() > PASSWORD {
            return Ok(false);
        }
        let (password, known) = (password.to_owned(), hash.is_some());
        let hash = hash.unwrap_or(NOBODY).to_owned();
        run(turn, move || {
            let fits = PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
            fits && known
        })
        .await
    }

    /// Waits until a password may be hashed or checked. If too many wait, those with the lowest priority are refused.
    pub async fn turn(&self, rank: CheckPriority) -> Result<HashPermit, PasswordError> {
        let entered = lock(&self.line).enter(rank);
        match entered {
            WaitingCheck::Go => Ok(HashPermit { line: Some(Arc::clone(&self.line)), rank }),
            WaitingCheck::Wait(waiting) => match timeout(PASSWORD_WAIT, waiting).await {
                Ok(Ok(turn)) => Ok(turn),
                Ok(Err(_)) | Err(_) => Err(PasswordError::Busy),
            },
            WaitingCheck::Full => Err(PasswordError::Busy),
        }
    }
}

/// Permission for one hash or check. When it is dropped, the next one is granted.
#[must_use]
#[derive(Debug)]
pub struct HashPermit {
    /// Queue to which the permit is returned. `None`: returned already.
    line: Option<Arc<Mutex<CheckQueue>>>,
    rank: CheckPriority,
}

impl Drop for HashPermit {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            lock(&line).leave(self.rank);
            advance(&line);
        }
    }
}

enum WaitingCheck {
    Go,
    Wait(oneshot::Receiver<HashPermit>),
    Full,
}

/// Running checks, and waiting ones by priority and arrival.
#[derive(Debug, Default)]
struct CheckQueue {
    running: usize,
    strangers: usize,
    arrived: u64,
    waiting: BTreeMap<(CheckPriority, u64), oneshot::Sender<HashPermit>>,
}

impl CheckQueue {
    fn enter(&mut self, rank: CheckPriority) -> WaitingCheck {
        if self.has_room_for(rank) {
            self.begin(rank);
            return WaitingCheck::Go;
        }
        if self.waiting.len() >= PASSWORD_QUEUE {
            self.waiting.retain(|_, waiting| !waiting.is_closed());
        }
        self.arrived += 1;
        let place = (rank, self.arrived);
        if self.waiting.len() >= PASSWORD_QUEUE {
            if self.waiting.last_key_value().is_none_or(|(last, _)| *last < place) {
                return WaitingCheck::Full;
            }
            self.waiting.pop_last();
        }
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert(place, sender);
        WaitingCheck::Wait(receiver)
    }

    fn has_room_for(&self, rank: CheckPriority) -> bool {
        self.running < PASSWORD_CHECKS && (!rank.is_stranger || self.strangers < PASSWORD_CHECKS_OF_STRANGERS)
    }

    fn begin(&mut self, rank: CheckPriority) {
        self.running += 1;
        self.strangers += usize::from(rank.is_stranger);
    }

    fn leave(&mut self, rank: CheckPriority) {
        self.running -= 1;
        self.strangers -= usize::from(rank.is_stranger);
    }

    /// Starts the first waiting check, if there is room for it.
    fn next(&mut self) -> Option<(CheckPriority, oneshot::Sender<HashPermit>)> {
        let ((rank, _), _) = self.waiting.first_key_value()?;
        let rank = *rank;
        if !self.has_room_for(rank) {
            return None;
        }
        self.begin(rank);
        self.waiting.pop_first().map(|(_, waiting)| (rank, waiting))
    }
}

fn advance(line: &Arc<Mutex<CheckQueue>>) {
    loop {
        let next = lock(line).next();
        let Some((rank, waiting)) = next else { return };
        if let Err(mut unwanted) = waiting.send(HashPermit { line: Some(Arc::clone(line)), rank }) {
            // The caller does not wait any more.
            unwanted.line = None;
            lock(line).leave(rank);
        }
    }
}

async fn run<T: Send + 'static>(
    turn: HashPermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, PasswordError> {
    task::spawn_blocking(move || {
        // Kept by the work and not by the caller, who may stop waiting before it ends.
        let _turn = turn;
        work()
    })
    .await
    .map_err(|_| PasswordError::Failed)
}
#[cfg(test)]
mod tests {
    use super::*;

    const STRANGER: CheckPriority = CheckPriority::new(false, 1);

    async fn verify(passwords: &Passwords, password: &str, hash: Option<&str>) -> bool {
        let turn = passwords.turn(STRANGER).await.unwrap();
        passwords.verify(turn, password, hash).await.unwrap()
    }

    #[tokio::test]
    async fn accepts_the_password_and_nothing_else() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(verify(&passwords, "correct horse", Some(&hash)).await);
        assert!(!verify(&passwords, "wrong horse", Some(&hash)).await);
        assert!(!verify(&passwords, "correct horse", None).await);
        assert!(!verify(&passwords, "correct horse", Some("!")).await);
        assert!(!verify(&passwords, &"x".repeat(PASSWORD + 1), Some(&hash)).await);
    }

    #[test]
    fn nobody_has_a_hash_that_costs_what_others_cost() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let fresh: PasswordHash = Argon2::default().hash_password_with_salt(b"x", &[0; 16]).unwrap();
        assert_eq!((nobody.algorithm, nobody.version), (fresh.algorithm, fresh.version));
        assert_eq!(nobody.params.to_string(), fresh.params.to_string());
        assert_eq!(nobody.hash.map(|h| h.len()), fresh.hash.map(|h| h.len()));
    }

    /// Returns permits for all checks of that priority that may begin now.
    fn room(passwords: &Passwords, rank: CheckPriority) -> Vec<HashPermit> {
        std::iter::from_fn(|| futures_util::FutureExt::now_or_never(passwords.turn(rank))?.ok()).collect()
    }

    #[tokio::test]
    async fn strangers_leave_room_for_those_who_are_known() {
        let passwords = Passwords::default();
        let strangers = room(&passwords, STRANGER);
        assert_eq!(strangers.len(), PASSWORD_CHECKS_OF_STRANGERS);
        let known = room(&passwords, CheckPriority::new(true, 5));
        assert_eq!(strangers.len() + known.len(), PASSWORD_CHECKS);
    }

    #[tokio::test]
    async fn who_failed_least_comes_first_and_a_full_queue_refuses_the_last() {
        let passwords = Arc::new(Passwords::default());
        let running = room(&passwords, STRANGER);
        let (served, mut order) = tokio::sync::mpsc::unbounded_channel();
        let enter = async |failures: u32| {
            let (passwords, served) = (Arc::clone(&passwords), served.clone());
            tokio::spawn(async move {
                let turn = passwords.turn(CheckPriority::new(false, failures)).await;
                served.send((failures, turn.is_ok())).unwrap();
            });
            tokio::task::yield_now().await;
        };
        let queue = u32::try_from(PASSWORD_QUEUE).unwrap();
        for failures in (10..10 + queue).rev() {
            enter(failures).await;
        }
        enter(9 + queue).await;
        assert_eq!(order.recv().await, Some((9 + queue, false)), "it came last, and has the worst rank");
        enter(2).await;
        assert_eq!(order.recv().await, Some((9 + queue, false)), "made room");
        drop(running);
        assert_eq!(order.recv().await, Some((2, true)));
        for failures in 10..9 + queue {
            assert_eq!(order.recv().await, Some((failures, true)));
        }
        assert_eq!(lock(&passwords.line).running, 0);
    }

    #[tokio::test]
    async fn who_is_gone_holds_nobody_up() {
        let passwords = Passwords::default();
        let running = room(&passwords, STRANGER);
        for _ in 0..2 * PASSWORD_QUEUE {
            assert!(futures_util::FutureExt::now_or_never(passwords.turn(STRANGER)).is_none(), "it waits");
        }
        drop(running);
        assert!(!verify(&passwords, "x", None).await);
        assert_eq!(lock(&passwords.line).running, 0);
    }
}

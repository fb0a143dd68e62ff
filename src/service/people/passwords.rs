//! Checks passwords within their limits, and the requirements for new ones.

use std::{net::IpAddr, sync::Arc, time::Duration};

use tracing::warn;

use crate::auth::{login_limits::LoginClient, password::PasswordError, remembered::Fingerprint, secret};
use crate::domain::{TokenHash, User, limits::LOGGED_USERNAME, user::password_problem};
use crate::metrics::Counter;
use crate::service::{LoginFailure, People, Refusal, ServiceError};

/// Delay for a client that finds too many others waiting for a password check.
const BUSY: Duration = Duration::from_secs(1);

/// Evidence that a client belongs to the account, which separates its limits from those of unknown clients.
#[derive(Clone, Copy)]
pub(in crate::service) enum Proof<'a> {
    None,
    /// Device cookie that an earlier login left in this browser. It may be invalid.
    Device(&'a str),
    Session(TokenHash),
}

/// Numbers of refused logins since the start.
#[derive(Default)]
pub(in crate::service) struct RefusedLogins {
    pub wrong: Counter,
    pub throttled: Counter,
}

impl People {
    /// Checks a password and returns its user. Takes the same time for accounts that are unknown, inactive or without a
    /// password. A password that was right a short while ago, from the same network, is accepted at once. A refusal is
    /// logged with the address, in the form that `packaging/fail2ban` reads.
    pub(in crate::service) async fn check_password(
        &self,
        username: &str,
        password: &str,
        peer: Option<IpAddr>,
        proof: Proof<'_>,
    ) -> Result<Arc<User>, LoginFailure> {
        let checked = self.checked(username, password, peer, proof).await;
        let client = || peer.map_or_else(|| "local".to_owned(), |peer| peer.to_string());
        // Anybody may send names, of any length. The address comes first, so that no name is taken for one.
        let user = || username.chars().take(LOGGED_USERNAME).collect::<String>();
        match &checked {
            Err(LoginFailure::BadCredentials) => {
                self.inner.refused_logins.wrong.add(1);
                warn!(client = %client(), user = user(), "login refused: wrong username or password");
            }
            Err(LoginFailure::TooManyTries { .. }) => {
                self.inner.refused_logins.throttled.add(1);
                warn!(client = %client(), user = user(), "login refused: too many tries");
            }
            Ok(_) | Err(LoginFailure::Store(_)) => {}
        }
        checked
    }

    async fn checked(
        &self,
        username: &str,
        password: &str,
        peer: Option<IpAddr>,
        proof: Proof<'_>,
    ) -> Result<Arc<User>, LoginFailure> {
        let fingerprint = self.inner.remembered.fingerprint(username, password, peer);
        if let Some(user) = self.remembered_user(username, fingerprint) {
            return Ok(user);
        }
        let turn = self.inner.remembered.turn(fingerprint);
        let _turn = turn.lock().await;
        if let Some(user) = self.remembered_user(username, fingerprint) {
            return Ok(user);
        }
        let user = self.directory().user_named(username).filter(|user| user.is_active).cloned();
        let proof = match proof {
            Proof::None => None,
            Proof::Device(cookie) => user.as_ref().and_then(|user| secret::device(user, cookie)),
            Proof::Session(hash) => Some(hash),
        };
        let trier = LoginClient { username, user: user.as_ref().map(|user| user.id), peer, proof };
        let mut attempt =
            self.inner.login_limits.begin(trier).map_err(|retry_after| LoginFailure::TooManyTries { retry_after })?;
        let turn = self.inner.passwords.turn(attempt.rank()).await.map_err(busy)?;
        attempt.counts();
        let hash = user.as_ref().and_then(|user| user.password_hash.as_deref());
        let fits = self.inner.passwords.verify(turn, password, hash).await.map_err(busy)?;
        let user = user.filter(|_| fits).ok_or(LoginFailure::BadCredentials)?;
        attempt.succeeded(user.id);
        self.inner.remembered.remember(fingerprint, &user, self.moment());
        Ok(user)
    }

    fn remembered_user(&self, username: &str, fingerprint: Fingerprint) -> Option<Arc<User>> {
        let user = self.directory().user_named(username).filter(|user| user.is_active).cloned()?;
        self.inner.remembered.knows(fingerprint, &user, self.moment()).then_some(user)
    }

    /// Returns the hash of a new password. Refuses a password that does not meet the requirements.
    pub(in crate::service) async fn hash_password(&self, password: &str) -> Result<String, ServiceError> {
        may_be_chosen(password)?;
        self.inner.passwords.hash(password).await.map_err(|error| match error {
            PasswordError::Busy => ServiceError::TooOften { retry_after: BUSY },
            PasswordError::Failed => ServiceError::Internal("the password could not be hashed"),
        })
    }
}

pub(in crate::service) fn may_be_chosen(password: &str) -> Result<(), Refusal> {
    password_problem(password).map_or(Ok(()), |problem| Err(Refusal::Password(problem)))
}

fn busy(_: PasswordError) -> LoginFailure {
    LoginFailure::TooManyTries { retry_after: BUSY }
}

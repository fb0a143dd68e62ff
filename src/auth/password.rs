//! Passwords: hashed with argon2id and kept in PHC form, a bounded number at a time and never on an async thread.

use std::sync::Arc;

use argon2::{
    Argon2,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task,
};

use crate::{
    clock::random_bytes,
    domain::limits::{PASSWORD, PASSWORD_CHECKS, PASSWORD_QUEUE},
};

/// Checked where there is no hash to check, so that it takes as long. No password is known that fits it.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("too many passwords are being checked")]
    Busy,
    #[error("the password could not be hashed")]
    Failed,
}

/// Hashes and checks passwords.
#[derive(Debug)]
pub struct Passwords {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { running: Arc::new(Semaphore::new(PASSWORD_CHECKS)), waiting: Arc::new(Semaphore::new(PASSWORD_QUEUE)) }
    }
}

impl Passwords {
    /// A new hash in PHC form.
    pub async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        let password = password.to_owned();
        self.run(move || {
            Argon2::default()
                .hash_password_with_salt(password.as_bytes(), &random_bytes::<16>())
                .map(|hash: PasswordHash| hash.to_string())
                .map_err(|_| PasswordError::Failed)
        })
        .await?
    }

    /// Does the password fit the hash? Without a hash the answer is no, after the same time.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool, PasswordError> {
        if password.chars().count() > PASSWORD {
            return Ok(false);
        }
        let (password, known) = (password.to_owned(), hash.is_some());
        let hash = hash.unwrap_or(NOBODY).to_owned();
        self.run(move || {
            let fits = PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
            fits && known
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let permit = self.permit().await?;
        task::spawn_blocking(move || {
            // Held by the work, not by the caller, who may be gone before it ends.
            let _permit = permit;
            work()
        })
        .await
        .map_err(|_| PasswordError::Failed)
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, PasswordError> {
        let _place = self.waiting.try_acquire().map_err(|_| PasswordError::Busy)?;
        Arc::clone(&self.running).acquire_owned().await.map_err(|_| PasswordError::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn accepts_the_password_and_nothing_else() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("wrong horse", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("correct horse", None).await.unwrap());
        assert!(!passwords.verify("correct horse", Some("!")).await.unwrap());
        assert!(!passwords.verify(&"x".repeat(PASSWORD + 1), Some(&hash)).await.unwrap());
    }

    #[test]
    fn nobody_has_a_hash_that_costs_what_others_cost() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let fresh: PasswordHash = Argon2::default().hash_password_with_salt(b"x", &[0; 16]).unwrap();
        assert_eq!((nobody.algorithm, nobody.version), (fresh.algorithm, fresh.version));
        assert_eq!(nobody.params.to_string(), fresh.params.to_string());
        assert_eq!(nobody.hash.map(|h| h.len()), fresh.hash.map(|h| h.len()));
    }

    #[tokio::test]
    async fn a_full_queue_is_refused() {
        let passwords = Passwords::default();
        let _all = passwords.waiting.acquire_many(u32::try_from(PASSWORD_QUEUE).unwrap()).await.unwrap();
        assert_eq!(passwords.verify("x", None).await, Err(PasswordError::Busy));
    }
}

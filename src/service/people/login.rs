//! Logs in: finds the caller of a token, and creates a token for a password (contract section 2).

use std::{net::IpAddr, sync::Arc, time::Duration};

use crate::auth::secret;
use crate::domain::{
    Directory, Timestamp, Token, TokenHash, TokenKind, TokenOrigin, User, UserId,
    limits::{LOGIN_TOKENS_PER_USER, SESSIONS_PER_USER},
};
use crate::service::{
    Caller, Credential, People, Refusal, ServiceError,
    people::{
        expired_tokens::delete_surplus_expired,
        passwords::Proof,
        tokens::{NewToken, classic_tokens, put_token},
    },
};
use crate::store::{Command, StoreError};

/// Reason for which a token is refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuthFailure {
    #[error("unknown token")]
    Invalid,
    /// Reported at the first use after the expiry; later uses are answered with [`AuthFailure::Invalid`].
    #[error("the token has expired")]
    Expired,
    #[error("the user is deactivated")]
    Inactive,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reason for which a login with a password is refused.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoginFailure {
    #[error("wrong username or password")]
    BadCredentials,
    #[error("too many tries; wait {} seconds", .retry_after.as_secs().saturating_add(1))]
    TooManyTries { retry_after: Duration },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl People {
    /// Finds the caller of a token. For a valid token this takes neither disk access nor password hashing.
    #[expect(clippy::unused_async, reason = "callers wait for it like for the other ways to log in")]
    pub async fn authenticate(&self, secret: &str) -> Result<Caller, AuthFailure> {
        let hash = secret::token_hash(secret).ok_or(AuthFailure::Invalid)?;
        let directory = self.directory();
        let token = directory.tokens.get(&hash).ok_or(AuthFailure::Invalid)?;
        let credential = match token.kind {
            TokenKind::Classic => Credential::Classic(hash),
            TokenKind::Login => Credential::Login(hash),
            TokenKind::Session => return Err(AuthFailure::Invalid),
        };
        let user = directory.user(token.user).filter(|user| user.is_active).ok_or(AuthFailure::Inactive)?;
        if is_expired(token, self.now()) {
            return Err(self.refuse_expired(token));
        }
        Ok(Caller { user: Arc::clone(user), source: directory.source_of(user.id).cloned(), credential })
    }

    /// Creates a classic token that replaces the one from the last call. Other tokens stay. `peer` is `None` for local
    /// callers.
    pub async fn exchange_password(
        &self,
        username: &str,
        password: &str,
        peer: Option<IpAddr>,
    ) -> Result<String, LoginFailure> {
        let user = self.check_password(username, password, peer, Proof::None).await?;
        let (secret, life) = (secret::classic_token(), self.settings().token_life);
        let hash = secret::token_hash(&secret).ok_or(LoginFailure::BadCredentials)?;
        self.write(Some(user.id), move |command| {
            still_valid(command.directory(), &user)?;
            let former: Vec<TokenHash> =
                classic_tokens(command.directory(), user.id).filter(|t| t.replaceable).map(|t| t.hash).collect();
            for hash in former {
                command.delete_token(hash);
            }
            put_token(command, classic(user.id, hash, life, true, TokenOrigin::Password));
            Ok(secret)
        })
        .await
    }

    /// Creates a login token. Returns its secret and its expiry.
    pub async fn login(
        &self,
        username: &str,
        password: &str,
        peer: Option<IpAddr>,
    ) -> Result<(String, Timestamp), LoginFailure> {
        let user = self.check_password(username, password, peer, Proof::None).await?;
        let life = self.settings().login_token_life;
        self.make_passing_token(user, TokenKind::Login, life, String::new()).await
    }

    /// Creates a login token for a caller who is logged in already.
    pub async fn login_as(&self, caller: &Caller) -> Result<(String, Timestamp), ServiceError> {
        let (secret, life) = (secret::login_token(), self.settings().login_token_life);
        let hash = secret::token_hash(&secret).ok_or(ServiceError::Internal("no token could be made"))?;
        let caller = caller.clone();
        self.write(Some(caller.id()), move |command| {
            let caller = caller.still(command.directory()).ok_or(ServiceError::Forbidden)?;
            let origin = origin_of(command.directory(), &caller);
            let new = passing(caller.id(), TokenKind::Login, hash, life, origin, String::new());
            Ok((secret, put_passing_token(command, new)))
        })
        .await
    }

    /// Replaces the token in use, or, for other credentials, the caller's token from `token-auth/` or else the newest.
    /// A token without expiry is replaced by one without expiry. If either the old token or the caller's credential
    /// came from a password, so does the new one, and it ends when the password changes.
    pub async fn refresh_token(&self, caller: &Caller) -> Result<String, ServiceError> {
        let caller = caller.clone();
        let own = match caller.credential {
            Credential::Classic(hash) => Some(hash),
            Credential::Login(_) | Credential::Session(_) | Credential::Password | Credential::Local => None,
        };
        let (secret, life) = (secret::classic_token(), self.settings().token_life);
        let hash = secret::token_hash(&secret).ok_or(ServiceError::Internal("no token could be made"))?;
        self.write(Some(caller.id()), move |command| {
            let user = caller.still(command.directory()).ok_or(ServiceError::Forbidden)?.user;
            let former = classic_tokens(command.directory(), user.id)
                .max_by_key(|t| (own == Some(t.hash), t.replaceable, t.id))
                .cloned()
                .ok_or_else(|| Refusal::NoClassicToken(user.username.clone()))?;
            let origin = match origin_of(command.directory(), &caller) {
                TokenOrigin::Hand => former.origin,
                TokenOrigin::Password => TokenOrigin::Password,
            };
            command.delete_token(former.hash);
            let life = life.filter(|_| former.expires.is_some());
            put_token(command, classic(user.id, hash, life, former.replaceable, origin));
            Ok(secret)
        })
        .await
    }

    /// Ends the login token in use. Does nothing for other credentials.
    pub async fn logout(&self, caller: &Caller) -> Result<(), ServiceError> {
        match caller.credential {
            Credential::Login(hash) => self.delete_tokens(caller, move |token| token.hash == hash).await,
            Credential::Classic(_) | Credential::Session(_) | Credential::Password | Credential::Local => Ok(()),
        }
    }

    /// Ends all login tokens of the caller.
    pub async fn logout_all(&self, caller: &Caller) -> Result<(), ServiceError> {
        self.delete_tokens(caller, |token| token.kind == TokenKind::Login).await
    }

    /// Deletes the token in use, of any kind.
    pub async fn end_session(&self, caller: &Caller) -> Result<(), ServiceError> {
        match caller.credential {
            Credential::Login(used) | Credential::Classic(used) | Credential::Session(used) => {
                self.delete_tokens(caller, move |token| token.hash == used).await
            }
            Credential::Password | Credential::Local => Ok(()),
        }
    }

    pub(in crate::service) async fn delete_tokens(
        &self,
        caller: &Caller,
        which: impl Fn(&Token) -> bool + Send + 'static,
    ) -> Result<(), ServiceError> {
        self.delete_tokens_of(caller, caller.id(), which).await
    }

    /// Creates a login token or a session for a user whose password was checked.
    pub(in crate::service) async fn make_passing_token(
        &self,
        user: Arc<User>,
        kind: TokenKind,
        life: Duration,
        note: String,
    ) -> Result<(String, Timestamp), LoginFailure> {
        let secret = secret::login_token();
        let hash = secret::token_hash(&secret).ok_or(LoginFailure::BadCredentials)?;
        self.write(Some(user.id), move |command| {
            still_valid(command.directory(), &user)?;
            let new = passing(user.id, kind, hash, life, TokenOrigin::Password, note);
            Ok((secret, put_passing_token(command, new)))
        })
        .await
    }
}

fn passing(
    user: UserId,
    kind: TokenKind,
    hash: TokenHash,
    life: Duration,
    origin: TokenOrigin,
    note: String,
) -> NewToken {
    NewToken { user, kind, hash, life: Some(life), replaceable: false, origin, note }
}

/// Stages a login token or a session, and returns its expiry. If the user has too many of the kind, the oldest valid
/// one is deleted, as are expired ones beyond the few that are kept.
fn put_passing_token(command: &mut Command<'_>, new: NewToken) -> Timestamp {
    let (kind, now) = (new.kind, command.now());
    delete_surplus_expired(command, new.user, kind);
    let limit = if kind == TokenKind::Session { SESSIONS_PER_USER } else { LOGIN_TOKENS_PER_USER };
    let same = command.directory().tokens_of(new.user).into_iter();
    let valid: Vec<&Arc<Token>> = same.filter(|token| token.kind == kind && !is_expired(token, now)).collect();
    let oldest = valid.iter().min_by_key(|token| token.id).filter(|_| valid.len() >= limit).map(|token| token.hash);
    if let Some(hash) = oldest {
        command.delete_token(hash);
    }
    put_token(command, new).unwrap_or(Timestamp::MAX)
}

/// Returns the origin of a token that the caller obtains now. It is that of the caller's own token, so a token that was
/// created by hand creates tokens that survive a change of password.
fn origin_of(directory: &Directory, caller: &Caller) -> TokenOrigin {
    match caller.credential {
        Credential::Classic(hash) | Credential::Login(hash) | Credential::Session(hash) => {
            directory.tokens.get(&hash).map_or(TokenOrigin::Password, |token| token.origin)
        }
        Credential::Password | Credential::Local => TokenOrigin::Password,
    }
}

fn classic(user: UserId, hash: TokenHash, life: Option<Duration>, replaceable: bool, origin: TokenOrigin) -> NewToken {
    NewToken { user, kind: TokenKind::Classic, hash, life, replaceable, origin, note: String::new() }
}

pub(in crate::service) fn is_expired(token: &Token, now: Timestamp) -> bool {
    token.expires.is_some_and(|expires| expires <= now)
}

/// Checks that the user was not deactivated and the password was not changed in the meantime.
pub(in crate::service) fn still_valid(directory: &Directory, checked: &User) -> Result<(), LoginFailure> {
    directory
        .user(checked.id)
        .filter(|user| user.is_active && user.password_hash == checked.password_hash)
        .map(|_| ())
        .ok_or(LoginFailure::BadCredentials)
}

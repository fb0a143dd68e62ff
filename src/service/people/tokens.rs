//! Tokens, as administrators manage them.

use std::{sync::Arc, time::Duration};

use crate::auth::secret;
use crate::domain::{
    Directory, Timestamp, Token, TokenHash, TokenId, TokenKind, TokenOrigin, UserId,
    draft::check_length,
    limits::{TOKEN_NOTE, TOKENS_PER_USER},
};
use crate::service::{Caller, Model, People, Refusal, ServiceError, people::login::is_expired, policy::Action};
use crate::store::Command;

/// Lifetime of a new token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenLife {
    /// Lifetime according to the settings.
    #[default]
    Setting,
    Never,
    For(Duration),
}

impl People {
    /// Creates a classic token in addition to existing ones. `value` is the secret of a token that is in use elsewhere.
    pub async fn create_token(
        &self,
        caller: &Caller,
        user: UserId,
        value: Option<String>,
        life: TokenLife,
    ) -> Result<String, ServiceError> {
        caller.require(Action::ManageUsers)?;
        self.new_token(caller, user, value, life, String::new()).await
    }

    /// Creates a classic token for a user, in addition to existing ones. `note` says what it is for.
    pub async fn issue_token(
        &self,
        caller: &Caller,
        user: UserId,
        life: TokenLife,
        note: String,
    ) -> Result<String, ServiceError> {
        caller.require(Action::ManageUsers)?;
        check_length("note", TOKEN_NOTE, Some(&note))?;
        self.new_token(caller, user, None, life, note).await
    }

    /// Creates a classic token for the caller, in addition to existing ones. `note` says what it is for.
    pub async fn create_own_token(
        &self,
        caller: &Caller,
        life: TokenLife,
        note: String,
    ) -> Result<String, ServiceError> {
        check_length("note", TOKEN_NOTE, Some(&note))?;
        self.new_token(caller, caller.id(), None, life, note).await
    }

    async fn new_token(
        &self,
        caller: &Caller,
        user: UserId,
        value: Option<String>,
        life: TokenLife,
        note: String,
    ) -> Result<String, ServiceError> {
        let secret = value.unwrap_or_else(secret::classic_token);
        if !secret::is_classic_token(&secret) {
            return Err(Refusal::BadTokenValue.into());
        }
        let hash = secret::token_hash(&secret).ok_or(Refusal::BadTokenValue)?;
        let life = match life {
            TokenLife::Setting => self.settings().token_life,
            TokenLife::Never => None,
            TokenLife::For(life) => Some(life),
        };
        let caller = caller.clone();
        self.write(Some(caller.id()), move |command| {
            let caller = caller.still(command.directory()).ok_or(ServiceError::Forbidden)?;
            if caller.id() != user {
                caller.require(Action::ManageUsers)?;
            }
            let owner = command.directory().user(user).ok_or(ServiceError::NotFound(Model::User))?;
            if !owner.is_active {
                return Err(Refusal::InactiveUser(owner.username.clone()).into());
            }
            if command.directory().tokens.contains_key(&hash) {
                return Err(Refusal::TokenTaken.into());
            }
            let now = command.now();
            let by_hand = |token: &&Token| token.origin == TokenOrigin::Hand && !is_expired(token, now);
            if classic_tokens(command.directory(), user).filter(by_hand).count() >= TOKENS_PER_USER {
                return Err(Refusal::TooManyTokens.into());
            }
            let (kind, origin) = (TokenKind::Classic, TokenOrigin::Hand);
            put_token(command, NewToken { user, kind, hash, life, replaceable: false, origin, note });
            Ok(secret)
        })
        .await
    }

    /// Deletes a token or a session of the caller. Those of other users are reported as not found.
    pub async fn revoke_own_token(&self, caller: &Caller, id: TokenId) -> Result<(), ServiceError> {
        let user = caller.id();
        self.write(Some(user), move |command| {
            let own = command.directory().tokens_of(user);
            let found = own.into_iter().find(|token| token.id == id).map(|token| token.hash);
            command.delete_token(found.ok_or(ServiceError::NotFound(Model::Token))?);
            Ok(())
        })
        .await
    }

    pub async fn revoke_token(&self, caller: &Caller, id: TokenId) -> Result<(), ServiceError> {
        caller.require(Action::ManageUsers)?;
        self.write(Some(caller.id()), move |command| {
            let found = command.directory().tokens.values().find(|token| token.id == id).map(|token| token.hash);
            command.delete_token(found.ok_or(ServiceError::NotFound(Model::Token))?);
            Ok(())
        })
        .await
    }

    /// Ends all tokens and sessions of a user at once.
    pub async fn revoke_all_tokens(&self, caller: &Caller, user: UserId) -> Result<(), ServiceError> {
        caller.require(Action::ManageUsers)?;
        self.delete_tokens_of(caller, user, |_| true).await
    }

    pub(in crate::service) async fn delete_tokens_of(
        &self,
        caller: &Caller,
        user: UserId,
        which: impl Fn(&Token) -> bool + Send + 'static,
    ) -> Result<(), ServiceError> {
        self.write(Some(caller.id()), move |command| {
            let tokens = command.directory().tokens_of(user).into_iter();
            let ended: Vec<TokenHash> = tokens.filter(|token| which(token)).map(|token| token.hash).collect();
            for hash in ended {
                command.delete_token(hash);
            }
            Ok(())
        })
        .await
    }

    /// Lists the tokens of one user or of all users, by id.
    #[must_use]
    pub fn tokens(&self, user: Option<UserId>) -> Vec<Arc<Token>> {
        let directory = self.directory();
        let mut tokens: Vec<Arc<Token>> =
            directory.tokens.values().filter(|token| user.is_none_or(|user| token.user == user)).cloned().collect();
        tokens.sort_by_key(|token| token.id);
        tokens
    }
}

pub(in crate::service) fn classic_tokens(directory: &Directory, user: UserId) -> impl Iterator<Item = &Token> {
    directory.tokens.classic_of(user).map(Arc::as_ref)
}

/// A token to be created. `life`: `None` for no expiry.
pub(in crate::service) struct NewToken {
    pub user: UserId,
    pub kind: TokenKind,
    pub hash: TokenHash,
    pub life: Option<Duration>,
    pub replaceable: bool,
    pub origin: TokenOrigin,
    pub note: String,
}

/// Stages a token and returns its expiry.
pub(in crate::service) fn put_token(command: &mut Command<'_>, new: NewToken) -> Option<Timestamp> {
    let NewToken { user, kind, hash, life, replaceable, origin, note } = new;
    let created = command.now();
    let micros = |life: Duration| i64::try_from(life.as_micros()).unwrap_or(i64::MAX);
    let expires = life.map(|life| created.saturating_add_micros(micros(life)));
    let id = command.new_token_id();
    command.put_token(Token { id, user, kind, hash, created, expires, replaceable, origin, note });
    expires
}

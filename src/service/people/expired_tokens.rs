//! Expired tokens: what their users are answered, and when they are deleted (contract section 2.2).
//!
//! A clock that is wrong for a while must not cost anybody a token, so the row of an expired one is kept: it is valid
//! again if the clock was wrong.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use crate::{
    domain::{
        directory::Directory,
        ids::UserId,
        limits::{EXPIRED_TOKEN_KEPT_MICROS, EXPIRED_TOKENS_KEPT},
        time::Timestamp,
        token::{Token, TokenHash, TokenKind},
    },
    service::{AuthFailure, People, people::login::is_expired},
    store::{Command, StoreError, WriteError},
};

/// Tokens whose users heard, since the server started, that they expired.
#[derive(Debug, Default)]
pub(in crate::service) struct ExpiriesTold(Mutex<HashSet<TokenHash>>);

impl ExpiriesTold {
    /// True the first time.
    fn tell(&self, hash: TokenHash) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(hash)
    }

    fn retain(&self, mut keep: impl FnMut(&TokenHash) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|hash| keep(hash));
    }
}

impl People {
    /// Why an expired token lets nobody in: the first use says so, later ones say that it is unknown. Of login tokens all
    /// uses say that.
    pub(in crate::service) fn refuse_expired(&self, token: &Token) -> AuthFailure {
        if token.kind == TokenKind::Classic && self.inner.expiries_told.tell(token.hash) {
            AuthFailure::Expired
        } else {
            AuthFailure::Invalid
        }
    }

    /// Deletes tokens that expired so long before `reached` that nobody waits for the clock to be corrected; how many.
    ///
    /// `reached` is the time up to which the clock can be believed, as [`ExpiryClock`] says; with `save` it is stored even
    /// if nothing is deleted.
    ///
    /// [`ExpiryClock`]: crate::domain::token::ExpiryClock
    pub async fn sweep_tokens(&self, reached: Timestamp, save: bool) -> Result<usize, StoreError> {
        let (directory, now) = (self.directory(), self.now());
        self.inner.expiries_told.retain(|hash| directory.tokens.get(hash).is_some_and(|token| is_expired(token, now)));
        let before = reached.min(now).saturating_add_micros(-EXPIRED_TOKEN_KEPT_MICROS);
        let is_over = move |token: &Token| token.expires.is_some_and(|expires| expires < before);
        let old: Vec<TokenHash> =
            directory.tokens.values().filter(|token| is_over(token)).map(|token| token.hash).collect();
        if old.is_empty() && !save {
            return Ok(0);
        }
        self.store()
            .write(None, move |command| {
                let mut deleted = 0;
                for hash in old {
                    if command.directory().tokens.get(&hash).is_some_and(|token| is_over(token)) {
                        command.delete_token(hash);
                        deleted += 1;
                    }
                }
                command.set_expiry_clock(reached);
                Ok::<_, StoreError>(deleted)
            })
            .await
            .map_err(|(WriteError::Refused(error) | WriteError::Store(error))| error)
    }
}

/// Of the user's expired tokens of that kind, all but the newest few: a program that logs in again and again must not
/// fill the file within the time that they are kept.
pub(in crate::service) fn delete_surplus_expired(command: &mut Command<'_>, user: UserId, kind: TokenKind) {
    for hash in surplus_expired(command.directory(), user, kind, command.now()) {
        command.delete_token(hash);
    }
}

fn surplus_expired(directory: &Directory, user: UserId, kind: TokenKind, now: Timestamp) -> Vec<TokenHash> {
    let tokens = directory.tokens_of(user).into_iter();
    let mut expired: Vec<_> = tokens.filter(|token| token.kind == kind && is_expired(token, now)).collect();
    expired.sort_by_key(|token| std::cmp::Reverse(token.id));
    expired.into_iter().skip(EXPIRED_TOKENS_KEPT).map(|token| token.hash).collect()
}

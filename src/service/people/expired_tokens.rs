//! Expired tokens: the answer to their users, and when they are deleted (contract section 2.2).
//!
//! A clock that is wrong for a while must not cost anybody a token. So the row of an expired token is kept, and the
//! token is valid again if the clock was wrong.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use crate::domain::{
    Directory, Timestamp, Token, TokenHash, TokenKind, UserId,
    limits::{EXPIRED_TOKEN_KEPT_MICROS, EXPIRED_TOKENS_KEPT},
};
use crate::service::{AuthFailure, People, people::login::is_expired};
use crate::store::{Command, StoreError};

/// Expired tokens whose users were notified of the expiry by an answer since the server started.
#[derive(Debug, Default)]
pub(in crate::service) struct ReportedExpiries(Mutex<HashSet<TokenHash>>);

impl ReportedExpiries {
    /// Records that the user is notified. Returns true the first time.
    fn tell(&self, hash: TokenHash) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(hash)
    }

    fn retain(&self, mut keep: impl FnMut(&TokenHash) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|hash| keep(hash));
    }
}

impl People {
    /// Returns why an expired token is refused. The first use of a classic token says that it has expired, later uses
    /// that it is unknown. Login tokens are always unknown.
    pub(in crate::service) fn refuse_expired(&self, token: &Token) -> AuthFailure {
        if token.kind == TokenKind::Classic && self.inner.reported_expiries.tell(token.hash) {
            AuthFailure::Expired
        } else {
            AuthFailure::Invalid
        }
    }

    /// Deletes tokens whose expiry is so far before `reached` that it cannot be due to a wrong clock. Returns their
    /// number.
    ///
    /// `reached` is the time up to which the clock can be trusted, according to [`ExpiryClock`]. With `save` it is
    /// stored even if nothing is deleted.
    ///
    /// [`ExpiryClock`]: crate::domain::token::ExpiryClock
    pub async fn sweep_tokens(&self, reached: Timestamp, save: bool) -> Result<usize, StoreError> {
        let (directory, now) = (self.directory(), self.now());
        self.inner
            .reported_expiries
            .retain(|hash| directory.tokens.get(hash).is_some_and(|token| is_expired(token, now)));
        let before = reached.min(now).saturating_add_micros(-EXPIRED_TOKEN_KEPT_MICROS);
        let is_over = move |token: &Token| token.expires.is_some_and(|expires| expires < before);
        let old: Vec<TokenHash> =
            directory.tokens.values().filter(|token| is_over(token)).map(|token| token.hash).collect();
        if old.is_empty() && !save {
            return Ok(0);
        }
        self.write(None, move |command| {
            let mut deleted = 0;
            for hash in old {
                if command.directory().tokens.get(&hash).is_some_and(|token| is_over(token)) {
                    command.delete_token(hash);
                    deleted += 1;
                }
            }
            command.set_expiry_clock(reached);
            Ok(deleted)
        })
        .await
    }
}

/// Deletes the user's expired tokens of this kind except the newest [`EXPIRED_TOKENS_KEPT`]: a program that logs in
/// repeatedly must not fill the file while expired tokens are kept.
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

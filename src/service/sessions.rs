//! Browsers that are logged in (contract section 2.1). A session is a token that only a cookie can carry; beside it goes
//! a second secret, made from it, that proves that a request comes from our own pages.

use std::{net::IpAddr, sync::Arc};

use super::{
    Caller, Credential, LoginFailure, Service, ServiceError,
    login::{is_expired, still_valid},
    users::check_length,
};
use crate::{
    auth::secret,
    domain::{
        limits::{EMAIL, PERSON_NAME, SESSION_LIFE, TOKEN_NOTE},
        time::Timestamp,
        token::TokenKind,
        user::User,
    },
};

/// A session that was just made. The secrets are known to nobody else.
#[derive(Clone)]
pub struct Session {
    pub secret: String,
    pub csrf: String,
    pub expires: Timestamp,
}

impl Service {
    /// `browser` is what its owner will know it by, cut to fit.
    pub async fn open_session(
        &self,
        username: &str,
        password: &str,
        peer: Option<IpAddr>,
        browser: &str,
    ) -> Result<Session, LoginFailure> {
        let user = self.check_password(username, password, peer).await?;
        let note = browser.chars().filter(|c| !c.is_control()).take(TOKEN_NOTE).collect();
        let (secret, expires) = self.make_passing_token(user, TokenKind::Session, SESSION_LIFE, note).await?;
        let csrf = secret::csrf_token(&secret);
        Ok(Session { secret, csrf, expires })
    }

    /// Whose session it is, from memory; `None` for all that is no session (any more).
    #[must_use]
    pub fn session(&self, secret: &str) -> Option<Caller> {
        let hash = secret::token_hash(secret)?;
        let directory = self.directory();
        let token = directory.tokens.get(&hash)?;
        if token.kind != TokenKind::Session || is_expired(token, self.now()) {
            return None;
        }
        let user = directory.user(token.user).filter(|user| user.is_active)?;
        Some(Caller {
            user: Arc::clone(user),
            source: directory.source_of(user.id).cloned(),
            credential: Credential::Session(hash),
        })
    }

    /// What a session's own pages send along with what they do.
    #[must_use]
    pub fn csrf_token(&self, secret: &str) -> String {
        secret::csrf_token(secret)
    }

    /// Ends all sessions of the caller but the one that asks.
    pub async fn end_other_sessions(&self, caller: &Caller) -> Result<(), ServiceError> {
        let own = match caller.credential {
            Credential::Session(hash) => Some(hash),
            _ => None,
        };
        self.delete_tokens(caller, move |token| token.kind == TokenKind::Session && Some(token.hash) != own).await
    }

    /// The caller's own password; ends their other sessions. Tokens stay.
    pub async fn change_own_password(
        &self,
        caller: &Caller,
        current: &str,
        new: &str,
        peer: Option<IpAddr>,
    ) -> Result<(), LoginFailure> {
        let checked = self.check_password(&caller.user.username, current, peer).await?;
        let hash = self.hash_password(new).await.map_err(|_| LoginFailure::BadCredentials)?;
        let (id, own) = (caller.id(), caller.credential);
        self.store()
            .write(Some(id), move |command| {
                still_valid(command.directory(), &checked)?;
                let mut user = User::clone(&checked);
                user.password_hash = Some(hash);
                command.put_user(user);
                let ended: Vec<_> = command
                    .directory()
                    .tokens_of(id)
                    .into_iter()
                    .filter(|token| token.kind == TokenKind::Session && own != Credential::Session(token.hash))
                    .map(|token| token.hash)
                    .collect();
                for hash in ended {
                    command.delete_token(hash);
                }
                Ok::<_, LoginFailure>(())
            })
            .await?;
        Ok(())
    }

    /// The caller's own names and address.
    pub async fn change_own_details(
        &self,
        caller: &Caller,
        first_name: String,
        last_name: String,
        email: String,
    ) -> Result<(), ServiceError> {
        check_length("first_name", PERSON_NAME, Some(&first_name))?;
        check_length("last_name", PERSON_NAME, Some(&last_name))?;
        check_length("email", EMAIL, Some(&email))?;
        self.update_user(caller, caller.id(), move |user| {
            user.first_name = first_name;
            user.last_name = last_name;
            user.email = email;
        })
        .await
        .map(|_| ())
    }
}

//! Browsers that are logged in (contract section 2.1). A session is a token that only a cookie can carry. A second
//! secret, derived from it, proves that a request comes from our own pages.

use std::{net::IpAddr, sync::Arc};

use crate::auth::secret;
use crate::domain::{
    Timestamp, Token, TokenKind,
    draft::check_length,
    limits::{EMAIL, PERSON_NAME, SESSION_LIFE, TOKEN_NOTE},
};
use crate::service::{
    Caller, Credential, LoginFailure, People, Refusal, ServiceError,
    people::{
        login::{is_expired, still_valid},
        passwords::{Proof, may_be_chosen},
    },
};
use crate::store::Command;

/// A session that was just created. The secrets are stored nowhere else.
#[derive(Clone)]
pub struct Session {
    pub secret: String,
    pub csrf: String,
    pub expires: Timestamp,
    /// Device cookie, which the browser keeps after the session. It distinguishes the browser from clients that guess
    /// passwords.
    pub device: String,
}

/// The browser from which a user logs in on a page.
#[derive(Clone, Copy)]
pub struct Browser<'a> {
    pub peer: Option<IpAddr>,
    /// Name under which its owner finds the session, cut to [`TOKEN_NOTE`] characters.
    pub name: &'a str,
    /// [`Session::device`] of an earlier login, if the browser still has it.
    pub device: Option<&'a str>,
}

/// Reason for which a password was not changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PasswordChangeFailure {
    #[error(transparent)]
    Login(#[from] LoginFailure),
    /// The new password was refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl People {
    /// Creates a session and the device cookie of the browser.
    pub async fn open_session(
        &self,
        username: &str,
        password: &str,
        browser: Browser<'_>,
    ) -> Result<Session, LoginFailure> {
        let proof = browser.device.map_or(Proof::None, Proof::Device);
        let user = self.check_password(username, password, browser.peer, proof).await?;
        let known = browser.device.filter(|cookie| secret::device(&user, cookie).is_some());
        let device = known.map(str::to_owned).or_else(|| secret::device_cookie(&user)).unwrap_or_default();
        let note = browser.name.chars().filter(|c| !c.is_control()).take(TOKEN_NOTE).collect();
        let (secret, expires) = self.make_passing_token(user, TokenKind::Session, SESSION_LIFE, note).await?;
        let csrf = secret::csrf_token(&secret);
        Ok(Session { secret, csrf, expires, device })
    }

    /// Returns the caller of a session, from memory. `None` if the secret is not one of a valid session.
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

    /// Extends a session that is in use, and returns whether it did: at most one write a day for each session.
    pub async fn extend_session(&self, secret: &str) -> Result<bool, ServiceError> {
        let Some(hash) = secret::token_hash(secret) else { return Ok(false) };
        let directory = self.directory();
        let Some(token) = directory.tokens.get(&hash).filter(|token| token.extended(self.now()).is_some()) else {
            return Ok(false);
        };
        let extend = move |command: &mut Command<'_>| {
            let token = command.directory().tokens.get(&hash).cloned();
            let expires = token.as_ref().and_then(|token| token.extended(command.now()));
            if let (Some(token), Some(expires)) = (token, expires) {
                command.put_token(Token { expires: Some(expires), ..Token::clone(&token) });
            }
            Ok::<_, ServiceError>(expires.is_some())
        };
        self.write(Some(token.user), extend).await
    }

    /// Returns the token that the session's own pages send with their forms.
    #[must_use]
    pub fn csrf_token(&self, secret: &str) -> String {
        secret::csrf_token(secret)
    }

    /// Returns whether `sent` is the token of that session's own pages.
    #[must_use]
    pub fn is_csrf_token(&self, secret: &str, sent: &[u8]) -> bool {
        secret::is_same(secret::csrf_token(secret).as_bytes(), sent)
    }

    /// Signs a notice, to prove to a later request of the same session that the server wrote it.
    #[must_use]
    pub fn sign_notice(&self, secret: &str, text: &str) -> String {
        secret::notice_signature(secret, text)
    }

    #[must_use]
    pub fn is_notice(&self, secret: &str, text: &str, signature: &str) -> bool {
        secret::is_same(secret::notice_signature(secret, text).as_bytes(), signature.as_bytes())
    }

    /// Ends all sessions of the caller except the current one.
    pub async fn end_other_sessions(&self, caller: &Caller) -> Result<(), ServiceError> {
        let own = match caller.credential {
            Credential::Session(hash) => Some(hash),
            _ => None,
        };
        self.delete_tokens(caller, move |token| token.kind == TokenKind::Session && Some(token.hash) != own).await
    }

    /// Changes the caller's own password. Ends their other sessions, and the tokens that were obtained with the old
    /// password. Tokens that were created by hand stay.
    pub async fn change_own_password(
        &self,
        caller: &Caller,
        current: &str,
        new: &str,
        peer: Option<IpAddr>,
    ) -> Result<(), PasswordChangeFailure> {
        may_be_chosen(new)?;
        let own = match caller.credential {
            Credential::Session(hash) => Some(hash),
            _ => None,
        };
        let proof = own.map_or(Proof::None, Proof::Session);
        let checked = self.check_password(&caller.user.username, current, peer, proof).await?;
        let hash = self.hash_password(new).await.map_err(|error| match error {
            ServiceError::Refused(refusal) => PasswordChangeFailure::Refused(refusal),
            ServiceError::TooOften { retry_after } => LoginFailure::TooManyTries { retry_after }.into(),
            _ => LoginFailure::BadCredentials.into(),
        })?;
        Ok(self
            .write(Some(caller.id()), move |command| {
                still_valid(command.directory(), &checked)?;
                command.edit_user_keeping(checked.id, own, |user| user.password_hash = Some(hash));
                Ok::<_, LoginFailure>(())
            })
            .await?)
    }

    /// Changes the caller's own names and e-mail address.
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

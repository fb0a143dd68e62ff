//! Authenticates callers that send username and password with each request.

use std::net::IpAddr;

use crate::service::{
    Caller, Credential, LoginFailure, People,
    people::{login::still_valid, passwords::Proof},
};

impl People {
    /// Checks a password. A password that was right is accepted for a short time without checking it again, unless it
    /// was changed or the user was deactivated since. `peer` is `None` for local callers.
    pub async fn authenticate_password(
        &self,
        username: &str,
        password: &str,
        peer: Option<IpAddr>,
    ) -> Result<Caller, LoginFailure> {
        let user = self.check_password(username, password, peer, Proof::None).await?;
        // The password may have been changed, or the user deactivated, while it was checked.
        let directory = self.directory();
        still_valid(&directory, &user)?;
        let user = directory.user(user.id).cloned().ok_or(LoginFailure::BadCredentials)?;
        let source = directory.source_of(user.id).cloned();
        Ok(Caller { user, source, credential: Credential::Password })
    }
}

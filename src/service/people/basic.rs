//! Callers that send name and password with each request.

use std::net::IpAddr;

use crate::service::{Caller, Credential, LoginFailure, People, people::login::still_valid, people::passwords::Proof};

impl People {
    /// A password that was found right is believed for a short while, unless it was changed or the user deactivated
    /// since. `peer`: `None` locally.
    pub async fn authenticate_password(
        &self,
        username: &str,
        password: &str,
        peer: Option<IpAddr>,
    ) -> Result<Caller, LoginFailure> {
        let user = self.check_password(username, password, peer, Proof::None).await?;
        // As it is now: the password may have been changed, or the user deactivated, while it was checked.
        let directory = self.directory();
        still_valid(&directory, &user)?;
        let user = directory.user(user.id).cloned().ok_or(LoginFailure::BadCredentials)?;
        let source = directory.source_of(user.id).cloned();
        Ok(Caller { user, source, credential: Credential::Password })
    }
}

//! Callers that send name and password with each request.

use std::{net::IpAddr, sync::Arc};

use super::{Caller, Credential, LoginFailure, Service};
use crate::domain::user::User;

impl Service {
    /// A password that was found right is believed for a short while, unless it was changed or the user deactivated
    /// since. `peer`: `None` locally.
    pub async fn authenticate_password(
        &self,
        username: &str,
        password: &str,
        peer: Option<IpAddr>,
    ) -> Result<Caller, LoginFailure> {
        let fingerprint = self.remembered().fingerprint(username, password);
        let known = || {
            let user = self.directory().user_named(username).filter(|user| user.is_active).cloned()?;
            self.remembered().knows(fingerprint, &user, self.moment()).then(|| self.with_password(user))
        };
        if let Some(caller) = known() {
            return Ok(caller);
        }
        let turn = self.remembered().turn(fingerprint);
        let _turn = turn.lock().await;
        if let Some(caller) = known() {
            return Ok(caller);
        }
        let user = self.check_password(username, password, peer).await?;
        self.remembered().remember(fingerprint, &user, self.moment());
        known().ok_or(LoginFailure::BadCredentials)
    }

    fn with_password(&self, user: Arc<User>) -> Caller {
        let source = self.directory().source_of(user.id).cloned();
        Caller { user, source, credential: Credential::Password }
    }
}

//! Rights of a caller, from the table of rights.

use super::{Caller, ContactRefusal, Credential, ServiceError};
use crate::domain::rights::Rank;

pub use crate::domain::rights::{Action, CONTACT_API, Forbidden, Permissions};

impl From<Forbidden> for ServiceError {
    fn from(_: Forbidden) -> Self {
        Self::Forbidden
    }
}

impl From<Forbidden> for ContactRefusal {
    fn from(_: Forbidden) -> Self {
        Self::Forbidden
    }
}

impl Caller {
    fn rank(&self) -> Rank {
        if self.user.is_superuser || self.credential == Credential::Local {
            Rank::Superuser
        } else if self.user.is_staff {
            Rank::Staff
        } else {
            Rank::User
        }
    }

    #[must_use]
    pub fn may(&self, action: Action) -> bool {
        action.is_open_to(self.rank(), &self.user.grants)
    }

    pub fn require(&self, action: Action) -> Result<(), Forbidden> {
        if self.may(action) { Ok(()) } else { Err(Forbidden) }
    }

    #[must_use]
    pub fn permissions(&self) -> Permissions {
        Permissions::of(self.rank(), &self.user.grants)
    }
}

//! Users.

use argusd::{
    domain::{ids::UserId, user::UserDraft},
    service::{Caller, Service},
};

use super::App;

/// A user who is about to be created, by the command line.
pub struct NewUser<'a> {
    service: &'a Service,
    local: &'a Caller,
    draft: UserDraft,
}

pub fn user<'a>(service: &'a Service, local: &'a Caller, name: &str) -> NewUser<'a> {
    NewUser { service, local, draft: UserDraft { username: Some(name.to_owned()), ..UserDraft::default() } }
}

impl App {
    pub fn user(&self, name: &str) -> NewUser<'_> {
        user(&self.service, &self.local, name)
    }
}

impl NewUser<'_> {
    pub fn first_name(mut self, name: &str) -> Self {
        self.draft.first_name = Some(name.to_owned());
        self
    }

    pub fn email(mut self, address: &str) -> Self {
        self.draft.email = Some(address.to_owned());
        self
    }

    pub fn staff(mut self, is_staff: bool) -> Self {
        self.draft.is_staff = Some(is_staff);
        self
    }

    pub async fn create(self) -> UserId {
        self.service.people().create_user(self.local, self.draft).await.unwrap().id
    }
}

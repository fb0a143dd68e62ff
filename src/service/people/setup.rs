//! The first start: creates an administrator, and the source `argus` for incidents of the server itself (contract
//! sections 23 and 24).

use secrecy::{ExposeSecret, SecretString};

use crate::auth::secret;
use crate::domain::{Source, UserDraft, directory::OWN_SOURCE as ARGUS};
use crate::service::{
    Caller, Credential, Model, People, ServiceError, people::users::put_new_user, sources::source::put_new_source,
};
use crate::store::Command;

const ADMIN: &str = "admin";

#[derive(Clone, Debug)]
pub struct FirstStart {
    /// The generated password. `None` if one was given.
    pub admin_password: Option<SecretString>,
}

impl People {
    /// Creates user `admin`, and the type, user and source `argus`, in an empty store. `None` if there are users
    /// already.
    pub async fn first_start(&self, password: Option<SecretString>) -> Result<Option<FirstStart>, ServiceError> {
        if !self.directory().users.is_empty() {
            return Ok(None);
        }
        let generated = password.is_none().then(|| SecretString::from(secret::password()));
        let password = password.or_else(|| generated.clone()).unwrap_or_default();
        let password_hash = Some(self.hash_password(password.expose_secret()).await?);
        self.write(None, move |command| {
            if !command.directory().users.is_empty() {
                return Ok(None);
            }
            let admin = UserDraft { username: Some(ADMIN.to_owned()), ..UserDraft::default() };
            let admin = UserDraft { is_staff: Some(true), is_superuser: Some(true), ..admin };
            put_new_user(command, admin, password_hash);
            own_source(command);
            Ok(Some(FirstStart { admin_password: generated }))
        })
        .await
    }

    /// Returns the caller of the admin socket and of offline commands: user `argus`, as a superuser and not as a
    /// source.
    pub fn local_caller(&self) -> Result<Caller, ServiceError> {
        let directory = self.directory();
        let user = directory.user_named(ARGUS).cloned().ok_or(ServiceError::NotFound(Model::User))?;
        Ok(Caller { user, source: None, credential: Credential::Local })
    }
}

/// Returns the source for incidents of the server itself. Stages it, its type and its user if they do not exist.
pub(in crate::service) fn own_source(command: &mut Command<'_>) -> Source {
    let directory = command.directory();
    if let Some(source) = directory.source_named(ARGUS, ARGUS) {
        return Source::clone(source);
    }
    let has_type = directory.source_types.contains(ARGUS);
    let user = if let Some(user) = directory.user_named(ARGUS) {
        user.id
    } else {
        let account = UserDraft { username: Some(ARGUS.to_owned()), ..UserDraft::default() };
        put_new_user(command, UserDraft { is_superuser: Some(true), ..account }, None).id
    };
    if !has_type {
        command.put_source_type(ARGUS.to_owned());
    }
    put_new_source(command, user, ARGUS.to_owned(), ARGUS.to_owned(), String::new())
}

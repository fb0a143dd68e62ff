//! People and the accounts of sources.

use super::{ids::UserId, time::Timestamp};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// Unique; letters, digits and `@.+-_`.
    pub username: String,
    /// An argon2 hash in PHC form; `None`: cannot log in with a password.
    pub password_hash: Option<String>,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub is_staff: bool,
    pub is_superuser: bool,
    pub is_active: bool,
    pub created: Timestamp,
    /// Names of permissions given to this user.
    pub grants: Vec<String>,
}

/// Letters (of any script), digits and `@.+-_`, 1 to 150 characters (contract section 4).
#[must_use]
pub fn is_valid_username(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= 150 && name.chars().all(|c| c.is_alphanumeric() || "@.+-_".contains(c))
}

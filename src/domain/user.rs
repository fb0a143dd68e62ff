//! People and the accounts of sources.

use super::{
    ids::UserId,
    limits::{PASSWORD, PASSWORD_MIN},
    time::Timestamp,
};

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

/// Why a password cannot be chosen. Those that were chosen earlier keep working.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordProblem {
    #[error("the password is too short: use at least {PASSWORD_MIN} characters")]
    TooShort,
    #[error("the password is too long: use at most {PASSWORD} characters")]
    TooLong,
}

/// `None`: it may be chosen.
#[must_use]
pub fn password_problem(password: &str) -> Option<PasswordProblem> {
    match password.chars().count() {
        ..PASSWORD_MIN => Some(PasswordProblem::TooShort),
        PASSWORD_MIN..=PASSWORD => None,
        _ => Some(PasswordProblem::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_measured_in_characters() {
        for (password, problem) in [
            (String::new(), Some(PasswordProblem::TooShort)),
            ("sieben7".to_owned(), Some(PasswordProblem::TooShort)),
            ("öööö".to_owned(), Some(PasswordProblem::TooShort)),
            ("öööööööö".to_owned(), None),
            ("x".repeat(PASSWORD), None),
            ("x".repeat(PASSWORD + 1), Some(PasswordProblem::TooLong)),
        ] {
            assert_eq!(password_problem(&password), problem, "{password}");
        }
    }
}

//! Users: people and the accounts of sources.

use secrecy::SecretString;

use super::{
    Refusal, Timestamp, UserId,
    draft::check_length,
    email,
    limits::{EMAIL, PASSWORD, PASSWORD_MIN, PERSON_NAME},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// Username, unique, of letters, digits and `@.+-_`.
    pub username: String,
    /// An argon2 hash in PHC format. `None`: the user cannot log in with a password.
    pub password_hash: Option<String>,
    pub first_name: String,
    pub last_name: String,
    pub email: String,
    pub is_staff: bool,
    pub is_superuser: bool,
    pub is_active: bool,
    pub created: Timestamp,
    /// Names of permissions.
    pub grants: Vec<String>,
}

/// The requested values of a new or changed user. `None`: unchanged, or the default of a new user.
#[derive(Clone, Debug, Default)]
pub struct UserDraft {
    /// Username of a new user. Ignored for an existing one.
    pub username: Option<String>,
    /// Password of a new user. `None`: the user cannot log in with a password.
    pub password: Option<SecretString>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
    pub is_staff: Option<bool>,
    pub is_superuser: Option<bool>,
    pub is_active: Option<bool>,
    /// Grants that replace all others.
    pub grants: Option<Vec<String>>,
    /// Grants to add.
    pub grant: Vec<String>,
    /// Grants to remove, before any are added.
    pub revoke: Vec<String>,
}

impl UserDraft {
    pub fn check(&self) -> Result<(), Refusal> {
        check_length("first_name", PERSON_NAME, self.first_name.as_deref())?;
        check_length("last_name", PERSON_NAME, self.last_name.as_deref())?;
        check_length("email", EMAIL, self.email.as_deref())
    }

    pub fn apply(self, user: &mut User) {
        set(&mut user.first_name, self.first_name);
        set(&mut user.last_name, self.last_name);
        set(&mut user.email, self.email);
        set(&mut user.is_staff, self.is_staff);
        set(&mut user.is_superuser, self.is_superuser);
        set(&mut user.is_active, self.is_active);
        set(&mut user.grants, self.grants);
        user.grants.retain(|grant| !self.revoke.contains(grant));
        for grant in self.grant {
            if !user.grants.contains(&grant) {
                user.grants.push(grant);
            }
        }
    }
}

fn set<T>(field: &mut T, wanted: Option<T>) {
    if let Some(wanted) = wanted {
        *field = wanted;
    }
}

/// Checks an e-mail address. Empty: the user has none.
pub fn check_email(address: &str) -> Result<(), Refusal> {
    if address.is_empty() || email::is_valid(address) { Ok(()) } else { Err(Refusal::BadEmail(address.to_owned())) }
}

/// Returns whether the name has 1 to 150 letters (of any script), digits and `@.+-_` (contract section 4).
#[must_use]
pub fn is_valid_username(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= 150 && name.chars().all(|c| c.is_alphanumeric() || "@.+-_".contains(c))
}

/// Reason why a new password is refused. Passwords that were set earlier stay valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordProblem {
    #[error("the password is too short: use at least {PASSWORD_MIN} characters")]
    TooShort,
    #[error("the password is too long: use at most {PASSWORD} characters")]
    TooLong,
}

/// Returns why a new password is refused. `None`: it is accepted.
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

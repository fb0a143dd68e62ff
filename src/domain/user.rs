//! Users: people, and the accounts of sources.

use secrecy::SecretString;

use super::{
    draft::check_length,
    email,
    ids::UserId,
    limits::{EMAIL, PASSWORD, PASSWORD_MIN, PERSON_NAME},
    refusal::Refusal,
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

/// What is wanted of a user. `None`: keeps its value; of a new one, its default.
#[derive(Clone, Debug, Default)]
pub struct UserDraft {
    /// Only of a new one.
    pub username: Option<String>,
    /// Only of a new one; `None`: cannot log in with a password.
    pub password: Option<SecretString>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
    pub is_staff: Option<bool>,
    pub is_superuser: Option<bool>,
    pub is_active: Option<bool>,
    /// All that the user shall have.
    pub grants: Option<Vec<String>>,
    /// To be given beside those that the user has.
    pub grant: Vec<String>,
    /// To be taken away first.
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

/// Empty: none.
pub fn check_email(address: &str) -> Result<(), Refusal> {
    if address.is_empty() || email::is_valid(address) { Ok(()) } else { Err(Refusal::BadEmail(address.to_owned())) }
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

//! Users: accounts, logins, sessions, tokens and preferences.

pub mod basic;
pub(super) mod expired_tokens;
pub mod login;
pub(super) mod passwords;
pub mod preferences;
pub mod sessions;
pub mod setup;
pub mod tokens;
pub mod users;

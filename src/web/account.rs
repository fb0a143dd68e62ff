//! One's own account: logging in and out, what pages look like, password, sessions and tokens.

pub mod login;
pub mod own;

//! Passwords and token secrets. Only argon2 hashes of passwords and SHA-256 sums of tokens are stored.

pub mod password;
pub mod remembered;
pub mod secret;
pub mod tries;

pub use password::Passwords;
pub use remembered::Remembered;
pub use tries::Tries;

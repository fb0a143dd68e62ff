//! Passwords and token secrets. Nothing secret is ever stored or shown: passwords become argon2 hashes, tokens SHA-256.

pub mod password;
pub mod remembered;
pub mod secret;
pub mod tries;

pub use password::Passwords;
pub use remembered::Remembered;
pub use tries::Tries;

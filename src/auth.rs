//! Passwords and token secrets. Only argon2 hashes of passwords and SHA-256 sums of tokens are stored.

pub mod login_limits;
pub mod password;
pub mod remembered;
pub mod secret;

pub use login_limits::LoginLimits;
pub use password::Passwords;
pub use remembered::Remembered;

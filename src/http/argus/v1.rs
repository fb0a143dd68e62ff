//! Resources of version 1 only.

pub mod lists;
pub mod phone_numbers;
pub mod profiles;
pub mod user;

//! Resources that only version 1 has.

pub mod lists;
pub mod phone_numbers;
pub mod profiles;
pub mod user;

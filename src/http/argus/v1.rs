//! What only version 1 has.

pub mod lists;
pub mod user;

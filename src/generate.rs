//! Realistic incidents in any number, for demonstrations and benchmarks.
//!
//! What they look like is pure and depends on a seed only; loading them takes the same way into the store as everything
//! else, many at a time.

mod dice;
mod draft;
mod load;
mod scenario;
mod words;

pub use self::load::{GenerateError, load};

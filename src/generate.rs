//! Realistic incidents in any number, for demonstrations and benchmarks.
//!
//! What they look like is pure and depends on a seed only; loading them takes the same way into the store as everything
//! else, many at a time.

mod demo;
mod dice;
mod draft;
mod load;
mod scenario;
mod stage;
mod words;

pub use self::{
    demo::Demo,
    load::{GenerateError, load},
};

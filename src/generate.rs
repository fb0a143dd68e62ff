//! Realistic incidents in any number, for demonstrations and benchmarks.
//!
//! Their content is pure and depends only on a seed. They are stored by the same commands as all other incidents, many
//! at a time.

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

//! The list of incidents: a view in the address, its page, what is done with many at once, and what is pushed to it.

pub mod bulk;
pub mod choices;
pub mod filters;
pub mod list;
pub mod row;
mod sentence;
pub mod view;
pub mod work;

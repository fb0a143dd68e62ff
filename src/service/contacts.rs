//! Contacts, contact groups and channels.

pub(super) mod channel_types;
pub mod channels;
pub mod contact;
pub mod groups;
pub mod lists;

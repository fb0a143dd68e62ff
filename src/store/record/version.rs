//! Versions of configuration records as they are kept for ever: without what is secret.

use crate::{
    domain::{
        change::Subject,
        destination::{Destination, shows_settings},
        user::User,
    },
    store::codec::VersionKey,
};

/// The first byte of a version's key.
#[must_use]
pub const fn subject_byte(subject: Subject) -> u8 {
    match subject {
        Subject::User => 0,
        Subject::Token => 1,
        Subject::Source => 2,
        Subject::SourceType => 3,
        Subject::Timeslot => 4,
        Subject::Destination => 5,
        Subject::Filter => 6,
        Subject::Profile => 7,
        Subject::Maintenance => 8,
        Subject::Settings => 9,
        Subject::Channel => 10,
        Subject::Rule => 11,
        // These are read one by one, so they stand behind all that are read as a whole.
        Subject::Contact => 128,
        Subject::ContactGroup => 129,
    }
}

#[must_use]
pub fn without_password(user: &User) -> User {
    User { password_hash: None, ..user.clone() }
}

#[must_use]
pub fn without_secrets(destination: &Destination) -> Destination {
    let mut destination = destination.clone();
    if !shows_settings(&destination.medium) {
        destination.settings.clear();
    }
    destination
}

/// (subject, id, sequence number of the change)
#[must_use]
pub fn split_version_key(key: VersionKey) -> (u8, u64, u64) {
    let (mut id, mut seq) = ([0; 8], [0; 8]);
    id.copy_from_slice(&key[1..9]);
    seq.copy_from_slice(&key[9..]);
    (key[0], u64::from_be_bytes(id), u64::from_be_bytes(seq))
}

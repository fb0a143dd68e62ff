//! Traits and checks that are common to all kinds of things that users create, change and delete.

use super::{
    directory::Directory,
    ids::{TimeslotId, UserId},
    limits::{NAME, THINGS_PER_KIND},
    refusal::{NotificationRefusal, Refusal},
    rights::Action,
    time::Timestamp,
};

/// A kind of thing that users create, change and delete.
pub trait Managed {
    /// Action that users need the right to.
    const ACTION: Action;
    /// Whether only the owner can find it.
    const IS_PERSONAL: bool = false;
    /// Maximum number of these things: of each owner if they are personal, otherwise of all together.
    const MOST: usize = THINGS_PER_KIND;
    /// Maximum length of its name in characters.
    const LONGEST_NAME: usize = NAME;

    /// Refuses to delete a thing that cannot be deleted.
    fn check_deletion(&self, directory: &Directory, now: Timestamp) -> Result<(), Refusal> {
        let _ = (directory, now);
        Ok(())
    }
}

/// The requested values of a new or changed thing of a kind that can be decided about from the configuration in memory
/// alone.
pub trait Draft: Send + 'static {
    type Thing: Managed;

    /// Checks what can be checked without the configuration.
    fn check(&self) -> Result<(), Refusal>;

    /// Returns the new or changed thing. `before` is `None` for a new one of `user`.
    fn apply(
        self,
        before: Option<&Self::Thing>,
        user: UserId,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<Self::Thing, Refusal>;
}

/// Returns the value of a required field, or an error if it is missing.
pub fn require<T>(field: &'static str, given: Option<T>) -> Result<T, Refusal> {
    given.ok_or(Refusal::Empty(field))
}

pub fn check_name(limit: usize, name: Option<&str>) -> Result<(), Refusal> {
    if name.is_some_and(|name| name.trim().is_empty()) {
        return Err(Refusal::Empty("name"));
    }
    check_length("name", limit, name)
}

/// Refuses another thing if there are already `count` of them. `what` is their name in the error.
pub fn check_count<T: Managed>(what: &'static str, count: usize) -> Result<(), Refusal> {
    if count < T::MOST { Ok(()) } else { Err(Refusal::TooMany { what, limit: T::MOST }) }
}

pub fn check_length(field: &'static str, limit: usize, text: Option<&str>) -> Result<(), Refusal> {
    match text {
        Some(text) if text.chars().count() > limit => Err(Refusal::TooLong { field, limit }),
        _ => Ok(()),
    }
}

/// Refuses a change that increases the uses of filters above `limit`. There are `all` uses so far, of which `before`
/// are replaced by `after`.
pub fn check_uses(
    all: usize,
    before: usize,
    after: usize,
    (what, limit): (&'static str, usize),
) -> Result<(), Refusal> {
    if after > before && all - before + after > limit {
        return Err(Refusal::TooManyInAll { field: "filters", what, limit });
    }
    Ok(())
}

pub fn check_timeslot(id: TimeslotId, owner: UserId, directory: &Directory) -> Result<(), Refusal> {
    match directory.timeslots.get(&id) {
        Some(timeslot) if timeslot.owner == owner => Ok(()),
        Some(_) => Err(NotificationRefusal::ForeignTimeslot.into()),
        None => Err(Refusal::UnknownKey { field: "timeslot", pk: id.0 }),
    }
}

#[must_use]
pub fn without_repetitions<T: PartialEq>(items: Vec<T>) -> Vec<T> {
    let mut kept: Vec<T> = Vec::with_capacity(items.len());
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}

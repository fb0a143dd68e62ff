//! Creates everything that a new user needs to be notified, in one step.

use std::{collections::BTreeMap, sync::Arc};

use crate::domain::{
    Destination, DestinationId, Directory, FilterBlob, FilterId, Level, Profile, StoredFilter, Timeslot, TimeslotId,
    UserId,
    destination::{EMAIL, EMAIL_ADDRESS, check_room},
    draft::check_count,
    profile::check_profile_filters,
    timeslot::all_the_time,
};
use crate::service::{Caller, Notifications, Refusal, ServiceError};
use crate::store::Command;

/// A profile that notifies by e-mail, at any time, of everything up to a level.
#[derive(Clone, Debug)]
pub struct FirstProfile {
    /// Must have been normalized by [`crate::domain::setting::Form::normalize`].
    pub email: String,
    pub max_level: Level,
}

impl Notifications {
    /// Creates the profile. Uses a destination, timeslot and filter of the caller if they exist, and creates them
    /// otherwise.
    pub async fn create_first_profile(
        &self,
        caller: &Caller,
        wish: FirstProfile,
    ) -> Result<Arc<Profile>, ServiceError> {
        let owner = caller.id();
        self.write(Some(owner), move |command| {
            let count = command.directory().profiles_of(owner).len();
            check_count::<Profile>("notification profiles", count)?;
            check_profile_filters(command.directory(), owner, 0, 1)?;
            let destination = destination(command, owner, wish.email)?;
            let timeslot = timeslot(command, owner)?;
            let filter = filter(command, owner, wish.max_level)?;
            let directory = command.directory();
            let name = unused(&filter_name(wish.max_level), |name| {
                directory.profiles_of(owner).iter().any(|it| it.name.as_deref() == Some(name))
            });
            let profile = Profile {
                id: command.new_profile_id(),
                owner,
                name: Some(name),
                timeslot,
                filters: vec![filter],
                destinations: vec![destination],
                active: true,
            };
            command.put_profile(profile.clone());
            Ok(Arc::new(profile))
        })
        .await
    }
}

fn destination(command: &mut Command<'_>, owner: UserId, address: String) -> Result<DestinationId, Refusal> {
    let directory = command.directory();
    if let Some(known) = directory.destinations_of(owner).into_iter().find(|it| it.is_email_to(&address)) {
        return Ok(known.id);
    }
    check_room(directory, owner)?;
    let destination = Destination {
        id: command.new_destination_id(),
        owner,
        medium: EMAIL.to_owned(),
        label: None,
        settings: BTreeMap::from([(EMAIL_ADDRESS.to_owned(), address)]),
        synced: false,
    };
    let id = destination.id;
    command.put_destination(destination);
    Ok(id)
}

fn timeslot(command: &mut Command<'_>, owner: UserId) -> Result<TimeslotId, Refusal> {
    let mut wanted = all_the_time(TimeslotId(0), owner);
    let timeslots = command.directory().timeslots_of(owner);
    if let Some(known) = timeslots.iter().find(|it| it.recurrences == wanted.recurrences) {
        return Ok(known.id);
    }
    check_count::<Timeslot>("timeslots", timeslots.len())?;
    wanted.name = unused(&wanted.name, |name| timeslots.iter().any(|it| it.name == name));
    wanted.id = command.new_timeslot_id();
    let id = wanted.id;
    command.put_timeslot(Timeslot { id, ..wanted });
    Ok(id)
}

fn filter(command: &mut Command<'_>, owner: UserId, level: Level) -> Result<FilterId, Refusal> {
    let blob = FilterBlob { max_level: Some(level), ..FilterBlob::default() };
    let directory: &Directory = command.directory();
    let filters = directory.filters_of(owner);
    if let Some(known) = filters.iter().find(|it| it.blob == blob) {
        return Ok(known.id);
    }
    check_count::<StoredFilter>("filters", filters.len())?;
    let name = unused(&filter_name(level), |name| filters.iter().any(|it| it.name == name));
    let filter = StoredFilter { id: command.new_filter_id(), owner, name, public: false, blob };
    let id = filter.id;
    command.put_filter(filter);
    Ok(id)
}

fn filter_name(level: Level) -> String {
    if level == Level::INFORMATION { "Everything".to_owned() } else { format!("Up to level {}", level.get()) }
}

/// Returns the name, with a number if it is taken.
fn unused(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2..).map(|number| format!("{name} ({number})"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !is_taken(name)).unwrap_or_default()
}

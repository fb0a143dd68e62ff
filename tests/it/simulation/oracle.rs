//! Who should be told, said by walking all profiles with nothing but the contract in mind (sections 14.4, 18 and 19.2).

use std::collections::{BTreeMap, BTreeSet};

use argusd::domain::{
    directory::Directory,
    event::{Event, EventType},
    ids::{DestinationId, FilterId, ProfileId},
    incident::{EndTime, Incident},
    profile::Profile,
    stored_filter::FilterBlob,
    time::Timestamp,
};
use chrono::{Datelike, NaiveTime};

/// What should come of an event.
#[derive(Debug, Default)]
pub struct Judgement {
    pub told: BTreeSet<DestinationId>,
    /// Of each profile that leads to nobody, all that stands against it.
    pub silences: BTreeMap<ProfileId, BTreeSet<&'static str>>,
}

/// `incident` is as it is once the event is stored, at `now`.
pub fn judge(directory: &Directory, incident: &Incident, event: &Event, now: Timestamp) -> Judgement {
    let mut judgement = Judgement::default();
    let maintenance = directory.maintenances.values().any(|it| {
        let on = it.start <= event.timestamp && it.end.is_none_or(|end| event.timestamp <= end);
        on && it.filters.iter().all(|filter| matches(directory, *filter, incident, event, now))
    });
    for profile in directory.profiles.values() {
        let mut against = BTreeSet::new();
        if !profile.active {
            against.insert("inactive");
        }
        if !directory.users[&profile.owner].is_active {
            against.insert("owner");
        }
        if !profile.filters.iter().all(|filter| matches(directory, *filter, incident, event, now)) {
            against.insert("filter");
        }
        if !profile.filters.iter().any(|filter| lets_type_through(directory, *filter, event)) {
            against.insert("type");
        }
        if !in_timeslot(directory, profile, event.timestamp) {
            against.insert("timeslot");
        }
        if maintenance {
            against.insert("maintenance");
        }
        if !directory.settings.send {
            against.insert("off");
        }
        if profile.destinations.is_empty() {
            against.insert("destination");
        }
        if against.is_empty() {
            judgement.told.extend(profile.destinations.iter().copied());
        } else {
            judgement.silences.insert(profile.id, against);
        }
    }
    judgement
}

fn blob(directory: &Directory, filter: FilterId) -> &FilterBlob {
    &directory.filters[&filter].blob
}

fn matches(directory: &Directory, filter: FilterId, incident: &Incident, event: &Event, now: Timestamp) -> bool {
    let blob = blob(directory, filter);
    let lists_nothing = [&blob.source_types, &blob.tags].iter().all(|list| list.as_ref().is_none_or(Vec::is_empty))
        && blob.source_ids.as_ref().is_none_or(Vec::is_empty)
        && blob.event_types.as_ref().is_none_or(Vec::is_empty);
    let flags = [blob.open, blob.acked, blob.stateful];
    if lists_nothing && flags == [None; 3] && blob.max_level.is_none() && !blob.hide_closed_acked {
        return false;
    }
    let stateful = incident.end != EndTime::Stateless;
    let open = match incident.end {
        EndTime::Stateless => false,
        EndTime::Infinity => true,
        EndTime::At(end) => end > now,
    };
    // While it is being acknowledged it counts as acknowledged.
    let acked = event.kind == EventType::Acknowledge || incident.is_acked(now);
    let source = &directory.sources[&incident.source];
    for (wanted, actual) in [(blob.acked, acked), (blob.stateful, stateful)] {
        if wanted.is_some_and(|wanted| wanted != actual) {
            return false;
        }
    }
    match blob.open {
        Some(true) if !(stateful && open) => return false,
        Some(false) if !stateful || open => return false,
        _ => {}
    }
    if blob.max_level.is_some_and(|max| incident.level.get() > max.get()) {
        return false;
    }
    if blob.hide_closed_acked && stateful && !open && acked {
        return false;
    }
    if blob.source_ids.as_ref().is_some_and(|ids| !ids.is_empty() && !ids.contains(&incident.source)) {
        return false;
    }
    if blob.source_types.as_ref().is_some_and(|types| !types.is_empty() && !types.contains(&source.source_type)) {
        return false;
    }
    let has: Vec<&str> = incident.tags.iter().map(|tag| tag.tag.as_str()).collect();
    let wanted = blob.tags.clone().unwrap_or_default();
    let keys: BTreeSet<&str> = wanted.iter().map(|tag| tag.split('=').next().unwrap()).collect();
    keys.into_iter()
        .all(|key| wanted.iter().any(|tag| tag.split('=').next() == Some(key) && has.contains(&tag.as_str())))
}

fn lets_type_through(directory: &Directory, filter: FilterId, event: &Event) -> bool {
    let types = blob(directory, filter).event_types.clone().unwrap_or_default();
    types.is_empty() || types.contains(&event.kind)
}

fn in_timeslot(directory: &Directory, profile: &Profile, at: Timestamp) -> bool {
    let local = at.to_datetime().with_timezone(&directory.settings.time_zone).naive_local();
    let day = local.weekday().num_days_from_monday() as u8 + 1;
    let since_midnight = (local.time() - NaiveTime::MIN).num_microseconds().unwrap() as u64;
    directory.timeslots[&profile.timeslot]
        .recurrences
        .iter()
        .any(|it| it.days.contains(&day) && (it.start.0..=it.end.0).contains(&since_midnight))
}

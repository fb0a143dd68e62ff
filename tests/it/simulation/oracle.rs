//! Recipients who should be notified, found by walking all profiles and rules with nothing but the contract in mind (sections 14.4, 18 and 19.2).

use std::collections::{BTreeMap, BTreeSet};

use argusd::domain::{
    contact::Contact,
    directory::Directory,
    event::{Event, EventType},
    ids::{ChannelId, ContactId, DestinationId, FilterId, ProfileId, RuleId, TimeslotId},
    incident::{EndTime, Incident},
    rule::{Addressee, Rule},
    stored_filter::FilterBlob,
    time::Timestamp,
};
use chrono::{Datelike, NaiveTime};

/// What should come of an event.
#[derive(Debug, Default)]
pub struct Judgement {
    pub notified: BTreeSet<DestinationId>,
    /// Of each profile that leads to nobody, all that stands against it.
    pub silences: BTreeMap<ProfileId, BTreeSet<&'static str>>,
    /// Contact and channel.
    pub called: BTreeSet<(ContactId, ChannelId)>,
    /// Of each rule that leads to nobody, all that stands against it.
    pub rule_silences: BTreeMap<RuleId, BTreeSet<&'static str>>,
}

/// `incident` is as it is once the event is stored, at `now`.
pub fn judge(
    directory: &Directory,
    contacts: &[Contact],
    incident: &Incident,
    event: &Event,
    now: Timestamp,
) -> Judgement {
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
        if !in_timeslot(directory, profile.timeslot, event.timestamp) {
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
            judgement.notified.extend(profile.destinations.iter().copied());
        } else {
            judgement.silences.insert(profile.id, against);
        }
    }
    for rule in directory.rules.values() {
        let mut against = BTreeSet::new();
        if !rule.active {
            against.insert("inactive");
        }
        if !rule.filters.iter().all(|filter| matches(directory, *filter, incident, event, now)) {
            against.insert("filter");
        }
        if !rule.filters.iter().any(|filter| lets_type_through(directory, *filter, event)) {
            against.insert("type");
        }
        if !in_timeslot(directory, rule.timeslot, event.timestamp) {
            against.insert("timeslot");
        }
        if maintenance {
            against.insert("maintenance");
        }
        if !directory.settings.send {
            against.insert("off");
        }
        if rule.recipients.is_empty() {
            against.insert("destination");
        }
        if against.is_empty() {
            let calls = calls(directory, contacts, rule, &judgement.notified);
            judgement.called.extend(calls);
        } else {
            judgement.rule_silences.insert(rule.id, against);
        }
    }
    judgement
}

/// Everybody in the rule by name or by group who has an address, unless a profile tells the same person there.
fn calls(
    directory: &Directory,
    contacts: &[Contact],
    rule: &Rule,
    notified: &BTreeSet<DestinationId>,
) -> Vec<(ContactId, ChannelId)> {
    let mut calls = Vec::new();
    for (recipient, contact) in rule.recipients.iter().flat_map(|it| contacts.iter().map(move |contact| (it, contact)))
    {
        let is_meant = match recipient.who {
            Addressee::Contact(uuid) => contact.uuid == uuid,
            Addressee::Group(uuid) => contact.groups.contains(&uuid),
        };
        let channel = directory.channels.get(&recipient.channel.unwrap_or(contact.default_channel));
        let Some(channel) = channel.filter(|_| is_meant) else { continue };
        let Some(address) = contact.addresses.get(&channel.kind) else { continue };
        let same_person = |destination: &&DestinationId| {
            let destination = &directory.destinations[*destination];
            let owner = directory.users[&destination.owner].username.to_lowercase();
            let has_address = destination.settings["email_address"].to_lowercase() == address.to_lowercase();
            contact.username.as_ref().map(|name| name.to_lowercase()) == Some(owner) && has_address
        };
        if channel.kind != "email" || !notified.iter().any(|destination| same_person(&destination)) {
            calls.push((contact.id, channel.id));
        }
    }
    calls
}

fn blob(directory: &Directory, filter: FilterId) -> &FilterBlob {
    &directory.filters[&filter].blob
}

/// With the fallback's criteria where it has none of its own.
fn completed(directory: &Directory, filter: FilterId) -> FilterBlob {
    let (mut blob, fallback) = (blob(directory, filter).clone(), &directory.settings.fallback);
    blob.open = blob.open.or(fallback.open);
    blob.max_level = blob.max_level.or(fallback.max_level);
    if blob.tags.as_ref().is_none_or(Vec::is_empty) {
        blob.tags.clone_from(&fallback.tags);
    }
    if blob.source_types.as_ref().is_none_or(Vec::is_empty) {
        blob.source_types.clone_from(&fallback.source_types);
    }
    if blob.source_ids.as_ref().is_none_or(Vec::is_empty) {
        blob.source_ids.clone_from(&fallback.source_ids);
    }
    if blob.event_types.as_ref().is_none_or(Vec::is_empty) {
        blob.event_types.clone_from(&fallback.event_types);
    }
    blob
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
    let blob = completed(directory, filter);
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
    let types = completed(directory, filter).event_types.unwrap_or_default();
    types.is_empty() || types.contains(&event.kind)
}

fn in_timeslot(directory: &Directory, timeslot: TimeslotId, at: Timestamp) -> bool {
    let local = at.to_datetime().with_timezone(&directory.settings.time_zone).naive_local();
    let day = local.weekday().num_days_from_monday() as u8 + 1;
    let since_midnight = (local.time() - NaiveTime::MIN).num_microseconds().unwrap() as u64;
    directory.timeslots[&timeslot]
        .recurrences
        .iter()
        .any(|it| it.days.contains(&day) && (it.start.0..=it.end.0).contains(&since_midnight))
}

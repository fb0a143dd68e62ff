//! What the configuration says of itself: everything that is named is there, and the last version of each record is the
//! record.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, Snapshot, StoreError};
use crate::{
    domain::{
        change::Subject,
        destination::Destination,
        directory::Directory,
        ids::{DestinationId, FilterId, MaintenanceId, ProfileId, RuleId, SourceId, TimeslotId, UserId},
        rule::Addressee,
    },
    store::{
        codec::version_key,
        counters::Counters,
        record::{
            configuration::{encode_destination, encode_filter, encode_source, encode_timeslot, encode_user},
            contact::encode_channel,
            rule::encode_rule,
            subscription::{encode_maintenance, encode_profile},
            version::{split_version_key, subject_byte, without_password, without_secrets},
        },
        schema::VERSION,
    },
};

pub fn check(snapshot: &Snapshot, directory: &Directory, findings: &mut Findings) -> Result<(), StoreError> {
    names(directory, findings);
    owners(directory, findings);
    subscriptions(directory, findings);
    recipients(snapshot, directory, findings)?;
    last_ids(directory, &snapshot.counters()?, findings);
    versions(snapshot, directory, findings)
}

fn names(directory: &Directory, findings: &mut Findings) {
    let mut names = BTreeMap::new();
    for user in directory.users.values() {
        if let Some(other) = names.insert(&user.username, user.id) {
            findings.add(format!("users {other} and {} have the same name", user.id));
        }
    }
    let mut sources = BTreeMap::new();
    for source in directory.sources.values() {
        if let Some(other) = sources.insert((&source.source_type, &source.name), source.id) {
            findings.add(format!("sources {other} and {} have the same name and type", source.id));
        }
        findings.check(directory.source_types.contains(&source.source_type), || {
            format!("source {} has the unknown type {}", source.id, source.source_type)
        });
    }
}

fn owners(directory: &Directory, findings: &mut Findings) {
    let mut check = |what: &str, id: u64, role: &str, user: UserId| {
        findings.check(directory.user(user).is_some(), || format!("{what} {id} has no {role}"));
    };
    directory.sources.values().for_each(|it| check("source", it.id.0, "user", it.user));
    directory.tokens.values().for_each(|it| check("token", it.id.0, "user", it.user));
    directory.timeslots.values().for_each(|it| check("timeslot", it.id.0, "owner", it.owner));
    directory.destinations.values().for_each(|it| check("destination", it.id.0, "owner", it.owner));
    directory.filters.values().for_each(|it| check("filter", it.id.0, "owner", it.owner));
    directory.profiles.values().for_each(|it| check("profile", it.id.0, "owner", it.owner));
    directory.rules.values().for_each(|it| check("rule", it.id.0, "owner", it.owner));
    directory.maintenances.values().for_each(|it| check("maintenance", it.id.0, "author", it.created_by));
}

fn subscriptions(directory: &Directory, findings: &mut Findings) {
    for profile in directory.profiles_where(|_| true) {
        let id = profile.id;
        findings.check(directory.timeslot_of(profile.owner, profile.timeslot).is_some(), || {
            format!("profile {id} has the unknown timeslot {}", profile.timeslot)
        });
        findings.check(!profile.filters.is_empty(), || format!("profile {id} has no filter"));
        for filter in &profile.filters {
            findings.check(directory.filters.contains_key(filter), || {
                format!("profile {id} has the unknown filter {filter}")
            });
        }
        for destination in &profile.destinations {
            findings.check(directory.destination_of(profile.owner, *destination).is_some(), || {
                format!("profile {id} has the unknown destination {destination}")
            });
        }
    }
    for rule in directory.rules_sorted() {
        let id = rule.id;
        findings.check(directory.timeslot_of(rule.owner, rule.timeslot).is_some(), || {
            format!("rule {id} has the unknown timeslot {}", rule.timeslot)
        });
        findings.check(!rule.filters.is_empty(), || format!("rule {id} has no filter"));
        for filter in &rule.filters {
            findings
                .check(directory.filters.contains_key(filter), || format!("rule {id} has the unknown filter {filter}"));
        }
        for channel in rule.recipients.iter().filter_map(|recipient| recipient.channel) {
            findings.check(directory.channels.contains_key(&channel), || {
                format!("rule {id} leads over the unknown channel {channel}")
            });
        }
        findings.check(rule.recipients.is_empty() == rule.empty_since.is_some(), || {
            format!("rule {id} does not say truly whether it has recipients")
        });
    }
    for maintenance in directory.maintenances_sorted() {
        let id = maintenance.id;
        findings.check(maintenance.end.is_none_or(|end| maintenance.start < end), || {
            format!("maintenance {id} ends before it starts")
        });
        for filter in &maintenance.filters {
            findings.check(directory.filters.contains_key(filter), || {
                format!("maintenance {id} has the unknown filter {filter}")
            });
        }
    }
}

fn recipients(snapshot: &Snapshot, directory: &Directory, findings: &mut Findings) -> Result<(), StoreError> {
    for rule in directory.rules_sorted() {
        for recipient in &rule.recipients {
            let (what, uuid, found) = match recipient.who {
                Addressee::Contact(uuid) => ("contact", uuid, snapshot.contact(uuid)?.is_some()),
                Addressee::Group(uuid) => ("contact group", uuid, snapshot.contact_group(uuid)?.is_some()),
            };
            findings.check(found, || format!("rule {} has the unknown {what} {uuid}", rule.id));
        }
    }
    Ok(())
}

fn last_ids(directory: &Directory, counters: &Counters, findings: &mut Findings) {
    let mut check = |what: &str, highest: Option<u64>, last: u64| {
        let highest = highest.unwrap_or_default();
        findings.check(highest <= last, || format!("{what} {highest} has an id not given out yet"));
    };
    let ids = |ids: &mut dyn Iterator<Item = u64>| ids.max();
    check("filter", ids(&mut directory.filters.keys().map(|id| id.0)), counters.last_filter);
    check("destination", ids(&mut directory.destinations.keys().map(|id| id.0)), counters.last_destination);
    check("timeslot", ids(&mut directory.timeslots.keys().map(|id| id.0)), counters.last_timeslot);
    check("profile", ids(&mut directory.profiles.keys().map(|id| id.0)), counters.last_profile);
    check("rule", ids(&mut directory.rules.keys().map(|id| id.0)), counters.last_rule);
    check("maintenance", ids(&mut directory.maintenances.keys().map(|id| id.0)), counters.last_maintenance);
}

/// The last version of each record is the record without its secrets, or says that there is none.
fn versions(snapshot: &Snapshot, directory: &Directory, findings: &mut Findings) -> Result<(), StoreError> {
    let versions = snapshot.txn.open_table(VERSION)?;
    let mut last: Option<(u8, u64, Vec<u8>)> = None;
    let mut seen = BTreeSet::new();
    let last_seq = snapshot.counters()?.last_seq;
    // Those of contacts and groups are looked at with their records.
    for row in versions.range(..version_key(Subject::Contact, 0, 0))? {
        let (key, value) = row?;
        let (subject, id, seq) = split_version_key(key.value());
        findings.check(seq <= last_seq, || {
            format!("a version of {} {id} is of change {seq}, which is to come", name(subject))
        });
        if let Some((before, before_id, record)) = last.take()
            && (before, before_id) != (subject, id)
        {
            version(directory, before, before_id, &record, findings)?;
        }
        seen.insert((subject, id));
        last = Some((subject, id, value.value().to_vec()));
    }
    if let Some((subject, id, record)) = last {
        version(directory, subject, id, &record, findings)?;
    }
    for (subject, id) in records(directory) {
        findings.check(seen.contains(&(subject, id)), || format!("{} {id} has no version", name(subject)));
    }
    Ok(())
}

fn version(
    directory: &Directory,
    subject: u8,
    id: u64,
    record: &[u8],
    findings: &mut Findings,
) -> Result<(), StoreError> {
    // What has no table of its own is what its last version says.
    if subject == subject_byte(Subject::Settings) {
        return Ok(());
    }
    let expected = expected(directory, subject, id)?.unwrap_or_default();
    findings
        .check(record == expected, || format!("the last version of {} {id} differs from the record", name(subject)));
    Ok(())
}

/// `None`: there is no such record.
fn expected(directory: &Directory, subject: u8, id: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let shown = |destination: &Destination| encode_destination(&without_secrets(destination));
    match SUBJECTS.iter().find(|(it, _)| subject_byte(*it) == subject).map(|(it, _)| *it) {
        Some(Subject::User) => directory.user(UserId(id)).map(|it| encode_user(&without_password(it))),
        Some(Subject::Source) => directory.source(SourceId(id)).map(|it| encode_source(it)),
        Some(Subject::Timeslot) => directory.timeslots.get(&TimeslotId(id)).map(|it| encode_timeslot(it)),
        Some(Subject::Destination) => directory.destinations.get(&DestinationId(id)).map(|it| shown(it)),
        Some(Subject::Filter) => directory.filters.get(&FilterId(id)).map(|it| encode_filter(it)),
        Some(Subject::Profile) => directory.profiles.get(&ProfileId(id)).map(|it| encode_profile(it)),
        Some(Subject::Maintenance) => directory.maintenances.get(&MaintenanceId(id)).map(|it| encode_maintenance(it)),
        Some(Subject::Rule) => directory.rules.get(&RuleId(id)).map(|it| encode_rule(it)),
        Some(Subject::Channel) => {
            let channel = directory.channels.values().find(|it| it.id.0 == id);
            channel.map(|it| encode_channel(&it.without_secrets()))
        }
        _ => None,
    }
    .transpose()
}

/// Those that keep versions.
const SUBJECTS: [(Subject, &str); 9] = [
    (Subject::User, "user"),
    (Subject::Source, "source"),
    (Subject::Timeslot, "timeslot"),
    (Subject::Destination, "destination"),
    (Subject::Filter, "filter"),
    (Subject::Profile, "profile"),
    (Subject::Maintenance, "maintenance"),
    (Subject::Rule, "rule"),
    (Subject::Channel, "channel"),
];

fn name(subject: u8) -> &'static str {
    SUBJECTS.iter().find(|(it, _)| subject_byte(*it) == subject).map_or("record", |(_, name)| name)
}

fn records(directory: &Directory) -> Vec<(u8, u64)> {
    let mut records = Vec::new();
    let mut add = |subject: Subject, ids: &mut dyn Iterator<Item = u64>| {
        records.extend(ids.map(|id| (subject_byte(subject), id)));
    };
    add(Subject::User, &mut directory.users.keys().map(|id| id.0));
    add(Subject::Source, &mut directory.sources.keys().map(|id| id.0));
    add(Subject::Timeslot, &mut directory.timeslots.keys().map(|id| id.0));
    add(Subject::Destination, &mut directory.destinations.keys().map(|id| id.0));
    add(Subject::Filter, &mut directory.filters.keys().map(|id| id.0));
    add(Subject::Profile, &mut directory.profiles.keys().map(|id| id.0));
    add(Subject::Maintenance, &mut directory.maintenances.keys().map(|id| id.0));
    add(Subject::Rule, &mut directory.rules.keys().map(|id| id.0));
    add(Subject::Channel, &mut directory.channels.values().map(|it| it.id.0));
    records.sort_unstable();
    records
}

//! Checks of the configuration: everything that is named exists, and the last version of each record equals the record.

use std::collections::BTreeMap;

use super::{Findings, Snapshot, StoreError};
use crate::domain::{Directory, directory::Subject};
use crate::store::{
    codec::{split_version_key, version_key},
    kind::{AnyKind, KINDS, kinds_beginning_with},
    schema::VERSION,
};

/// Order in which findings are reported.
const ORDER: &[Subject] = &[
    Subject::Source,
    Subject::Token,
    Subject::Timeslot,
    Subject::Destination,
    Subject::Filter,
    Subject::Profile,
    Subject::Rule,
    Subject::Maintenance,
];

/// Order in which findings about ids that were not used yet are reported.
const ORDER_OF_IDS: &[Subject] =
    &[Subject::Filter, Subject::Destination, Subject::Timeslot, Subject::Profile, Subject::Rule, Subject::Maintenance];

pub fn check(snapshot: &Snapshot, directory: &Directory, findings: &mut Findings) -> Result<(), StoreError> {
    let kinds = kinds_beginning_with(ORDER);
    for kind in KINDS {
        kind.check_all(directory, findings);
    }
    for kind in &kinds {
        kind.check_owners(directory, findings);
    }
    for kind in &kinds {
        kind.check_references(directory, findings);
    }
    kinds.iter().try_for_each(|kind| kind.check_stored_references(snapshot, directory, findings))?;
    let counters = snapshot.counters()?;
    for kind in kinds_beginning_with(ORDER_OF_IDS) {
        kind.check_last_number(directory, &counters, findings);
    }
    versions(snapshot, directory, counters.last_seq, findings)
}

/// Versions by the first byte and the number in their keys.
type Versions = BTreeMap<(u8, u64), Vec<u8>>;

/// Checks that the last version of each record is the record without its secrets, or a deletion if there is no record.
fn versions(
    snapshot: &Snapshot,
    directory: &Directory,
    last_seq: u64,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut records = Versions::new();
    for kind in KINDS.iter().filter(|kind| kind.has_versions()) {
        let of_kind = kind.versions(directory)?.into_iter();
        records.extend(of_kind.map(|(id, record)| ((kind.subject().byte(), id), record)));
    }
    let versions = snapshot.txn.open_table(VERSION)?;
    let mut last: Option<((u8, u64), Vec<u8>)> = None;
    // Versions of contacts and groups are checked with their records.
    for row in versions.range(..version_key(Subject::Contact, 0, 0))? {
        let (key, value) = row?;
        let (subject, id, seq) = split_version_key(key.value());
        findings.check(seq <= last_seq, || {
            format!("a version of {} {id} is of change {seq}, which is to come", name(subject))
        });
        if let Some((before, record)) = last.take()
            && before != (subject, id)
        {
            check_version(before, &record, &mut records, findings);
        }
        last = Some(((subject, id), value.value().to_vec()));
    }
    if let Some((key, record)) = last {
        check_version(key, &record, &mut records, findings);
    }
    for (subject, id) in records.into_keys() {
        findings.add(format!("{} {id} has no version", name(subject)));
    }
    Ok(())
}

/// Compares a version with its record, and removes the record from those whose version was not found yet.
fn check_version(key: (u8, u64), version: &[u8], records: &mut Versions, findings: &mut Findings) {
    let (subject, id) = key;
    // Settings have no table; their last version is the record.
    if subject != Subject::Settings.byte() {
        let record = records.remove(&key).unwrap_or_default();
        let is_record = version == record;
        findings.check(is_record, || format!("the last version of {} {id} differs from the record", name(subject)));
    }
}

fn name(subject: u8) -> &'static str {
    let known = |kind: &&&dyn AnyKind| kind.has_versions() && kind.subject().byte() == subject;
    KINDS.iter().find(known).map_or("record", |kind| kind.name())
}

//! Checks that records, indexes and counters agree.

mod agenda;
mod configuration;
mod contacts;
mod outbox;

use std::path::Path;

use super::{
    OpenError, Snapshot, StoreError,
    codec::{id_key, key_id, key_pair, key_time, pair_key, source_incident_key, time_key},
    file::{self, Access, DataFile},
    load,
    record::{
        change::decode_change,
        event::{decode_ack, decode_event},
        incident::{decode_incident, decode_summary},
    },
    schema::{
        EVENT_ID_TO_ACK, EVENT_ID_TO_EVENT, INCIDENT_ID_TO_INCIDENT, PairKey, SEQ_TO_CHANGE,
        SOURCE_INCIDENT_ID_TO_INCIDENT_ID, START_TO_SUMMARY, TIMESTAMP_TO_INCIDENT_ID,
    },
    tables,
};
use crate::domain::{
    Directory, EventType, EventTypeSet, Incident, IncidentId, Timestamp, ack::acked_until, incident::Summary,
};

/// Maximum number of findings. More would not help.
const FINDINGS_MAX: usize = 100;

/// Compares all pages of a file that is not open with their checksums. Does not write.
pub fn verify_pages(path: &Path) -> Result<Vec<String>, OpenError> {
    if !path.exists() {
        return Err(OpenError::Missing(path.to_owned()));
    }
    // Opening finds out whether another process has the file open, and does not disturb it if so.
    let opened = DataFile::open(path, false, Access::unchanged());
    if let Err(error @ (OpenError::InUse(_) | OpenError::Foreign(_) | OpenError::Empty(_) | OpenError::Newer { .. })) =
        opened
    {
        return Err(error);
    }
    let failed = |error: std::io::Error| OpenError::Store { path: path.to_owned(), source: error.into() };
    let findings = match file::pages_of(path).map_err(failed)? {
        Ok(disk) => disk.verify(true, &mut || Ok(())).map_err(failed)?,
        Err(wrong) => vec![wrong.to_owned()],
    };
    if findings.is_empty() { opened.map(|_| findings) } else { Ok(findings) }
}

/// Verifies the pages, then the records.
#[cfg(test)]
pub fn verify_file(path: &Path) -> Result<Vec<String>, OpenError> {
    let findings = verify_pages(path)?;
    if !findings.is_empty() {
        return Ok(findings);
    }
    let failed = |source: StoreError| OpenError::Store { path: path.to_owned(), source };
    let file = DataFile::open(path, false, Access::unchanged())?;
    let snapshot = file.database().and_then(Snapshot::new).map_err(failed)?;
    verify(&snapshot).map_err(failed)
}

/// Returns all inconsistencies, one line each, at most a hundred.
pub fn verify(snapshot: &Snapshot) -> Result<Vec<String>, StoreError> {
    let mut findings = Findings(Vec::new());
    let directory = load::directory(&snapshot.txn)?;
    incidents(snapshot, &directory, &mut findings)?;
    summaries(snapshot, &mut findings)?;
    source_incident_ids(snapshot, &mut findings)?;
    events(snapshot, &mut findings)?;
    event_times(snapshot, &mut findings)?;
    acks(snapshot, &mut findings)?;
    changes(snapshot, &mut findings)?;
    configuration::check(snapshot, &directory, &mut findings)?;
    contacts::verify(snapshot, &directory, &mut findings)?;
    outbox::check(snapshot, &mut findings)?;
    agenda::check(snapshot, &directory, &mut findings)?;
    Ok(findings.0)
}

/// Inconsistencies that were found, one line each.
pub struct Findings(Vec<String>);

impl Findings {
    pub fn add(&mut self, finding: String) {
        if self.0.len() < FINDINGS_MAX {
            self.0.push(finding);
        }
    }

    pub fn check(&mut self, sound: bool, finding: impl FnOnce() -> String) {
        if !sound {
            self.add(finding());
        }
    }

    fn count(&mut self, name: &str, counted: u64, stored: u64) {
        self.check(counted == stored, || format!("counter {name} is {stored}, but there are {counted}"));
    }
}

fn incidents(snapshot: &Snapshot, directory: &Directory, findings: &mut Findings) -> Result<(), StoreError> {
    let table = snapshot.txn.open_table(INCIDENT_ID_TO_INCIDENT)?;
    let summaries = snapshot.txn.open_table(START_TO_SUMMARY)?;
    let names = snapshot.txn.open_table(SOURCE_INCIDENT_ID_TO_INCIDENT_ID)?;
    let counters = snapshot.counters()?;
    let (mut counted, mut highest) = (0, 0);
    for row in table.range::<[u8; 8]>(..)? {
        let (key, value) = row?;
        let id = key_id(key.value());
        counted += 1;
        highest = id;
        let incident = match decode_incident(id, value.value()) {
            Ok(incident) => incident,
            Err(error) => {
                findings.add(format!("incident {id}: {error}"));
                continue;
            }
        };
        let summary = summaries.get(time_key(incident.start, id))?;
        let summary = summary.map(|value| decode_summary(incident.start, id, value.value())).transpose()?;
        match summary {
            None => findings.add(format!("incident {id} is missing in the index by start")),
            Some(summary) => findings.check(summary == Summary::from(&incident), || {
                format!("incident {id} differs from its row in the index by start")
            }),
        }
        findings.check(directory.source(incident.source).is_some(), || {
            format!("incident {id} has the unknown source {}", incident.source)
        });
        if !incident.source_incident_id.is_empty() {
            let name = source_incident_key(incident.source.0, &incident.source_incident_id);
            let found = names.get(name.as_slice())?.map(|value| key_id(value.value()));
            findings.check(found == Some(id), || {
                format!("incident {id} is not found by its source incident id, but {found:?}")
            });
        }
        derived(snapshot, &incident, findings)?;
    }
    findings.count("incidents", counted, counters.incidents);
    findings.check(highest <= counters.last_incident, || format!("incident {highest} has an id not given out yet"));
    Ok(())
}

fn derived(snapshot: &Snapshot, incident: &Incident, findings: &mut Findings) -> Result<(), StoreError> {
    let (id, events, acks) = (incident.id, snapshot.events_of(incident.id)?, snapshot.acks_of(incident.id)?);
    let types: EventTypeSet = events.iter().map(|event| event.kind).collect();
    findings.check(types == incident.event_types, || format!("incident {id} has other event types than its events"));
    findings.check(acked_until(&acks) == incident.acked_until, || {
        format!("incident {id} is acknowledged for another time than its acknowledgements")
    });
    let last = events.iter().map(|event| event.received).max();
    findings.check(last == Some(incident.last_event), || format!("incident {id} has another last event than noted"));
    Ok(())
}

fn summaries(snapshot: &Snapshot, findings: &mut Findings) -> Result<(), StoreError> {
    let incidents = snapshot.txn.open_table(INCIDENT_ID_TO_INCIDENT)?;
    for row in snapshot.txn.open_table(START_TO_SUMMARY)?.range::<PairKey>(..)? {
        let (start, id) = key_time(row?.0.value())?;
        let found = incidents.get(id_key(id))?.map(|value| decode_incident(id, value.value())).transpose();
        let starts: Option<Timestamp> = found.ok().flatten().map(|incident| incident.start);
        findings.check(starts == Some(start), || format!("the index by start has a row without an incident: {id}"));
    }
    Ok(())
}

fn source_incident_ids(snapshot: &Snapshot, findings: &mut Findings) -> Result<(), StoreError> {
    let incidents = snapshot.txn.open_table(INCIDENT_ID_TO_INCIDENT)?;
    for row in snapshot.txn.open_table(SOURCE_INCIDENT_ID_TO_INCIDENT_ID)?.range::<&[u8]>(..)? {
        let (key, value) = row?;
        let id = key_id(value.value());
        let found = tables::incident(&incidents, IncidentId(id)).ok().flatten();
        let name = found.map(|incident| source_incident_key(incident.source.0, &incident.source_incident_id));
        findings.check(name.as_deref() == Some(key.value()), || {
            format!("the index by source incident id has a row without an incident: {id}")
        });
    }
    Ok(())
}

fn events(snapshot: &Snapshot, findings: &mut Findings) -> Result<(), StoreError> {
    let incidents = snapshot.txn.open_table(INCIDENT_ID_TO_INCIDENT)?;
    let times = snapshot.txn.open_table(TIMESTAMP_TO_INCIDENT_ID)?;
    let counters = snapshot.counters()?;
    let (mut counted, mut highest) = (0, 0);
    for row in snapshot.txn.open_table(EVENT_ID_TO_EVENT)?.range::<PairKey>(..)? {
        let (key, value) = row?;
        let (incident, id) = key_pair(key.value());
        counted += 1;
        highest = highest.max(id);
        match decode_event(incident, id, value.value()) {
            Ok(event) => {
                let found = times.get(time_key(event.timestamp, id))?.map(|value| key_id(value.value()));
                findings.check(found == Some(incident), || format!("event {id} is missing in the index by time"));
            }
            Err(error) => findings.add(format!("event {id}: {error}")),
        }
        findings.check(incidents.get(id_key(incident))?.is_some(), || {
            format!("event {id} is orphaned: there is no incident {incident}")
        });
    }
    findings.count("events", counted, counters.events);
    findings.check(highest <= counters.last_event, || format!("event {highest} has an id not given out yet"));
    Ok(())
}

fn event_times(snapshot: &Snapshot, findings: &mut Findings) -> Result<(), StoreError> {
    let events = snapshot.txn.open_table(EVENT_ID_TO_EVENT)?;
    for row in snapshot.txn.open_table(TIMESTAMP_TO_INCIDENT_ID)?.range::<PairKey>(..)? {
        let (key, value) = row?;
        let (at, id) = key_time(key.value())?;
        let incident = key_id(value.value());
        let found = events.get(pair_key(incident, id))?.map(|value| decode_event(incident, id, value.value()));
        let timestamp = found.and_then(Result::ok).map(|event| event.timestamp);
        findings.check(timestamp == Some(at), || format!("the index by time has a row without an event: {id}"));
    }
    Ok(())
}

fn acks(snapshot: &Snapshot, findings: &mut Findings) -> Result<(), StoreError> {
    let events = snapshot.txn.open_table(EVENT_ID_TO_EVENT)?;
    let mut counted = 0;
    for row in snapshot.txn.open_table(EVENT_ID_TO_ACK)?.range::<PairKey>(..)? {
        let (key, value) = row?;
        let (incident, id) = key_pair(key.value());
        counted += 1;
        if let Err(error) = decode_ack(incident, id, value.value()) {
            findings.add(format!("acknowledgement {id}: {error}"));
        }
        let event = events.get(pair_key(incident, id))?.map(|value| decode_event(incident, id, value.value()));
        let kind = event.and_then(Result::ok).map(|event| event.kind);
        findings.check(kind == Some(EventType::Acknowledge), || {
            format!("acknowledgement {id} of incident {incident} has no event")
        });
    }
    findings.count("acks", counted, snapshot.counters()?.acks);
    Ok(())
}

fn changes(snapshot: &Snapshot, findings: &mut Findings) -> Result<(), StoreError> {
    let counters = snapshot.counters()?;
    let mut expected = None;
    for row in snapshot.txn.open_table(SEQ_TO_CHANGE)?.range::<[u8; 8]>(..)? {
        let (key, value) = row?;
        let seq = key_id(key.value());
        if let Err(error) = decode_change(seq, value.value()) {
            findings.add(format!("change {seq}: {error}"));
        }
        if seq > counters.trimmed + 1 {
            findings.check(expected == Some(seq), || format!("the change log has a gap before {seq}"));
        }
        expected = Some(seq + 1);
    }
    let next = expected.unwrap_or(counters.last_seq + 1).max(counters.trimmed + 1);
    findings.check(next == counters.last_seq + 1, || {
        format!("the change log ends at {}, but {} changes were counted", next - 1, counters.last_seq)
    });
    Ok(())
}

#[cfg(test)]
mod tests;

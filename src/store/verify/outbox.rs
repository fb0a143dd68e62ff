//! Checks of messages and their indexes.

use redb::ReadableTable;

use super::{Findings, Snapshot, StoreError};
use crate::domain::{Message, MessageState, MessageSubject, Rule};
use crate::store::{
    codec::{id_key, key_id, key_pair, pair_key},
    kind::{Kind, decode_overflow},
    record::message::{decode_message, decode_near_misses},
    schema::{
        DEAD_MESSAGE, DUE_MESSAGE, EVENT_ID_TO_EVENT, EVENT_ID_TO_NEAR_MISSES, INCIDENT_ID_TO_INCIDENT,
        INCIDENT_MESSAGE, MESSAGE_ID_TO_MESSAGE, RULE_ID_TO_OVERFLOW,
    },
    tables,
};

pub fn check(snapshot: &Snapshot, findings: &mut Findings) -> Result<(), StoreError> {
    messages(snapshot, findings)?;
    indexes(snapshot, findings)?;
    near_misses(snapshot, findings)?;
    overflows(snapshot, findings)
}

fn overflows(snapshot: &Snapshot, findings: &mut Findings) -> Result<(), StoreError> {
    let rules = snapshot.txn.open_table(Rule::TABLE)?;
    for row in snapshot.txn.open_table(RULE_ID_TO_OVERFLOW)?.iter()? {
        let (key, value) = row?;
        let id = key_id(key.value());
        if let Err(error) = decode_overflow(id, value.value()) {
            findings.add(format!("overflow of rule {id}: {error}"));
        }
        let found = rules.get(id_key(id))?.is_some();
        findings.check(found, || format!("there is an overflow of rule {id}, which does not exist"));
    }
    Ok(())
}

fn messages(snapshot: &Snapshot, findings: &mut Findings) -> Result<(), StoreError> {
    let due = snapshot.txn.open_table(DUE_MESSAGE)?;
    let dead = snapshot.txn.open_table(DEAD_MESSAGE)?;
    let of_incidents = snapshot.txn.open_table(INCIDENT_MESSAGE)?;
    let incidents = snapshot.txn.open_table(INCIDENT_ID_TO_INCIDENT)?;
    let messages = snapshot.txn.open_table(MESSAGE_ID_TO_MESSAGE)?;
    let mut highest = 0;
    for row in messages.iter()? {
        let (key, value) = row?;
        let id = key_id(key.value());
        highest = id;
        let message = match decode_message(id, value.value()) {
            Ok(message) => message,
            Err(error) => {
                findings.add(format!("message {id}: {error}"));
                continue;
            }
        };
        let (in_due, in_dead) = (due.get(id_key(id))?.is_some(), dead.get(id_key(id))?.is_some());
        findings.check(in_due == message.is_due(), || agrees(id, "due", in_due));
        findings.check(in_dead == message.is_dead(), || agrees(id, "dead", in_dead));
        // A message may outlive its incident, with which the rows of the index are deleted.
        if let Some(incident) = message.incident() {
            let is_listed = of_incidents.get(pair_key(incident.0, id))?.is_some();
            let expected = incidents.get(id_key(incident.0))?.is_some();
            findings.check(is_listed || !expected, || format!("message {id} is not listed with incident {incident}"));
        }
        for other in companions(&message) {
            let found = messages.get(id_key(other))?.is_some();
            findings.check(found, || format!("message {id} names the unknown message {other}"));
        }
    }
    let last = snapshot.counters()?.last_message;
    findings.check(highest <= last, || format!("message {highest} has an id not given out yet"));
    Ok(())
}

fn agrees(id: u64, what: &str, is_listed: bool) -> String {
    if is_listed {
        format!("message {id} is listed as {what}, but is not")
    } else {
        format!("message {id} is {what}, but is not listed so")
    }
}

/// Returns the summary that replaces the message, or the messages that it replaces.
fn companions(message: &Message) -> Vec<u64> {
    let summary = match message.state {
        MessageState::Gathered { into, .. } => Some(into.0),
        _ => None,
    };
    let parts = match &message.about {
        MessageSubject::Summary(parts) => parts.iter().map(|id| id.0).collect(),
        MessageSubject::Event { .. } => Vec::new(),
    };
    summary.into_iter().chain(parts).collect()
}

fn indexes(snapshot: &Snapshot, findings: &mut Findings) -> Result<(), StoreError> {
    let messages = snapshot.txn.open_table(MESSAGE_ID_TO_MESSAGE)?;
    for (what, table) in [("due", DUE_MESSAGE), ("dead", DEAD_MESSAGE)] {
        for row in snapshot.txn.open_table(table)?.iter()? {
            let id = key_id(row?.0.value());
            let found = messages.get(id_key(id))?.is_some();
            findings.check(found, || format!("the index of {what} messages has a row without a message: {id}"));
        }
    }
    for row in snapshot.txn.open_table(INCIDENT_MESSAGE)?.iter()? {
        let (incident, id) = key_pair(row?.0.value());
        let about = tables::message(&messages, crate::domain::ids::MessageId(id)).ok().flatten();
        let found = about.and_then(|message| message.incident()).is_some_and(|it| it.0 == incident);
        findings.check(found, || format!("the index of messages by incident has a row without a message: {id}"));
    }
    Ok(())
}

fn near_misses(snapshot: &Snapshot, findings: &mut Findings) -> Result<(), StoreError> {
    let events = snapshot.txn.open_table(EVENT_ID_TO_EVENT)?;
    for row in snapshot.txn.open_table(EVENT_ID_TO_NEAR_MISSES)?.iter()? {
        let (key, value) = row?;
        let (incident, event) = key_pair(key.value());
        if let Err(error) = decode_near_misses(value.value()) {
            findings.add(format!("near misses of event {event}: {error}"));
        }
        let found = events.get(pair_key(incident, event))?.is_some();
        findings.check(found, || format!("there are near misses of event {event}, but no such event"));
    }
    Ok(())
}

//! Tests of damage to profiles, filters, timeslots, destinations and the outbox.

use std::collections::BTreeMap;

use super::*;
use crate::{
    domain::{
        destination::Destination,
        directory::Subject,
        ids::{DestinationId, EventId, IncidentId, MaintenanceId, MessageId, ProfileId, TimeslotId},
        maintenance::Maintenance,
        message::{Message, MessageState, MessageSubject, Route},
        profile::Profile,
        timeslot::{Timeslot, all_the_time},
    },
    store::{
        codec::version_key,
        record::message::encode_message,
        schema::{
            DEAD_MESSAGE, DUE_MESSAGE, EVENT_ID_TO_NEAR_MISSES, INCIDENT_MESSAGE, MESSAGE_ID_TO_MESSAGE, VERSION,
        },
    },
};

fn profile() -> Profile {
    Profile {
        id: ProfileId(1),
        owner: UserId(1),
        name: None,
        timeslot: TimeslotId(1),
        filters: vec![FilterId(1)],
        destinations: vec![DestinationId(1)],
        active: true,
    }
}

fn maintenance() -> Maintenance {
    Maintenance {
        id: MaintenanceId(1),
        created_by: UserId(1),
        created: NOW,
        start: NOW,
        end: None,
        description: String::new(),
        filters: vec![FilterId(1)],
    }
}

/// Returns a message about incident 1: queued if the number is even, otherwise failed.
fn message(id: u64) -> Message {
    Message {
        id: MessageId(id),
        created: NOW,
        about: MessageSubject::Event { incident: IncidentId(1), event: EventId(1) },
        route: Route::Destination {
            user: UserId(1),
            profile: ProfileId(1),
            destination: DestinationId(1),
            medium: "webhook".to_owned(),
        },
        address: "x.org".to_owned(),
        state: if id.is_multiple_of(2) {
            MessageState::Due { at: NOW, since: NOW }
        } else {
            MessageState::Dead { at: NOW }
        },
        attempts: 0,
        last_attempt: None,
        answer: String::new(),
    }
}

/// Creates a file with all that a profile needs, four messages, and an incident that was deleted before its message was
/// sent.
fn furnished() -> Planted {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("argusd.redb");
    let store = Store::open(&path, Options::default(), Arc::new(ManualClock::new(NOW))).unwrap();
    let furnish = |command: &mut crate::store::Command<'_>| {
        command.add_user(crate::domain::user::User { password_hash: Some("secret".to_owned()), ..user() });
        command.put_source_type("test".to_owned());
        let id = command.new_source_id();
        command.put_source(Source {
            id,
            name: "source".to_owned(),
            source_type: "test".to_owned(),
            user: UserId(1),
            base_url: String::new(),
            heartbeat_frequency: None,
        });
        let timeslot = command.new_timeslot_id();
        command.put_timeslot(all_the_time(timeslot, UserId(1)));
        let id = command.new_filter_id();
        let blob = FilterBlob { open: Some(true), ..FilterBlob::default() };
        command.put_filter(StoredFilter { id, owner: UserId(1), name: "f".to_owned(), public: false, blob });
        let id = command.new_destination_id();
        command.put_destination(Destination {
            id,
            owner: UserId(1),
            medium: "webhook".to_owned(),
            label: None,
            settings: BTreeMap::from([("secret".to_owned(), "s".to_owned())]),
            synced: false,
        });
        command.new_profile_id();
        command.put_profile(Profile { active: false, ..profile() });
        command.put_profile(profile());
        command.new_maintenance_id();
        command.put_maintenance(maintenance());
        let gone = command.new_profile_id();
        command.put_profile(Profile { id: gone, ..profile() });
        command.delete_profile(gone);
        for _ in 0..2 {
            let (incident, event) = incident(command.new_incident_id().0);
            command.new_event_id();
            command.log(ChangeKind::IncidentCreated { incident: incident.id, event: event.id });
            command.put_incident(incident);
            command.put_event(event);
        }
        for _ in 0..4 {
            let id = command.new_message_id().0;
            command.put_message(message(id));
        }
        let id = command.new_message_id();
        let about = MessageSubject::Event { incident: IncidentId(2), event: EventId(2) };
        command.put_message(Message { id, about, ..message(5) });
        Ok::<(), StoreError>(())
    };
    store.write_blocking(None, furnish).unwrap();
    let delete = |command: &mut crate::store::Command<'_>| {
        command.delete_incident(IncidentId(2));
        Ok::<(), StoreError>(())
    };
    store.write_blocking(None, delete).unwrap();
    store.close().unwrap();
    assert_eq!(verify_file(&path).unwrap(), Vec::<String>::new());
    Planted { path, _folder: folder }
}

fn findings_after(damage: impl FnOnce(&WriteTransaction)) -> Vec<String> {
    let planted = furnished();
    let database = redb::Database::create(&planted.path).unwrap();
    let txn = database.begin_write().unwrap();
    damage(&txn);
    txn.commit().unwrap();
    drop(database);
    verify_file(&planted.path).unwrap()
}

#[track_caller]
fn finds(findings: &[String], expected: &str) {
    assert!(findings.iter().any(|finding| finding == expected), "{expected}: {findings:?}");
}

#[test]
fn finds_profiles_and_maintenance_of_which_something_is_missing() {
    let findings = findings_after(|txn| {
        txn.open_table(Timeslot::TABLE).unwrap().remove(id_key(1)).unwrap();
        txn.open_table(StoredFilter::TABLE).unwrap().remove(id_key(1)).unwrap();
        txn.open_table(Destination::TABLE).unwrap().remove(id_key(1)).unwrap();
    });
    for expected in [
        "profile 1 has the unknown timeslot 1",
        "profile 1 has the unknown filter 1",
        "profile 1 has the unknown destination 1",
        "maintenance 1 has the unknown filter 1",
        "the last version of filter 1 differs from the record",
    ] {
        finds(&findings, expected);
    }
}

#[test]
fn finds_records_that_are_not_what_they_were() {
    let findings = findings_after(|txn| {
        let changed = Profile { owner: UserId(9), filters: Vec::new(), ..profile() };
        let mut profiles = txn.open_table(Profile::TABLE).unwrap();
        profiles.insert(id_key(1), changed.encode().unwrap().as_slice()).unwrap();
        profiles.insert(id_key(7), profile().encode().unwrap().as_slice()).unwrap();
        let changed = Maintenance { created_by: UserId(9), end: Some(NOW), ..maintenance() };
        let mut maintenances = txn.open_table(Maintenance::TABLE).unwrap();
        maintenances.insert(id_key(1), changed.encode().unwrap().as_slice()).unwrap();
        maintenances.insert(id_key(7), maintenance().encode().unwrap().as_slice()).unwrap();
    });
    for expected in [
        "profile 1 has no owner",
        "profile 1 has no filter",
        "profile 1 has the unknown timeslot 1",
        "the last version of profile 1 differs from the record",
        "profile 7 has no version",
        "profile 7 has an id not given out yet",
        "maintenance 1 has no author",
        "maintenance 1 ends before it starts",
        "the last version of maintenance 1 differs from the record",
        "maintenance 7 has no version",
        "maintenance 7 has an id not given out yet",
    ] {
        finds(&findings, expected);
    }
}

#[test]
fn finds_versions_that_do_not_belong() {
    let findings = findings_after(|txn| {
        let mut versions = txn.open_table(VERSION).unwrap();
        versions.insert(version_key(Subject::Profile, 1, 9_000), [].as_slice()).unwrap();
        versions.insert(version_key(Subject::Timeslot, 5, 1), [1_u8].as_slice()).unwrap();
    });
    for expected in [
        "a version of profile 1 is of change 9000, which is to come",
        "the last version of profile 1 differs from the record",
        "the last version of timeslot 5 differs from the record",
    ] {
        finds(&findings, expected);
    }
}

#[test]
fn finds_messages_in_the_wrong_lists() {
    let findings = findings_after(|txn| {
        let mut due = txn.open_table(DUE_MESSAGE).unwrap();
        due.remove(id_key(2)).unwrap();
        due.insert(id_key(1), ()).unwrap();
        due.insert(id_key(77), ()).unwrap();
        let mut dead = txn.open_table(DEAD_MESSAGE).unwrap();
        dead.remove(id_key(1)).unwrap();
        dead.insert(id_key(4), ()).unwrap();
        dead.insert(id_key(78), ()).unwrap();
        let mut of_incidents = txn.open_table(INCIDENT_MESSAGE).unwrap();
        of_incidents.remove(pair_key(1, 3)).unwrap();
        of_incidents.insert(pair_key(1, 79), ()).unwrap();
        of_incidents.insert(pair_key(2, 4), ()).unwrap();
    });
    assert_eq!(
        findings,
        [
            "message 1 is listed as due, but is not",
            "message 1 is dead, but is not listed so",
            "message 2 is due, but is not listed so",
            "message 3 is not listed with incident 1",
            "message 4 is listed as dead, but is not",
            "the index of due messages has a row without a message: 77",
            "the index of dead messages has a row without a message: 78",
            "the index of messages by incident has a row without a message: 79",
            "the index of messages by incident has a row without a message: 4",
        ]
    );
}

#[test]
fn finds_messages_and_near_misses_that_lead_nowhere() {
    let findings = findings_after(|txn| {
        let mut messages = txn.open_table(MESSAGE_ID_TO_MESSAGE).unwrap();
        let gathered = Message { state: MessageState::Gathered { into: MessageId(90), at: NOW }, ..message(9) };
        messages.insert(id_key(9), encode_message(&gathered).unwrap().as_slice()).unwrap();
        messages.insert(id_key(3), [1_u8, 2].as_slice()).unwrap();
        let mut misses = txn.open_table(EVENT_ID_TO_NEAR_MISSES).unwrap();
        misses.insert(pair_key(1, 500), [1_u8, 0, 0].as_slice()).unwrap();
    });
    for expected in [
        "message 9 names the unknown message 90",
        "message 9 is not listed with incident 1",
        "message 9 has an id not given out yet",
        "there are near misses of event 500, but no such event",
    ] {
        finds(&findings, expected);
    }
    assert!(findings.iter().any(|finding| finding.starts_with("message 3: the data file is damaged")), "{findings:?}");
}

//! Tests of damaged, removed and replaced files: reads are verified, and failed writes are reported.

use std::{collections::BTreeSet, fs, os::unix::fs::FileExt, path::Path, sync::Arc};

use redb::{ReadableDatabase, ReadableTable, ReadableTableMetadata, TableHandle};

use super::{NOW, Planted, sound, user};
use crate::{
    clock::ManualClock,
    domain::ids::{EventId, IncidentId},
    store::{
        BackupError, OpenError, Options, Store, StoreError, WriteError,
        codec::{id_key, time_key},
        file::pages_of,
        pages::{self, PAGE_BYTES},
        schema::{INCIDENT_ID_TO_INCIDENT, NAME_TO_COUNTER, SEQ_TO_CHANGE, START_TO_SUMMARY},
        verify::{verify_file, verify_pages},
    },
};

/// Opens a file without a cache, so that damage is found. Without optimization, redb reads all pages when it opens a
/// file.
fn open(path: &Path) -> Result<Store, OpenError> {
    Store::open(path, Options { cache_bytes: 0, create: false }, Arc::new(ManualClock::new(NOW)))
}

fn write_user(store: &Store) -> Result<(), WriteError<StoreError>> {
    store.write_blocking(None, |command| {
        let username = format!("user{}", command.directory().users.len() + 1);
        command.add_user(crate::domain::user::User { username, ..user() });
        Ok(())
    })
}

/// Returns the offsets at which "needle in haystack number 500" occurs in the file.
fn needles(path: &Path) -> Vec<u64> {
    let bytes = fs::read(path).unwrap();
    let needle = b"needle in haystack number 500";
    let windows = bytes.windows(needle.len()).enumerate();
    windows.filter(|(_, window)| *window == needle).map(|(at, _)| at as u64).collect()
}

/// Flips a bit in each copy of incident 500's description.
fn damage(path: &Path) {
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    for at in needles(path) {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 4], at).unwrap();
    }
}

#[test]
fn the_pages_of_a_sound_file_have_the_sums_that_redb_wrote() {
    let planted = sound();
    let disk = pages_of(&planted.path).unwrap().unwrap();
    let mut read = 0;
    let findings = disk.verify(true, &mut || {
        read += 1;
        Ok(())
    });
    assert_eq!(findings.unwrap(), Vec::<String>::new());
    assert!(read > 50, "{read} pages");
}

#[test]
fn each_damaged_page_is_found_and_its_table_named() {
    let planted = sound();
    let good = fs::read(&planted.path).unwrap();
    // A page whose damage is not found is one that nothing refers to.
    let mut found = BTreeSet::new();
    let mut count = 0;
    for page in 1..good.len() as u64 / PAGE_BYTES {
        let file = fs::OpenOptions::new().write(true).open(&planted.path).unwrap();
        let at = page * PAGE_BYTES;
        file.write_all_at(&[good[at as usize + 2] ^ 0x10], at + 2).unwrap();
        let findings = pages_of(&planted.path).unwrap().unwrap().verify(true, &mut || Ok(())).unwrap();
        file.write_all_at(&good[at as usize + 2..at as usize + 3], at + 2).unwrap();
        assert!(findings.len() <= 1, "{findings:?}");
        count += findings.len();
        found.extend(findings.into_iter().map(|finding| finding.split(':').next().unwrap().to_owned()));
    }
    for table in ["incident_id_to_incident", "event_id_to_event", "start_to_summary", "name_to_counter"] {
        assert!(found.contains(&format!("table {table}")), "{found:?}");
    }
    assert!(found.contains("the list of tables") && found.contains("the list of free pages"), "{found:?}");
    assert!(count > 50, "{count}");
}

#[test]
fn a_damaged_record_is_refused_and_others_are_read() {
    let planted = sound();
    let store = open(&planted.path).unwrap();
    damage(&planted.path);
    let snapshot = store.snapshot().unwrap();
    assert!(matches!(snapshot.incident(IncidentId(500)), Err(StoreError::Damaged(_))));
    assert!(snapshot.incident(IncidentId(1)).unwrap().is_some());
    assert!(snapshot.event(IncidentId(500), EventId(500)).unwrap().is_some());
    let faults = store.file_faults();
    assert!(faults.damage[0].starts_with("table incident_id_to_incident: the page at byte"), "{faults:?}");
    // The damage does not prevent other writes.
    drop(snapshot);
    write_user(&store).unwrap();
    assert!(store.snapshot().unwrap().incident(IncidentId(1)).unwrap().is_some());
    let written = store.write_blocking(None, |command| command.incident(IncidentId(500)));
    assert!(matches!(written, Err(WriteError::Refused(StoreError::Damaged(_)))), "{written:?}");
    write_user(&store).unwrap();
}

#[test]
fn pages_are_verified_while_others_write() {
    let planted = sound();
    let store = open(&planted.path).unwrap();
    let mut pages = 0;
    let findings = store.verify_pages(&mut || {
        pages += 1;
        if pages % 10 == 0 {
            write_user(&store).unwrap();
        }
        Ok(())
    });
    assert_eq!(findings.unwrap(), Vec::<String>::new());
    assert!(pages > 50 && store.file_faults().is_verified);
    damage(&planted.path);
    let findings = store.verify_pages(&mut || Ok(())).unwrap();
    assert_eq!(store.file_faults().damage, findings);
    assert!(findings[0].starts_with("table incident_id_to_incident: "), "{findings:?}");
}

#[test]
fn a_backup_of_a_damaged_file_fails_and_keeps_the_old_copy() {
    let planted = sound();
    let copy = planted.path.with_extension("copy");
    fs::write(&copy, b"the old copy").unwrap();
    let store = open(&planted.path).unwrap();
    damage(&planted.path);
    let Err(BackupError::Source(StoreError::Damaged(what))) = store.backup(&copy) else { panic!("it was copied") };
    assert!(what.starts_with("table incident_id_to_incident: "), "{what}");
    assert_eq!(fs::read(&copy).unwrap(), b"the old copy");
    assert_eq!(fs::read_dir(planted.path.parent().unwrap()).unwrap().count(), 2, "no partial copy is left");
}

#[test]
fn a_backup_has_every_table_with_all_its_rows() {
    let planted = sound();
    let copy = planted.path.with_extension("copy");
    let store = open(&planted.path).unwrap();
    assert_eq!(store.backup(&copy).unwrap(), Vec::<String>::new());
    store.close().unwrap();
    drop(store);
    assert_eq!(verify_file(&copy).unwrap(), Vec::<String>::new());
    let tables = |path: &Path| {
        let database = redb::Database::create(path).unwrap();
        let txn = database.begin_read().unwrap();
        let tables: Vec<_> = txn.list_tables().unwrap().collect();
        let rows = |table| txn.open_untyped_table(table).unwrap().len().unwrap();
        tables.into_iter().map(|table| (table.name().to_owned(), rows(table))).collect::<Vec<_>>()
    };
    let original = tables(&planted.path);
    assert!(original.len() > 30, "{original:?}");
    assert_eq!(tables(&copy), original);
}

#[test]
fn looking_at_a_file_leaves_it_as_it_is() {
    let planted = sound();
    let before = fs::read(&planted.path).unwrap();
    assert_eq!(verify_pages(&planted.path).unwrap(), Vec::<String>::new());
    let store = Store::open_unchanged(&planted.path, Arc::new(ManualClock::new(NOW))).unwrap();
    assert_eq!(store.verify().unwrap(), Vec::<String>::new());
    write_user(&store).unwrap();
    assert!(matches!(open(&planted.path), Err(OpenError::InUse(_))));
    assert_eq!(verify_file(&planted.path).unwrap(), Vec::<String>::new(), "several can look at once");
    store.close().unwrap();
    drop(store);
    assert!(fs::read(&planted.path).unwrap() == before);
}

#[test]
fn a_file_that_was_removed_or_replaced_takes_no_writes_until_it_is_back() {
    let planted = sound();
    let (path, aside) = (planted.path.as_path(), planted.path.with_extension("aside"));
    let store = open(path).unwrap();
    let refusal = || match write_user(&store) {
        Err(WriteError::Store(StoreError::Unavailable(why))) => why,
        other => panic!("{other:?}"),
    };
    write_user(&store).unwrap();
    assert_eq!(store.look_at_file(), None);

    fs::rename(path, &aside).unwrap();
    assert!(refusal().contains("removed or renamed"));
    assert!(store.file_faults().misplaced.unwrap().contains("removed or renamed"));
    assert!(store.disk().unwrap().0 > 0, "its size is known all the same");

    fs::write(path, b"something else").unwrap();
    assert!(refusal().contains("another file"));
    assert_eq!(fs::read(path).unwrap(), b"something else", "the other file is left alone");
    fs::write(path, b"").unwrap();
    assert!(refusal().contains("another file"));
    assert_eq!(fs::read(path).unwrap(), b"");
    assert!(store.snapshot().unwrap().incident(IncidentId(1)).unwrap().is_some(), "reads go on");

    fs::rename(&aside, path).unwrap();
    write_user(&store).unwrap();
    assert_eq!(store.file_faults().misplaced, None);

    let length = fs::metadata(path).unwrap().len();
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length / 2).unwrap();
    assert!(refusal().contains("cut off"));
}

/// Plants damage with right checksums, as after a copy by a release that did not verify.
fn with_right_sums(plant: impl FnOnce(&redb::WriteTransaction)) -> Planted {
    let planted = sound();
    let database = redb::Database::create(&planted.path).unwrap();
    let mut txn = database.begin_write().unwrap();
    txn.set_quick_repair(true);
    plant(&txn);
    txn.commit().unwrap();
    planted
}

#[test]
fn a_key_above_its_counter_is_damage_and_costs_no_memory() {
    let planted = with_right_sums(|txn| {
        let mut summaries = txn.open_table(START_TO_SUMMARY).unwrap();
        let record = summaries.get(time_key(NOW, 7)).unwrap().unwrap().value().to_vec();
        summaries.insert(time_key(NOW, 7 | 1 << 50), record.as_slice()).unwrap();
    });
    let store = open(&planted.path).unwrap();
    let read = store.snapshot().unwrap().for_each_summary(&mut |summary| assert!(summary.id.0 <= 1_000));
    let Err(StoreError::Damaged(what)) = read else { panic!("it was read") };
    assert!(what.starts_with("table start_to_summary has incident"), "{what}");

    for plant in [
        |txn: &redb::WriteTransaction| {
            let mut incidents = txn.open_table(INCIDENT_ID_TO_INCIDENT).unwrap();
            incidents.insert(id_key(1 << 50), [1].as_slice()).unwrap();
        },
        |txn: &redb::WriteTransaction| {
            txn.open_table(SEQ_TO_CHANGE).unwrap().insert(id_key(1 << 50), [1].as_slice()).unwrap();
        },
        |txn: &redb::WriteTransaction| {
            txn.open_table(NAME_TO_COUNTER).unwrap().insert("last_incident", 1 << 50).unwrap();
        },
        |txn: &redb::WriteTransaction| {
            txn.open_table(NAME_TO_COUNTER).unwrap().insert("trimmed", 1 << 50).unwrap();
        },
        |txn: &redb::WriteTransaction| {
            txn.open_table(NAME_TO_COUNTER).unwrap().insert("last_destination", 1 << 50).unwrap();
        },
    ] {
        let planted = with_right_sums(plant);
        let opened = open(&planted.path).map(drop);
        assert!(
            matches!(&opened, Err(OpenError::Store { source: StoreError::Damaged(what), .. }) if what.starts_with("table ")),
            "{opened:?}"
        );
    }
}

#[test]
fn a_first_page_that_names_an_older_commit_is_damage() {
    let planted = sound();
    let bytes = fs::read(&planted.path).unwrap();
    assert!(pages::header(&bytes).is_ok());
    let file = fs::OpenOptions::new().write(true).open(&planted.path).unwrap();
    // Switches to the other commit.
    file.write_all_at(&[bytes[9] ^ 1], 9).unwrap();
    assert!(!verify_pages(&planted.path).unwrap().is_empty());
    let opened = open(&planted.path).map(drop);
    assert!(matches!(opened, Err(OpenError::Store { source: StoreError::Damaged(_), .. })), "{opened:?}");
}

proptest::proptest! {
    #[test]
    fn any_bytes_can_be_taken_for_a_page(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400), kind in 0_u8..4) {
        let mut page = bytes;
        if let Some(first) = page.first_mut() {
            *first = kind;
        }
        for tree in [pages::PageTree::of_tables(), pages::PageTree::of_system_tables()] {
            let _ = tree.sum(&page);
            let _ = pages::tables(&tree, &page);
        }
        let _ = pages::children(&page);
        let _ = pages::header(&page);
    }
}

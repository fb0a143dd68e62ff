//! The rows of a data file as bytes, and what of them has to be in some golden file.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use redb::{Database, Key, ReadableDatabase, ReadableTable, TableDefinition, TableError, TableHandle, Value};

use super::younger_tables;

type Row = (Vec<u8>, Vec<u8>);
pub type Tables = BTreeMap<String, Vec<Row>>;

/// Of the file as a whole; a backup has one of its own.
const DESCRIPTION: &str = "name_to_meta";

/// Version bytes of records, by table.
const VERSIONS: [(&str, &[u8]); 24] = [
    ("incident_id_to_incident", &[1]),
    ("start_to_summary", &[1]),
    ("event_id_to_event", &[1, 2]),
    ("event_id_to_ack", &[1]),
    ("seq_to_change", &[1]),
    ("user_id_to_user", &[1]),
    ("user_id_to_preferences", &[1]),
    ("hash_to_token", &[1, 2, 3]),
    ("source_id_to_source", &[1]),
    ("timeslot_id_to_timeslot", &[1]),
    ("destination_id_to_destination", &[1]),
    ("filter_id_to_filter", &[1]),
    ("profile_id_to_profile", &[1]),
    ("maintenance_id_to_maintenance", &[1]),
    ("rule_id_to_rule", &[1]),
    ("channel_uuid_to_channel", &[1]),
    ("contact_uuid_to_contact", &[1]),
    ("group_uuid_to_group", &[1]),
    ("version", &[1]),
    ("tags_version_to_tags", &[1]),
    ("message_id_to_message", &[1]),
    ("event_id_to_near_misses", &[1, 2]),
    ("rule_id_to_overflow", &[1]),
    (DESCRIPTION, &[]),
];
/// The numbers of subjects in keys of versions; tokens and source types have no versions.
const SUBJECTS: [u8; 12] = [0, 2, 4, 5, 6, 7, 8, 9, 10, 11, 128, 129];

/// All rows of all tables of a file that nobody has open.
pub fn read(path: &Path) -> Tables {
    let database = Database::open(path).unwrap();
    let txn = database.begin_read().unwrap();
    let names: Vec<String> = txn.list_tables().unwrap().map(|table| table.name().to_owned()).collect();
    names.into_iter().map(|name| (name.clone(), rows(&txn, &name))).collect()
}

/// Tables say of which types they are, so one of these fits.
fn rows(txn: &redb::ReadTransaction, name: &str) -> Vec<Row> {
    of::<[u8; 8], &[u8]>(txn, name)
        .or_else(|| of::<[u8; 16], &[u8]>(txn, name))
        .or_else(|| of::<[u8; 17], &[u8]>(txn, name))
        .or_else(|| of::<[u8; 32], &[u8]>(txn, name))
        .or_else(|| of::<&[u8], [u8; 8]>(txn, name))
        .or_else(|| of::<[u8; 16], [u8; 8]>(txn, name))
        .or_else(|| of::<[u8; 8], i64>(txn, name))
        .or_else(|| of::<[u8; 9], i64>(txn, name))
        .or_else(|| of::<[u8; 8], ()>(txn, name))
        .or_else(|| of::<[u8; 16], ()>(txn, name))
        .or_else(|| of::<[u8; 32], ()>(txn, name))
        .or_else(|| of::<&str, ()>(txn, name))
        .or_else(|| of::<&str, u64>(txn, name))
        .or_else(|| of::<&str, [u8; 16]>(txn, name))
        .or_else(|| of::<&str, &[u8]>(txn, name))
        .unwrap_or_else(|| panic!("{name} has keys or values of a new type: add it here"))
}

fn of<K: Key + 'static, V: Value + 'static>(txn: &redb::ReadTransaction, name: &str) -> Option<Vec<Row>> {
    let table = match txn.open_table(TableDefinition::<K, V>::new(name)) {
        Ok(table) => table,
        Err(TableError::TableTypeMismatch { .. }) => return None,
        Err(error) => panic!("{name}: {error}"),
    };
    let rows = table.iter().unwrap().map(|row| {
        let (key, value) = row.unwrap();
        (K::as_bytes(&key.value()).as_ref().to_vec(), V::as_bytes(&value.value()).as_ref().to_vec())
    });
    Some(rows.collect())
}

pub fn assert_same(original: &Tables, copy: &Tables) {
    let names = |tables: &Tables| tables.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(original), names(copy), "the tables of the file and of its backup");
    for (name, rows) in original.iter().filter(|(name, _)| *name != DESCRIPTION) {
        assert!(*rows == copy[name], "table {name} of the backup differs");
    }
}

/// What all golden files have together.
#[derive(Default)]
pub struct Coverage {
    /// With the first bytes of their values.
    tables: BTreeMap<String, BTreeSet<u8>>,
    subjects: BTreeSet<u8>,
}

impl Coverage {
    pub fn add(&mut self, file: &Tables) {
        for (name, rows) in file.iter().filter(|(_, rows)| !rows.is_empty()) {
            let first = rows.iter().filter_map(|(_, value)| value.first());
            self.tables.entry(name.clone()).or_default().extend(first);
        }
        self.subjects.extend(file.get("version").into_iter().flatten().map(|(key, _)| key[0]));
    }

    pub fn check(&self) {
        for (name, versions) in VERSIONS.iter().filter(|(name, _)| *name != DESCRIPTION) {
            let found: Vec<u8> = self.tables.get(*name).into_iter().flatten().copied().collect();
            assert_eq!(found, *versions, "versions of records in table {name}");
        }
        let subjects: Vec<u8> = self.subjects.iter().copied().collect();
        assert_eq!(subjects, SUBJECTS, "subjects of versions");
    }

    /// `file`: one with all tables that there are by now.
    pub fn check_names(&self, file: &Tables) {
        let younger = younger_tables();
        let empty: Vec<&String> =
            file.keys().filter(|name| !self.tables.contains_key(*name) && !younger.contains(&name.as_str())).collect();
        assert!(empty.is_empty(), "no golden file has a row in the tables {empty:?}");
        let known: Vec<_> = younger.iter().filter(|name| self.tables.contains_key(**name)).collect();
        assert!(known.is_empty(), "these are said to be younger, but golden files have the tables {known:?}");
    }
}

//! Fuzz targets for stored records: damaged bytes are read as something that can be stored, or refused.

use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use uuid::Uuid;

use super::{
    StoreError, agenda,
    kind::{
        KINDS, Kind, Record, decode_contact_version, decode_group, decode_overflow, decode_settings, encode_overflow,
    },
    record::{
        change::{decode_change, encode_change},
        event::{decode_ack, decode_event, encode_ack, encode_event},
        incident::{decode_incident, decode_summary, decode_tags, encode_incident, encode_summary, encode_tags},
        message::{decode_message, decode_near_misses, encode_message, encode_near_misses},
        preferences::{decode_preferences, encode_preferences},
    },
};
use crate::{
    domain::{
        directory::{Directory, Subject},
        time::Timestamp,
        token::Token,
    },
    fuzz::{run, within_memory},
};

/// Bytes of memory that reading a record may take beyond a multiple of its length. Lists begin with their length, and
/// the library trusts it up to a megabyte.
const MEMORY: usize = 4 << 20;
const KEY: usize = 32;

/// Function that reads a record and writes it again. The key is padded with zeros.
type Rewrite = fn(&[u8; KEY], &[u8]) -> Result<Vec<u8>, StoreError>;

/// Functions by name of the table.
const INCIDENTS: &[(&str, Rewrite)] = &[
    ("incident_id_to_incident", |_, record| encode_incident(&decode_incident(7, record)?)),
    ("start_to_summary", |_, record| encode_summary(&decode_summary(Timestamp::MIN, 7, record)?)),
    ("tags_version_to_tags", |_, record| encode_tags(&decode_tags(record)?)),
    ("event_id_to_event", |_, record| encode_event(&decode_event(7, 8, record)?)),
    ("event_id_to_ack", |_, record| encode_ack(&decode_ack(7, 8, record)?)),
    ("seq_to_change", |_, record| encode_change(&decode_change(9, record)?)),
];

const NOTIFICATIONS: &[(&str, Rewrite)] = &[
    ("message_id_to_message", |_, record| encode_message(&decode_message(7, record)?)),
    ("event_id_to_near_misses", |_, record| {
        let (kept, more) = decode_near_misses(record)?;
        encode_near_misses(&kept, more)
    }),
    ("rule_id_to_overflow", |_, record| encode_overflow(&decode_overflow(7, record)?)),
    ("contact_uuid_to_contact", |_, record| decode_contact_version(record)?.encode()),
    ("group_uuid_to_group", |key, record| {
        decode_group(Uuid::from_slice(&key[..16]).unwrap_or_default(), record)?.encode()
    }),
    ("hash_to_token", |key, record| Token::decode(*key, record)?.encode()),
    ("user_id_to_preferences", |_, record| encode_preferences(&decode_preferences(record)?)),
    ("due_to_task", |key, record| {
        let mut agenda_key = [0; 17];
        agenda_key.copy_from_slice(&key[..17]);
        let (task, due) = agenda::decode_row(agenda_key, record)?;
        assert_eq!(agenda::agenda_key(due, task), agenda_key);
        Ok(record[..1].to_vec())
    }),
];

#[test]
fn stored_incidents() {
    run_rewrites("stored_incidents", INCIDENTS);
}

#[test]
fn stored_notifications() {
    run_rewrites("stored_notifications", NOTIFICATIONS);
}

/// Runs on inputs of number of the table, key and record.
fn run_rewrites(name: &str, tables: &[(&str, Rewrite)]) {
    let names: Vec<&str> = tables.iter().map(|(name, _)| *name).collect();
    run(name, &golden_rows(&names), |input| {
        let Some((index, rest)) = input.split_first() else { return };
        let Some((key, record)) = rest.split_first_chunk::<KEY>() else { return };
        let (table, rewrite) = tables[usize::from(*index) % tables.len()];
        check(table, record, |record| rewrite(key, record));
    });
}

fn check(table: &str, record: &[u8], rewrite: impl Fn(&[u8]) -> Result<Vec<u8>, StoreError>) {
    match within_memory(MEMORY + 64 * record.len(), || rewrite(record)) {
        Ok(written) => {
            assert!(written.len() <= 1_024 + 4 * record.len(), "{table}: {} bytes", written.len());
            let again =
                rewrite(&written).unwrap_or_else(|error| panic!("{table}: what was written is refused: {error}"));
            assert_eq!(again, written, "{table}");
        }
        Err(StoreError::Damaged(why)) => {
            assert!(!why.is_empty() && why.len() <= 1_024 + 4 * record.len(), "{table}: {why}");
        }
        Err(error) => panic!("{table}: {error}"),
    }
}

/// Reads and loads all kinds of configuration as if from their versions.
#[test]
fn stored_configuration() {
    let tables: Vec<&str> = KINDS.iter().map(|kind| kind.table()).collect();
    run("stored_configuration", &golden_rows(&tables), |input| {
        let Some((index, rest)) = input.split_first() else { return };
        let Some((key, record)) = rest.split_first_chunk::<KEY>() else { return };
        let kind = KINDS[usize::from(*index) % KINDS.len()];
        if kind.subject() == Subject::Token {
            return;
        }
        let number = u64::from_be_bytes(*key.first_chunk().unwrap());
        check(kind.name(), record, |record| {
            let mut directory = Directory::default();
            kind.load_version(number, record, &mut directory)?;
            let versions = kind.versions(&directory)?;
            assert_eq!(versions.len(), 1);
            Ok(versions.into_values().next().unwrap())
        });
        check("settings", record, |record| decode_settings(record)?.encode());
    });
}

/// Returns the rows that the data files of earlier versions have in these tables: number of the table, key and record.
fn golden_rows(names: &[&str]) -> Vec<Vec<u8>> {
    let mut rows = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "redb"));
    files.sort();
    let copies = tempfile::tempdir().unwrap();
    for file in files {
        let copy = copies.path().join(file.file_name().unwrap());
        std::fs::copy(&file, &copy).unwrap();
        let database = Database::open(&copy).unwrap();
        let txn = database.begin_read().unwrap();
        for (index, name) in names.iter().enumerate() {
            let mut add = |key: &[u8], record: &[u8]| {
                let mut row = vec![index as u8];
                row.extend(key);
                row.resize(1 + KEY, 0);
                row.extend(record);
                rows.push(row);
            };
            rows_of::<8>(&txn, name, &mut add);
            rows_of::<16>(&txn, name, &mut add);
            rows_of::<17>(&txn, name, &mut add);
            rows_of::<32>(&txn, name, &mut add);
        }
    }
    assert!(rows.len() > names.len(), "the golden files have {} rows", rows.len());
    rows
}

/// Adds the rows of a table, unless its keys have another length.
fn rows_of<const N: usize>(txn: &redb::ReadTransaction, name: &str, add: &mut impl FnMut(&[u8], &[u8])) {
    let Ok(table) = txn.open_table(TableDefinition::<[u8; N], &[u8]>::new(name)) else { return };
    for row in table.iter().unwrap() {
        let (key, record) = row.unwrap();
        add(&key.value(), record.value());
    }
}

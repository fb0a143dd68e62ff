//! A complete, consistent, compact copy of the data file, made while others read and write.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use redb::{Durability, Key, ReadableTable, TableDefinition, TableError, Value};

use super::{
    Snapshot, StoreError, file,
    schema::{
        CHANNEL_CONTACT, CHANNEL_UUID_TO_CHANNEL, CONTACT_UUID_TO_CONTACT, DEAD_MESSAGE, DESTINATION_ID_TO_DESTINATION,
        DUE_MESSAGE, EVENT_ID_TO_ACK, EVENT_ID_TO_EVENT, EVENT_ID_TO_NEAR_MISSES, FILTER_ID_TO_FILTER, GROUP_CONTACT,
        GROUP_UUID_TO_GROUP, HASH_TO_TOKEN, INCIDENT_ID_TO_INCIDENT, INCIDENT_MESSAGE, MAINTENANCE_ID_TO_MAINTENANCE,
        MESSAGE_ID_TO_MESSAGE, NAME_TO_COUNTER, NAME_TO_GROUP_UUID, PROFILE_ID_TO_PROFILE, RULE_ID_TO_OVERFLOW,
        RULE_ID_TO_RULE, SEQ_TO_CHANGE, SOURCE_ID_TO_LAST_SEEN, SOURCE_ID_TO_SOURCE, SOURCE_INCIDENT_ID_TO_INCIDENT_ID,
        SOURCE_TYPE, START_TO_SUMMARY, TAGS_VERSION_TO_TAGS, TIMESLOT_ID_TO_TIMESLOT, TIMESTAMP_TO_INCIDENT_ID,
        USER_ID_TO_PREFERENCES, USER_ID_TO_USER, USERNAME_TO_CONTACT_UUID, VERSION,
    },
};

const CACHE_BYTES: usize = 32 << 20;
const ROWS_PER_COMMIT: usize = 50_000;

pub fn backup(snapshot: &Snapshot, live: &Path, to: &Path) -> Result<(), StoreError> {
    if same_file(live, to) {
        return Err(StoreError::Io(format!("{} is the data file itself", to.display())));
    }
    let partial = beside(to);
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let copied = copy(snapshot, &partial).and_then(|()| {
        File::open(&partial)?.sync_all()?;
        fs::rename(&partial, to)?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
        Ok(())
    });
    if copied.is_err() {
        // What is left is of no use, and the error that matters is the first one.
        let _ = fs::remove_file(&partial);
    }
    copied
}

fn same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn beside(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn copy(snapshot: &Snapshot, partial: &Path) -> Result<(), StoreError> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(partial)?;
    let mut copy = file::open_database(partial, CACHE_BYTES)?;
    let to = Copy { from: snapshot, to: &copy };
    to.table(INCIDENT_ID_TO_INCIDENT)?;
    to.table(START_TO_SUMMARY)?;
    to.table(SOURCE_INCIDENT_ID_TO_INCIDENT_ID)?;
    to.table(EVENT_ID_TO_EVENT)?;
    to.table(TIMESTAMP_TO_INCIDENT_ID)?;
    to.table(EVENT_ID_TO_ACK)?;
    to.table(SEQ_TO_CHANGE)?;
    to.table(USER_ID_TO_USER)?;
    to.table(USER_ID_TO_PREFERENCES)?;
    to.table(HASH_TO_TOKEN)?;
    to.table(SOURCE_ID_TO_SOURCE)?;
    to.table(SOURCE_TYPE)?;
    to.table(SOURCE_ID_TO_LAST_SEEN)?;
    to.table(TIMESLOT_ID_TO_TIMESLOT)?;
    to.table(DESTINATION_ID_TO_DESTINATION)?;
    to.table(FILTER_ID_TO_FILTER)?;
    to.table(PROFILE_ID_TO_PROFILE)?;
    to.table(MAINTENANCE_ID_TO_MAINTENANCE)?;
    to.table(RULE_ID_TO_RULE)?;
    to.table(VERSION)?;
    to.table(TAGS_VERSION_TO_TAGS)?;
    to.table(MESSAGE_ID_TO_MESSAGE)?;
    to.table(INCIDENT_MESSAGE)?;
    to.table(DUE_MESSAGE)?;
    to.table(DEAD_MESSAGE)?;
    to.table(EVENT_ID_TO_NEAR_MISSES)?;
    to.table(RULE_ID_TO_OVERFLOW)?;
    to.table(CHANNEL_UUID_TO_CHANNEL)?;
    to.table(CONTACT_UUID_TO_CONTACT)?;
    to.table(GROUP_UUID_TO_GROUP)?;
    to.table(USERNAME_TO_CONTACT_UUID)?;
    to.table(NAME_TO_GROUP_UUID)?;
    to.table(GROUP_CONTACT)?;
    to.table(CHANNEL_CONTACT)?;
    to.table(NAME_TO_COUNTER)?;
    let mut last = copy.begin_write()?;
    last.set_quick_repair(true);
    file::mark(&last)?;
    last.commit()?;
    copy.compact().map_err(|error| StoreError::Io(error.to_string()))?;
    Ok(())
}

struct Copy<'a> {
    from: &'a Snapshot,
    to: &'a redb::Database,
}

impl Copy<'_> {
    fn table<K: Key + 'static, V: Value + 'static>(&self, table: TableDefinition<'_, K, V>) -> Result<(), StoreError> {
        let rows = match self.from.txn.open_table(table) {
            Ok(rows) => rows,
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut rows = rows.iter()?;
        loop {
            let mut txn = self.to.begin_write()?;
            txn.set_durability(Durability::None).map_err(|error| StoreError::Io(error.to_string()))?;
            let mut written = 0;
            {
                let mut copy = txn.open_table(table)?;
                for row in rows.by_ref().take(ROWS_PER_COMMIT) {
                    let (key, value) = row?;
                    copy.insert(key.value(), value.value())?;
                    written += 1;
                }
            }
            txn.commit()?;
            if written < ROWS_PER_COMMIT {
                return Ok(());
            }
        }
    }
}

//! The kinds of things that make up the configuration, in one list. Staging, writing, deleting, loading, versions, the
//! change log, backups, counters of ids and most of `check` follow from it.
//!
//! A new kind is a file below this module with its [`Record`] and its [`Kind`], a row in [`all_kinds`], and a
//! [`Subject`]. These are not in the list because they differ:
//!
//! - Contacts and contact groups have records, but are read from the file one by one and have indexes of their own
//!   (`contacts`).
//! - Decision settings have no table; their last version counts. Types of sources are names without a record.
//! - Incidents, events, messages and preferences are not configuration: they have neither versions nor audit texts.

mod channel;
mod contact;
mod destination;
mod filter;
mod maintenance;
mod profile;
mod rule;
mod settings;
mod source;
mod stored;
mod timeslot;
mod token;
mod user;

use std::{collections::BTreeMap, marker::PhantomData, sync::Arc};

use imbl::OrdMap;
use redb::{ReadTransaction, ReadableTable, TableDefinition, TableHandle, WriteTransaction};
use serde_json::Value;
use uuid::Uuid;

pub use self::{
    contact::{decode_contact, decode_contact_version, decode_group},
    rule::{decode_overflow, encode_overflow},
    settings::decode_settings,
};
use super::{
    BackupError, Command, StoreError,
    backup::Copier,
    counters::Counters,
    read::Snapshot,
    schema::{IdKey, UuidKey},
    tables::WriteTables,
    verify::Findings,
};
use crate::domain::{
    Channel, ChannelId, Destination, DestinationId, Directory, FilterId, Maintenance, MaintenanceId, Profile,
    ProfileId, Rule, RuleId, Source, SourceId, StoredFilter, Timeslot, TimeslotId, Token, TokenHash, TokenId, User,
    UserId, agenda::Task, directory::Subject, event_filter::FilterTable, ids::Id, maintenance::Maintenances,
    tokens::Tokens,
};

/// Calls a macro with the list of kinds, in the order in which they are loaded: the type, the counter of its last id,
/// and the methods of a command that return a new id, put and delete. Users are put and sources are deleted by other
/// methods.
macro_rules! all_kinds {
    ($with:ident) => {
        $with! {
            User: last_user;
            Token: last_token, new_token_id -> TokenId, put_token, delete_token;
            Source: last_source, new_source_id -> SourceId, put_source;
            Timeslot: last_timeslot, new_timeslot_id -> TimeslotId, put_timeslot, delete_timeslot;
            Destination: last_destination, new_destination_id -> DestinationId, put_destination, delete_destination;
            StoredFilter: last_filter, new_filter_id -> FilterId, put_filter, delete_filter;
            Profile: last_profile, new_profile_id -> ProfileId, put_profile, delete_profile;
            Maintenance: last_maintenance, new_maintenance_id -> MaintenanceId, put_maintenance, delete_maintenance;
            Rule: last_rule, new_rule_id -> RuleId, put_rule, delete_rule;
            Channel: last_channel, new_channel_id -> ChannelId, put_channel, delete_channel;
        }
    };
}
pub(super) use all_kinds;

/// A record with versions and entries in the change log.
pub trait Record: Sized {
    const SUBJECT: Subject;
    /// Name in the findings of `check`.
    const NAME: &'static str;
    /// Whether versions are kept, without a time limit, so that earlier decisions can be explained.
    const HAS_VERSIONS: bool = true;

    /// Returns the number that identifies it in versions. It is never reused.
    fn number(&self) -> u64;

    /// Returns the key that identifies it in the change log.
    fn logged_key(&self) -> String {
        self.number().to_string()
    }

    /// Encodes the record with the version byte of the newest form. Released forms never change.
    fn encode(&self) -> Result<Vec<u8>, StoreError>;

    /// Returns the record as it is kept in versions. `None`: it contains no secrets.
    fn without_secrets(&self) -> Option<Self> {
        None
    }

    /// Returns the text of the change log: a JSON object without secrets.
    fn audit(&self) -> Value;

    /// Encodes the content of a version.
    fn encode_version(&self) -> Result<Vec<u8>, StoreError> {
        self.without_secrets().as_ref().unwrap_or(self).encode()
    }
}

/// A kind of record with a table of its own that is part of the configuration in memory.
pub trait Kind: Record + Counted + Send + Sync + 'static {
    type Key: RecordKey;
    type Map: Map<Self::Key, Self>;
    const TABLE: Table<Self>;

    fn key(&self) -> Self::Key;

    fn decode(key: Self::Key, value: &[u8]) -> Result<Self, StoreError>;

    /// Decodes the content of a version.
    fn decode_version(number: u64, record: &[u8]) -> Result<Self, StoreError> {
        let key = Self::Key::from_number(number)
            .ok_or_else(|| StoreError::Damaged(format!("there is a version of {} {number}", Self::NAME)))?;
        Self::decode(key, record)
    }

    /// Returns the map of the kind in the configuration; see [`kept_in`].
    fn map(directory: &Directory) -> &Self::Map;

    fn map_mut(directory: &mut Directory) -> &mut Self::Map;

    /// Puts the record into the configuration. Returns the replaced record.
    fn place(self: Arc<Self>, directory: &mut Directory) -> Option<Arc<Self>> {
        Self::map_mut(directory).insert(self.key(), self)
    }

    /// Puts a version into the configuration like [`Kind::place`], with all that depends on it.
    fn place_version(self: Arc<Self>, directory: &mut Directory) {
        self.place(directory);
    }

    /// Loads further data that belongs to this kind.
    fn load_more(txn: &ReadTransaction, directory: &mut Directory) -> Result<(), StoreError> {
        let _ = (txn, directory);
        Ok(())
    }

    /// Deletes further data of a deleted record.
    fn delete_more(tables: &mut WriteTables<'_>, key: Self::Key) -> Result<(), StoreError> {
        let _ = (tables, key);
        Ok(())
    }

    /// Returns the rows of the agenda that are due at once after the record was put or deleted.
    fn tasks(&self, directory: &Directory) -> Vec<Task> {
        let _ = directory;
        Vec::new()
    }

    /// Returns the user without whom the record cannot exist, with the role of that user.
    fn owner(&self) -> Option<(&'static str, UserId)> {
        None
    }

    /// Reports violations of rules between the records of this kind.
    fn check_all(directory: &Directory, findings: &mut Findings) {
        let _ = (directory, findings);
    }

    /// Reports references to things that do not exist.
    fn check_references(&self, directory: &Directory, findings: &mut Findings) {
        let _ = (directory, findings);
    }

    /// Reports references to things that do not exist, if they are stored in the file and not in memory.
    fn check_stored_references(&self, snapshot: &Snapshot, findings: &mut Findings) -> Result<(), StoreError> {
        let _ = (snapshot, findings);
        Ok(())
    }
}

/// Table of a kind.
pub type Table<T> = TableDefinition<'static, <<T as Kind>::Key as RecordKey>::Bytes, &'static [u8]>;

/// A key of records.
pub trait RecordKey: Copy + Send + 'static {
    type Bytes: redb::Key + for<'a> redb::Value<SelfType<'a> = Self::Bytes> + 'static;

    fn to_bytes(self) -> Self::Bytes;
    fn from_bytes(bytes: Self::Bytes) -> Self;

    /// Returns the key as a number. `None`: keys of this type are not numbers.
    fn number(self) -> Option<u64> {
        None
    }

    /// Returns the key with this number. `None`: keys of this type are not numbers.
    fn from_number(number: u64) -> Option<Self> {
        let _ = number;
        None
    }
}

impl<T: Id> RecordKey for T {
    type Bytes = IdKey;

    fn to_bytes(self) -> IdKey {
        Id::number(self).to_be_bytes()
    }

    fn from_bytes(bytes: IdKey) -> Self {
        Self::numbered(u64::from_be_bytes(bytes))
    }

    fn number(self) -> Option<u64> {
        Some(Id::number(self))
    }

    fn from_number(number: u64) -> Option<Self> {
        Some(Self::numbered(number))
    }
}

impl RecordKey for Uuid {
    type Bytes = UuidKey;

    fn to_bytes(self) -> UuidKey {
        self.into_bytes()
    }

    fn from_bytes(bytes: UuidKey) -> Self {
        Self::from_bytes(bytes)
    }
}

impl RecordKey for TokenHash {
    type Bytes = Self;

    fn to_bytes(self) -> Self {
        self
    }

    fn from_bytes(bytes: Self) -> Self {
        bytes
    }
}

/// A persistent map of the configuration.
pub trait Map<K, V> {
    fn get(&self, key: &K) -> Option<&Arc<V>>;
    fn insert(&mut self, key: K, value: Arc<V>) -> Option<Arc<V>>;
    fn remove(&mut self, key: &K) -> Option<Arc<V>>;
    fn values<'a>(&'a self) -> impl Iterator<Item = &'a Arc<V>>
    where
        V: 'a;
}

macro_rules! maps {
    ($([$($generics:tt)*] $map:ty: $key:ty => $value:ty;)+) => {$(
        impl<$($generics)*> Map<$key, $value> for $map {
            fn get(&self, key: &$key) -> Option<&Arc<$value>> {
                <$map>::get(self, key)
            }

            fn insert(&mut self, key: $key, value: Arc<$value>) -> Option<Arc<$value>> {
                <$map>::insert(self, key, value)
            }

            fn remove(&mut self, key: &$key) -> Option<Arc<$value>> {
                <$map>::remove(self, key)
            }

            fn values<'a>(&'a self) -> impl Iterator<Item = &'a Arc<$value>>
            where
                $value: 'a,
            {
                <$map>::values(self)
            }
        }
    )+};
}

maps! {
    [K: Ord + Clone, V] OrdMap<K, Arc<V>>: K => V;
    [] FilterTable: FilterId => StoredFilter;
    [] Maintenances: MaintenanceId => Maintenance;
    [] Tokens: TokenHash => Token;
}

/// Declares subject and name of a [`Record`] with an id: the subject in the change log, and the name in `check`. After `as`
/// comes the stored form, if the kind has only one.
macro_rules! known_as {
    ($subject:ident, $name:literal $(as $form:ident)?) => {
        const SUBJECT: crate::domain::directory::Subject = crate::domain::directory::Subject::$subject;
        const NAME: &'static str = $name;

        fn number(&self) -> u64 {
            self.id.0
        }

        $(
            fn encode(&self) -> Result<Vec<u8>, crate::store::StoreError> {
                crate::store::codec::encode(1, &$form::of(self))
            }
        )?
    };
}
use known_as;

/// Declares where a [`Kind`] is stored: its table, the field and type of its key, and the field of its map in the
/// configuration in memory, with the type of the map unless it is an `OrdMap`. After `as` comes the stored form, if the kind
/// has only one; after `of` the field with the user who owns the record.
macro_rules! kept_in {
    ($table:literal $(as $form:ident)?, $key:ident: $key_type:ty => $field:ident $(: $map:ty)? $(, of $owner:ident)?) => {
        type Key = $key_type;
        type Map = $crate::store::kind::kept_in!(@map $key_type $(, $map)?);
        const TABLE: crate::store::kind::Table<Self> = redb::TableDefinition::new($table);

        fn key(&self) -> Self::Key {
            self.$key
        }

        $(
            fn decode(key: Self::Key, value: &[u8]) -> Result<Self, crate::store::StoreError> {
                crate::store::codec::decode_v1::<$form>(Self::NAME, value)?.restore(key)
            }
        )?

        fn map(directory: &crate::domain::directory::Directory) -> &Self::Map {
            &directory.$field
        }

        fn map_mut(directory: &mut crate::domain::directory::Directory) -> &mut Self::Map {
            &mut directory.$field
        }

        $(
            fn owner(&self) -> Option<(&'static str, crate::domain::ids::UserId)> {
                Some((stringify!($owner), self.$owner))
            }
        )?
    };
    (@map $key:ty) => { imbl::OrdMap<$key, std::sync::Arc<Self>> };
    (@map $key:ty, $map:ty) => { $map };
}
use kept_in;

/// A kind whose records get their id from a command.
pub trait Numbered: Kind {
    /// Sets an id that was never used before.
    fn give_number(&mut self, command: &mut Command<'_>);
}

/// A kind with a counter of its ids.
pub trait Counted {
    fn last(counters: &Counters) -> u64;
}

macro_rules! commands {
    ($($kind:ident: $last:ident
        $(, $new:ident -> $id:ident, $put:ident $(, $delete:ident)?)?;
    )+) => {
        $(
            impl Counted for $kind {
                fn last(counters: &Counters) -> u64 {
                    counters.$last
                }
            }
            $(
                impl Numbered for $kind {
                    fn give_number(&mut self, command: &mut Command<'_>) {
                        self.id = command.$new();
                    }
                }
            )?
        )+

        impl Command<'_> {
            $($(
                /// Returns an id that was never used before.
                pub fn $new(&mut self) -> $id {
                    self.counters.$last += 1;
                    $id(self.counters.$last)
                }

                pub fn $put(&mut self, record: $kind) {
                    self.put(record);
                }

                $(
                    pub fn $delete(&mut self, key: <$kind as Kind>::Key) {
                        self.delete::<$kind>(key);
                    }
                )?
            )?)+
        }

        /// All kinds, in the order in which they are loaded.
        pub static KINDS: &[&dyn AnyKind] = &[$(&Of::<$kind>(PhantomData)),+];
    };
}
all_kinds!(commands);

/// Returns [`KINDS`], beginning with those of `first` in that order.
pub fn kinds_beginning_with(first: &[Subject]) -> Vec<&'static dyn AnyKind> {
    let mut kinds = KINDS.to_vec();
    kinds.sort_by_key(|kind| first.iter().position(|subject| *subject == kind.subject()).unwrap_or(first.len()));
    kinds
}

/// A kind without its type, for operations on all kinds.
pub trait AnyKind: Sync {
    fn subject(&self) -> Subject;
    fn name(&self) -> &'static str;
    fn table(&self) -> &'static str;
    fn has_versions(&self) -> bool;

    /// Returns the last id that was used.
    fn last(&self, counters: &Counters) -> u64;
    /// Creates the table if it is missing.
    fn create_table(&self, txn: &WriteTransaction) -> Result<(), StoreError>;
    fn copy_table(&self, copier: &Copier<'_>) -> Result<(), BackupError>;
    /// Returns the highest key. `None`: its keys are not numbers.
    fn highest_key(&self, txn: &ReadTransaction) -> Result<Option<u64>, StoreError>;
    fn load(&self, txn: &ReadTransaction, directory: &mut Directory) -> Result<(), StoreError>;
    fn load_version(&self, number: u64, record: &[u8], directory: &mut Directory) -> Result<(), StoreError>;
    /// Returns the content of the last version of each record, by number.
    fn versions(&self, directory: &Directory) -> Result<BTreeMap<u64, Vec<u8>>, StoreError>;

    fn check_all(&self, directory: &Directory, findings: &mut Findings);
    fn check_owners(&self, directory: &Directory, findings: &mut Findings);
    fn check_references(&self, directory: &Directory, findings: &mut Findings);
    fn check_stored_references(
        &self,
        snapshot: &Snapshot,
        directory: &Directory,
        findings: &mut Findings,
    ) -> Result<(), StoreError>;
    fn check_last_number(&self, directory: &Directory, counters: &Counters, findings: &mut Findings);
}

struct Of<T>(PhantomData<fn() -> T>);

impl<T: Kind> AnyKind for Of<T> {
    fn subject(&self) -> Subject {
        T::SUBJECT
    }

    fn name(&self) -> &'static str {
        T::NAME
    }

    fn table(&self) -> &'static str {
        const { T::TABLE }.name()
    }

    fn has_versions(&self) -> bool {
        T::HAS_VERSIONS
    }

    fn last(&self, counters: &Counters) -> u64 {
        T::last(counters)
    }

    fn create_table(&self, txn: &WriteTransaction) -> Result<(), StoreError> {
        txn.open_table(T::TABLE)?;
        Ok(())
    }

    fn copy_table(&self, copier: &Copier<'_>) -> Result<(), BackupError> {
        copier.table(T::TABLE)
    }

    fn highest_key(&self, txn: &ReadTransaction) -> Result<Option<u64>, StoreError> {
        let table = txn.open_table(T::TABLE)?;
        Ok(table.last()?.and_then(|(key, _)| T::Key::from_bytes(key.value()).number()))
    }

    fn load(&self, txn: &ReadTransaction, directory: &mut Directory) -> Result<(), StoreError> {
        for row in txn.open_table(T::TABLE)?.iter()? {
            let (key, value) = row?;
            Arc::new(T::decode(T::Key::from_bytes(key.value()), value.value())?).place(directory);
        }
        T::load_more(txn, directory)
    }

    fn load_version(&self, number: u64, record: &[u8], directory: &mut Directory) -> Result<(), StoreError> {
        Arc::new(T::decode_version(number, record)?).place_version(directory);
        Ok(())
    }

    fn versions(&self, directory: &Directory) -> Result<BTreeMap<u64, Vec<u8>>, StoreError> {
        T::map(directory)
            .values()
            .map(|record| Ok((Record::number(record.as_ref()), record.encode_version()?)))
            .collect()
    }

    fn check_all(&self, directory: &Directory, findings: &mut Findings) {
        T::check_all(directory, findings);
    }

    fn check_owners(&self, directory: &Directory, findings: &mut Findings) {
        for record in T::map(directory).values() {
            if let Some((role, user)) = record.owner() {
                findings.check(directory.user(user).is_some(), || {
                    format!("{} {} has no {role}", T::NAME, Record::number(record.as_ref()))
                });
            }
        }
    }

    fn check_references(&self, directory: &Directory, findings: &mut Findings) {
        T::map(directory).values().for_each(|record| record.check_references(directory, findings));
    }

    fn check_stored_references(
        &self,
        snapshot: &Snapshot,
        directory: &Directory,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        T::map(directory).values().try_for_each(|record| record.check_stored_references(snapshot, findings))
    }

    fn check_last_number(&self, directory: &Directory, counters: &Counters, findings: &mut Findings) {
        let highest = T::map(directory).values().filter_map(|record| record.key().number()).max().unwrap_or_default();
        findings.check(highest <= T::last(counters), || format!("{} {highest} has an id not given out yet", T::NAME));
    }
}

#[cfg(test)]
mod tests;

//! Writes records of the configuration to their table, to the directory in memory, and as a version.

use std::sync::Arc;

use super::{
    Command, StoreError,
    codec::version_key,
    command::Staged,
    index::Applier,
    kind::{Kind, Map, Record, RecordKey},
};
use crate::domain::{
    ConfigurationChange, Directory, StoredFilter,
    directory::{DecisionSettings, Subject},
    event_filter::CompiledCriteria,
};

/// A write to the configuration. Returns `None` if it changed nothing.
pub type Configure = Box<dyn FnOnce(&mut Applier<'_, '_>) -> Result<Option<ConfigurationChange>, StoreError> + Send>;

impl Command<'_> {
    pub(super) fn configure(
        &mut self,
        write: impl FnOnce(&mut Applier<'_, '_>) -> Result<Option<ConfigurationChange>, StoreError> + Send + 'static,
    ) {
        self.staged.push(Staged::Configure(Box::new(write)));
    }

    pub fn put<T: Kind>(&mut self, record: T) {
        self.configure(move |applier| applier.put(record).map(Some));
    }

    pub fn delete<T: Kind>(&mut self, key: T::Key) {
        self.configure(move |applier| applier.delete::<T>(key));
    }

    /// Adds or replaces a filter with its lists, which were compiled on another thread.
    pub fn put_compiled_filter(&mut self, filter: StoredFilter, compiled: Arc<CompiledCriteria>) {
        self.configure(move |applier| {
            let filter = Arc::new(filter);
            let before = applier.directory().filters.insert_compiled(Arc::clone(&filter), compiled);
            applier.write(before.as_deref(), filter.as_ref()).map(Some)
        });
    }

    pub fn put_source_type(&mut self, name: String) {
        self.configure(move |applier| {
            applier.tables.source_types.insert(name.as_str(), ())?;
            let new = applier.directory().source_types.insert(name.clone()).is_none();
            let after = Some(serde_json::json!({ "name": name }).to_string());
            Ok(new.then_some(ConfigurationChange { subject: Subject::SourceType, key: name, before: None, after }))
        });
    }

    /// Stores the settings of the operator on which decisions depend. They have no table; their last version counts.
    pub fn put_settings(&mut self, settings: DecisionSettings) {
        self.configure(move |applier| {
            applier.keep_version(&settings)?;
            let before = Arc::clone(&applier.directory.settings);
            let change = change(Some(before.as_ref()), Some(&settings));
            applier.directory().settings = Arc::new(settings);
            Ok(Some(change))
        });
    }
}

/// Writes of the configuration. The caller must log each change next, because the version contains its number.
impl Applier<'_, '_> {
    pub fn put<T: Kind>(&mut self, record: T) -> Result<ConfigurationChange, StoreError> {
        let record = Arc::new(record);
        let before = Arc::clone(&record).place(self.directory());
        self.write(before.as_deref(), record.as_ref())
    }

    /// Writes a record to the file only.
    fn write<T: Kind>(&mut self, before: Option<&T>, record: &T) -> Result<ConfigurationChange, StoreError> {
        let mut table = self.tables.txn.open_table(T::TABLE)?;
        table.insert(record.key().to_bytes(), record.encode()?.as_slice())?;
        self.keep_version(record)?;
        self.touched.extend(record.tasks(self.directory));
        Ok(change(before, Some(record)))
    }

    /// Deletes a record. Returns `None` if it does not exist.
    pub fn delete<T: Kind>(&mut self, key: T::Key) -> Result<Option<ConfigurationChange>, StoreError> {
        self.tables.txn.open_table(T::TABLE)?.remove(key.to_bytes())?;
        T::delete_more(self.tables, key)?;
        let Some(before) = T::map_mut(self.directory()).remove(&key) else { return Ok(None) };
        self.keep_deletion(before.as_ref())?;
        self.touched.extend(before.tasks(self.directory));
        Ok(Some(change(Some(before.as_ref()), None)))
    }

    /// Returns the directory for changes. The published one does not change; both share what is equal.
    pub(super) fn directory(&mut self) -> &mut Directory {
        Arc::make_mut(self.directory)
    }

    pub(super) fn keep_version<T: Record>(&mut self, record: &T) -> Result<(), StoreError> {
        if T::HAS_VERSIONS { self.insert_version(record, &record.encode_version()?) } else { Ok(()) }
    }

    /// Writes an empty version.
    pub(super) fn keep_deletion<T: Record>(&mut self, before: &T) -> Result<(), StoreError> {
        if T::HAS_VERSIONS { self.insert_version(before, &[]) } else { Ok(()) }
    }

    fn insert_version<T: Record>(&mut self, of: &T, version: &[u8]) -> Result<(), StoreError> {
        let key = version_key(T::SUBJECT, of.number(), self.counters.last_seq + 1);
        self.tables.versions.insert(key, version)?;
        Ok(())
    }
}

/// Returns the entry for the change log.
pub fn change<T: Record>(before: Option<&T>, after: Option<&T>) -> ConfigurationChange {
    ConfigurationChange {
        subject: T::SUBJECT,
        key: after.or(before).map(Record::logged_key).unwrap_or_default(),
        before: before.map(|record| record.audit().to_string()),
        after: after.map(|record| record.audit().to_string()),
    }
}

//! Stored sources. The times when they were last seen are in a table of their own.

use std::{collections::BTreeMap, sync::Arc};

use redb::{ReadTransaction, ReadableTable};

use super::{
    Kind, Record, kept_in, known_as,
    stored::{audited, stored},
};
use crate::domain::{
    Directory, Source, SourceId, UserId,
    agenda::{Task, TaskKind},
};
use crate::store::{StoreError, codec::id_key, schema::SOURCE_TYPE, tables::WriteTables, verify::Findings};

stored! {
    SourceV1 of Source by id: SourceId {
        name: String,
        source_type: String,
        user: UserId,
        base_url: String,
        heartbeat_frequency: Option<u32>,
    }
}

impl Record for Source {
    known_as!(Source, "source" as SourceV1);
    audited!(name, source_type as "type", user, base_url, heartbeat_frequency);
}

impl Kind for Source {
    kept_in!("source_id_to_source" as SourceV1, id: SourceId => sources, of user);

    fn place(self: Arc<Self>, directory: &mut Directory) -> Option<Arc<Self>> {
        directory.put_source(self)
    }

    /// Adds the source type too, since types have no versions.
    fn place_version(self: Arc<Self>, directory: &mut Directory) {
        directory.source_types.insert(self.source_type.clone());
        self.place(directory);
    }

    /// Loads all source types, including those without a source.
    fn load_more(txn: &ReadTransaction, directory: &mut Directory) -> Result<(), StoreError> {
        for row in txn.open_table(SOURCE_TYPE)?.iter()? {
            directory.source_types.insert(row?.0.value().to_owned());
        }
        Ok(())
    }

    fn delete_more(tables: &mut WriteTables<'_>, id: SourceId) -> Result<(), StoreError> {
        tables.last_seen.remove(id_key(id.0))?;
        Ok(())
    }

    fn tasks(&self, _: &Directory) -> Vec<Task> {
        TaskKind::OF_SOURCES.map(|kind| kind.of_source(self.id)).to_vec()
    }

    fn check_all(directory: &Directory, findings: &mut Findings) {
        let mut sources = BTreeMap::new();
        for source in directory.sources.values() {
            if let Some(other) = sources.insert((&source.source_type, &source.name), source.id) {
                findings.add(format!("sources {other} and {} have the same name and type", source.id));
            }
            findings.check(directory.source_types.contains(&source.source_type), || {
                format!("source {} has the unknown type {}", source.id, source.source_type)
            });
        }
    }
}

//! Stored sources. The times when they were last seen are in a table of their own.

use std::{collections::BTreeMap, sync::Arc};

use imbl::OrdMap;
use redb::{ReadTransaction, ReadableTable};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Kind, Record, kept_in, known_as};
use crate::{
    domain::{
        agenda::{Task, TaskKind},
        directory::Directory,
        ids::{SourceId, UserId},
        source::Source,
    },
    store::{
        StoreError,
        codec::{decode_v1, encode},
        schema::SOURCE_TYPE,
        verify::Findings,
    },
};

const V1: u8 = 1;

#[derive(Serialize, Deserialize)]
struct SourceV1 {
    name: String,
    source_type: String,
    user: u64,
    base_url: String,
    heartbeat_frequency: Option<u32>,
}

impl Record for Source {
    known_as!(Source, "source");

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        let record = SourceV1 {
            name: self.name.clone(),
            source_type: self.source_type.clone(),
            user: self.user.0,
            base_url: self.base_url.clone(),
            heartbeat_frequency: self.heartbeat_frequency,
        };
        encode(V1, &record)
    }

    fn audit(&self) -> Value {
        json!({
            "name": self.name,
            "type": self.source_type,
            "user": self.user.0,
            "base_url": self.base_url,
            "heartbeat_frequency": self.heartbeat_frequency,
        })
    }
}

impl Kind for Source {
    kept_in!("source_id_to_source", id: SourceId => sources: OrdMap<SourceId, Arc<Self>>);

    fn decode(id: SourceId, value: &[u8]) -> Result<Self, StoreError> {
        let record: SourceV1 = decode_v1("source", value)?;
        Ok(Self {
            id,
            name: record.name,
            source_type: record.source_type,
            user: UserId(record.user),
            base_url: record.base_url,
            heartbeat_frequency: record.heartbeat_frequency,
        })
    }

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

    fn tasks(&self, _: &Directory) -> Vec<Task> {
        TaskKind::OF_SOURCES.map(|kind| kind.of_source(self.id)).to_vec()
    }

    fn owner(&self) -> Option<(&'static str, UserId)> {
        Some(("user", self.user))
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

//! The tantivy index on disk: tags of incidents, and texts of incidents and events.
//!
//! An incident has one document, which is replaced when its tags or its description change. An event has one if its
//! text is not part of the description. Values that change often (ends, acknowledgements) are not in the index.

use std::{collections::HashSet, fmt::Display, path::Path, sync::Arc, thread, time::Duration};

use rustc_hash::FxHashSet;
use tantivy::{
    DocId, Index, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, Searcher, SegmentReader, TantivyDocument,
    TantivyError, Term,
    columnar::ColumnValues,
    directory::{MmapDirectory, error::LockError},
    indexer::{IndexWriterOptions, LogMergePolicy},
    query::{BooleanQuery, EnableScoring, PhraseQuery, Query, TermQuery},
    schema::{Field, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions},
    tokenizer::{RawTokenizer, TextAnalyzer},
};

use super::{
    grams::{GramTokenizer, Pattern},
    id_set::Collector,
};
use crate::domain::{IncidentId, Seq, Tag, Timestamp};
use crate::store::Owner;

/// Version of the schema and the meaning of its fields, increased with each change. An index of another version is
/// rebuilt.
const VERSION: u32 = 1;
const HEAP_BYTES: usize = 15_000_000;
/// Heap while the whole index is built, in bytes.
const BUILD_HEAP_BYTES: usize = 60_000_000;
/// Number of attempts to take a lock, 10 ms apart: two seconds.
const LOCK_PATIENCE: u32 = 200;

/// Reason for which the index cannot be used and must be rebuilt.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct IndexError(String);

impl IndexError {
    fn new(reason: impl Display) -> Self {
        Self(reason.to_string())
    }

    /// Returns the error for a panic of the index's reader or writer.
    pub(super) fn broken() -> Self {
        Self::new("it is damaged in a way that its reader does not expect")
    }
}

impl From<tantivy::TantivyError> for IndexError {
    fn from(error: tantivy::TantivyError) -> Self {
        Self::new(error)
    }
}

impl From<std::io::Error> for IndexError {
    fn from(error: std::io::Error) -> Self {
        Self::new(error)
    }
}

/// Position in the change log up to which the index is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) seq: Seq,
    /// Time of that change, by which another history with the same numbers is noticed.
    pub(super) at: Timestamp,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct IndexFields {
    /// Twice the incident's id, plus one for documents of events.
    key: Field,
    pub(super) tags: Field,
    text: Field,
}

/// Opens a writer, and retries while the lock is taken. A lock that was released a moment ago can seem to be held by a
/// program that is just being started, because it shares our file descriptors until then.
fn writer(index: &Index, heap: usize) -> Result<IndexWriter, IndexError> {
    let mut patience = LOCK_PATIENCE;
    loop {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(heap)
            .build();
        match index.writer_with_options(options) {
            Err(TantivyError::LockFailure(LockError::LockBusy, _)) if patience > 0 => {
                patience -= 1;
                thread::sleep(Duration::from_millis(10));
            }
            writer => return Ok(writer?),
        }
    }
}

/// The index, open for writing.
pub(super) struct TextIndex {
    index: Index,
    reader: IndexReader,
    /// `None` only while this is dropped.
    writer: Option<IndexWriter>,
    fields: IndexFields,
}

/// The index as of a commit.
#[derive(Clone)]
pub(super) struct TextSearcher {
    pub(super) searcher: Searcher,
    pub(super) fields: IndexFields,
}

impl TextIndex {
    /// Opens the index. `None`: nothing was committed there in this version.
    pub(super) fn open(directory: &Path) -> Result<Option<(Self, Position)>, IndexError> {
        let opened = MmapDirectory::open(directory).map_err(IndexError::new)?;
        if !Index::exists(&opened).map_err(IndexError::new)? {
            return Ok(None);
        }
        let index = Index::open(opened)?;
        let (schema, fields) = schema();
        let position = index.load_metas()?.payload.as_deref().and_then(parse_payload);
        match position {
            Some(position) if index.schema() == schema => Ok(Some((Self::new(index, fields, HEAP_BYTES)?, position))),
            _ => Ok(None),
        }
    }

    /// Replaces what is in the directory by an empty index, with the large heap for building it; see
    /// [`TextIndex::built`].
    pub(super) fn create(directory: &Path, owner: Option<Owner>) -> Result<Self, IndexError> {
        match std::fs::remove_dir_all(directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        std::fs::create_dir_all(directory)?;
        // At once, so that the server can replace the directory even if this process ends here.
        if let Some(owner) = owner {
            owner.give_path(directory);
        }
        let (schema, fields) = schema();
        let settings = IndexSettings { docstore_compress_dedicated_thread: false, ..IndexSettings::default() };
        let directory = MmapDirectory::open(directory).map_err(IndexError::new)?;
        Self::new(Index::create(directory, schema, settings)?, fields, BUILD_HEAP_BYTES)
    }

    /// Continues with the smaller heap for normal operation.
    pub(super) fn built(mut self) -> Result<Self, IndexError> {
        self.stop()?;
        Self::new(self.index.clone(), self.fields, HEAP_BYTES)
    }

    fn new(index: Index, fields: IndexFields, heap: usize) -> Result<Self, IndexError> {
        index.tokenizers().register("whole", TextAnalyzer::from(RawTokenizer::default()));
        index.tokenizers().register("grams", TextAnalyzer::from(GramTokenizer::default()));
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let writer = writer(&index, heap)?;
        let mut merge = LogMergePolicy::default();
        merge.set_min_layer_size(2_000);
        merge.set_level_log_size(1.5);
        merge.set_max_docs_before_merge(100_000);
        merge.set_del_docs_ratio_before_merge(0.4);
        writer.set_merge_policy(Box::new(merge));
        Ok(Self { index, reader, writer: Some(writer), fields })
    }

    pub(super) fn searcher(&self) -> TextSearcher {
        TextSearcher { searcher: self.reader.searcher(), fields: self.fields }
    }

    /// Adds the document of an incident. `text` must be folded.
    pub(super) fn add_incident<'t>(
        &self,
        id: IncidentId,
        tags: impl Iterator<Item = &'t Tag>,
        text: &str,
    ) -> Result<(), IndexError> {
        let mut document = TantivyDocument::new();
        document.add_u64(self.fields.key, incident_key(id));
        for tag in tags {
            document.add_text(self.fields.tags, tag.as_str());
        }
        document.add_text(self.fields.text, text);
        self.writer()?.add_document(document)?;
        Ok(())
    }

    /// Deletes the document of an incident. The documents of its events stay.
    pub(super) fn remove_incident(&self, id: IncidentId) -> Result<(), IndexError> {
        self.writer()?.delete_term(Term::from_field_u64(self.fields.key, incident_key(id)));
        Ok(())
    }

    pub(super) fn remove_events(&self, incident: IncidentId) -> Result<(), IndexError> {
        self.writer()?.delete_term(Term::from_field_u64(self.fields.key, event_key(incident)));
        Ok(())
    }

    /// Adds the document of an event. `text` must be folded.
    pub(super) fn add_event(&self, incident: IncidentId, text: &str) -> Result<(), IndexError> {
        let mut document = TantivyDocument::new();
        document.add_u64(self.fields.key, event_key(incident));
        document.add_text(self.fields.text, text);
        self.writer()?.add_document(document)?;
        Ok(())
    }

    pub(super) fn commit(&mut self, position: Position) -> Result<(), IndexError> {
        let mut commit = self.writer.as_mut().ok_or_else(IndexError::broken)?.prepare_commit()?;
        commit.set_payload(&payload(position));
        commit.commit()?;
        self.reader.reload()?;
        Ok(())
    }

    fn writer(&self) -> Result<&IndexWriter, IndexError> {
        self.writer.as_ref().ok_or_else(IndexError::broken)
    }

    /// Waits for background work to end, and releases the lock of the directory.
    fn stop(&mut self) -> Result<(), IndexError> {
        match self.writer.take() {
            Some(writer) => Ok(writer.wait_merging_threads()?),
            None => Ok(()),
        }
    }
}

impl Drop for TextIndex {
    /// Ends background work, because nothing may write to the directory when the next index opens it.
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::warn!(%error, "the search index did not close well");
        }
    }
}

impl TextSearcher {
    /// Lists the files with a wrong checksum.
    pub(super) fn damaged_files(&self) -> Result<Vec<String>, IndexError> {
        let files: HashSet<_> = self.searcher.index().validate_checksum()?;
        Ok(files.into_iter().map(|file| file.display().to_string()).collect())
    }

    /// Counts the documents that have the tag, including replaced ones that are not removed yet.
    pub(super) fn tag_frequency(&self, tag: &Tag) -> Result<u64, IndexError> {
        Ok(self.searcher.doc_freq(&Term::from_field_text(self.fields.tags, tag.as_str()))?)
    }

    /// Finds the incidents that have at least one tag of each group. Leaves out those in `overridden`.
    pub(super) fn tagged(
        &self,
        groups: &[Vec<Tag>],
        overridden: &FxHashSet<u64>,
        into: &mut Collector,
    ) -> Result<(), IndexError> {
        let term = |tag: &Tag| -> Box<dyn Query> {
            let term = Term::from_field_text(self.fields.tags, tag.as_str());
            Box::new(TermQuery::new(term, IndexRecordOption::Basic))
        };
        let mut queries: Vec<Box<dyn Query>> = groups
            .iter()
            .map(|group| match group.as_slice() {
                [tag] => term(tag),
                tags => Box::new(BooleanQuery::union(tags.iter().map(term).collect())),
            })
            .collect();
        match queries.pop() {
            Some(query) if queries.is_empty() => self.collect(query.as_ref(), overridden, into),
            Some(query) => {
                queries.push(query);
                self.collect(&BooleanQuery::intersection(queries), overridden, into)
            }
            None => Ok(()),
        }
    }

    /// Finds the incidents whose description or events contain the folded word. Ignores the descriptions of those in
    /// `overridden`.
    pub(super) fn containing(
        &self,
        word: &str,
        overridden: &FxHashSet<u64>,
        into: &mut Collector,
    ) -> Result<(), IndexError> {
        let term = |gram: &str| Term::from_field_text(self.fields.text, gram);
        match Pattern::of(word) {
            Pattern::Beginning(beginning) => {
                for segment in self.searcher.segment_readers() {
                    self.beginning(segment, &beginning, &mut Hits::new(segment, overridden, into)?)?;
                }
                Ok(())
            }
            Pattern::Gram(gram) => {
                self.collect(&TermQuery::new(term(&gram), IndexRecordOption::Basic), overridden, into)
            }
            Pattern::Phrase(grams) => {
                let grams = grams.iter().map(|(at, gram)| (*at, term(gram))).collect();
                self.collect(&PhraseQuery::new_with_offset(grams), overridden, into)
            }
        }
    }

    fn collect(&self, query: &dyn Query, overridden: &FxHashSet<u64>, into: &mut Collector) -> Result<(), IndexError> {
        let weight = query.weight(EnableScoring::disabled_from_searcher(&self.searcher))?;
        for segment in self.searcher.segment_readers() {
            let mut hits = Hits::new(segment, overridden, into)?;
            weight.for_each_no_score(segment, &mut |docs| docs.iter().for_each(|&doc| hits.add(doc)))?;
        }
        Ok(())
    }

    fn beginning(&self, segment: &SegmentReader, beginning: &str, hits: &mut Hits<'_>) -> Result<(), IndexError> {
        let mut end = beginning.as_bytes().to_vec();
        if let Some(last) = end.last_mut() {
            // UTF-8 has no byte 255, so this is always the next byte.
            *last = last.saturating_add(1);
        }
        let inverted = segment.inverted_index(self.fields.text)?;
        let mut docs = vec![0u64; segment.max_doc() as usize / 64 + 1];
        let mut terms = inverted.terms().range().ge(beginning.as_bytes()).lt(&end).into_stream()?;
        while terms.advance() {
            let mut postings = inverted.read_block_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
            while !postings.docs().is_empty() {
                for &doc in postings.docs() {
                    if let Some(word) = docs.get_mut(doc as usize / 64) {
                        *word |= 1 << (doc % 64);
                    }
                }
                postings.advance();
            }
        }
        for (at, mut word) in docs.into_iter().enumerate() {
            while word != 0 {
                hits.add(at as u32 * 64 + word.trailing_zeros());
                word &= word - 1;
            }
        }
        Ok(())
    }
}

/// Converts documents of a segment to incidents.
struct Hits<'a> {
    segment: &'a SegmentReader,
    keys: Arc<dyn ColumnValues<u64>>,
    overridden: &'a FxHashSet<u64>,
    into: &'a mut Collector,
}

impl<'a> Hits<'a> {
    fn new(
        segment: &'a SegmentReader,
        overridden: &'a FxHashSet<u64>,
        into: &'a mut Collector,
    ) -> Result<Self, IndexError> {
        let keys = segment.fast_fields().u64("key")?.first_or_default_col(0);
        Ok(Self { segment, keys, overridden, into })
    }

    fn add(&mut self, doc: DocId) {
        if self.segment.is_deleted(doc) {
            return;
        }
        let key = self.keys.get_val(doc);
        let (id, is_event) = (key >> 1, key & 1 == 1);
        if is_event || self.overridden.is_empty() || !self.overridden.contains(&id) {
            self.into.add(id);
        }
    }
}

fn incident_key(id: IncidentId) -> u64 {
    id.0 << 1
}

fn event_key(incident: IncidentId) -> u64 {
    incident.0 << 1 | 1
}

fn schema() -> (Schema, IndexFields) {
    let mut schema = Schema::builder();
    let indexed = |tokenizer, option| {
        let indexing =
            TextFieldIndexing::default().set_tokenizer(tokenizer).set_index_option(option).set_fieldnorms(false);
        TextOptions::default().set_indexing_options(indexing)
    };
    let fields = IndexFields {
        key: schema.add_u64_field("key", NumericOptions::default().set_indexed().set_fast()),
        tags: schema.add_text_field("tags", indexed("whole", IndexRecordOption::Basic)),
        text: schema.add_text_field("text", indexed("grams", IndexRecordOption::WithFreqsAndPositions)),
    };
    (schema.build(), fields)
}

fn payload(position: Position) -> String {
    format!("{VERSION} {} {}", position.seq.0, position.at.micros())
}

fn parse_payload(payload: &str) -> Option<Position> {
    let mut parts = payload.split(' ');
    if parts.next()?.parse() != Ok(VERSION) {
        return None;
    }
    let seq = Seq(parts.next()?.parse().ok()?);
    let at = Timestamp::from_micros(parts.next()?.parse().ok()?)?;
    Some(Position { seq, at })
}

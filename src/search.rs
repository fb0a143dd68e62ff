//! Answers [`Criteria`] for the whole store: which incidents match, newest first, and how many.
//!
//! Columns in memory hold short values and values that change often; a text index on disk holds tags and texts. Both
//! are derived from the store, follow its commits, and can be rebuilt from it.

mod any_of;
mod catch_up;
mod chunk;
mod columns;
mod conditions;
mod facets;
mod feed;
mod grams;
mod id_set;
mod indexer;
mod lapses;
mod maintenance;
mod near;
mod page;
mod ranks;
mod scan;
mod sort;
mod sorted;
mod suggest;
mod tag_terms;
mod tail;
mod text_index;
mod walk;

use std::{
    collections::BTreeSet,
    convert::Infallible,
    fmt::Display,
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard},
    thread,
    time::Duration,
};

use uuid::Uuid;

use self::{
    catch_up::CatchUpError,
    chunk::{ChunkRow, Key},
    feed::{Feed, Loaded},
    id_set::{Collector, IdSet},
    indexer::{IndexView, Indexer, IndexerShared, guarded},
    scan::Scan,
    tail::TailView,
    text_index::IndexError,
    walk::ColumnWalk,
};
pub use self::{
    facets::Facets,
    page::{Cursor, Found},
    sort::{Sort, SortColumn, SortedCursor},
    sorted::SortedFound,
    suggest::{TagSuggestion, TagSuggestionKind, suggest_tags_of},
};
use crate::domain::{Criteria, IncidentId, Seq, Timestamp, limits::READ_TO_MATCH};
use crate::store::{Owner, Snapshot, Store, StoreError};

/// Number of attempts to verify the text index, and the delay between them, before it is reported as damaged.
const CHECKS: usize = 4;
const CHECK_AGAIN: Duration = Duration::from_millis(250);

/// Number of chunks of the columns that may be searched on an async thread, where other tasks wait.
const CHUNKS_AT_ONCE: usize = 24;

/// The search. Clones share the columns and the index; dropping the last one ends the thread.
#[derive(Clone)]
pub struct Search {
    inner: Arc<SearchState>,
}

/// State of the text index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// `behind` is the number of incidents and events that are not in the index on disk yet. They are searched in
    /// memory.
    Ready { behind: usize },
    /// Tags and texts are found by reading records until the index is rebuilt.
    Rebuilding,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum SearchError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("planned maintenance that is on names more than {0} filters, too many to search by")]
    TooManyFilters(usize),
    #[error("the search index in {path} cannot be used: {reason}")]
    Index { path: String, reason: String },
}

struct SearchState {
    store: Store,
    columns: RwLock<Loaded>,
    text: Arc<IndexerShared>,
    /// Directory of the text index.
    directory: PathBuf,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

impl Search {
    /// Reads all summaries, opens the text index under `directory`, and follows the store from then on.
    ///
    /// Each generation of the data file has a directory of its own in it. Those of other generations are removed.
    pub fn open(store: &Store, directory: &Path) -> Result<Self, SearchError> {
        let directory = generation_directory(store, directory)?;
        let text = Arc::new(IndexerShared::new(catch_up::position(&store.snapshot()?)?));
        let inner = Arc::new(SearchState {
            store: store.clone(),
            columns: RwLock::new(Loaded::empty()),
            text: Arc::clone(&text),
            directory: directory.clone(),
            thread: Mutex::default(),
        });
        {
            // A commit before the columns are loaded waits for this lock.
            let mut loaded = inner.columns.write().unwrap_or_else(PoisonError::into_inner);
            store.follow(Arc::new(Feed(Arc::downgrade(&inner))));
            *loaded = Loaded::read(&store.snapshot()?)?;
        }
        let indexer =
            Indexer::open(store.clone(), directory.clone(), text).map_err(|error| index_error(&directory, error))?;
        let thread = thread::Builder::new()
            .name("search-index".to_owned())
            .spawn(move || indexer.run())
            .map_err(|error| unusable(&directory, error))?;
        *inner.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(Self { inner })
    }

    /// Finds a page of matching incidents, newest first. Blocks: for blocking threads.
    pub fn page(
        &self,
        criteria: &Criteria,
        cursor: Option<Cursor>,
        size: usize,
        now: Timestamp,
    ) -> Result<Found, SearchError> {
        let plan = self.inner.plan(criteria, now)?;
        let set = plan.set.as_ref();
        if let Some(snapshot) = &plan.read_with {
            let columns = &self.inner.columns;
            let scan = Scan { columns, criteria, set, now, snapshot };
            return Ok(page::find(
                cursor,
                size,
                |key, limit| scan.older(key, limit),
                |key, limit| scan.newer(key, limit),
            )?);
        }
        let loaded = self.inner.columns();
        let walk = ColumnWalk::new(&loaded.columns, criteria, set, now);
        page::find(cursor, size, |key, limit| Ok(walk.older(key, limit)), |key, limit| Ok(walk.newer(key, limit)))
    }

    /// Like [`Search::page`], if it takes about 100 µs and no waiting. `None` otherwise.
    #[must_use]
    pub fn page_at_once(
        &self,
        criteria: &Criteria,
        cursor: Option<Cursor>,
        size: usize,
        now: Timestamp,
    ) -> Option<Found> {
        if criteria.needs_records() || criteria.ids.is_some() {
            return None;
        }
        let loaded = self.inner.columns.try_read().ok()?;
        let walk = ColumnWalk::new(&loaded.columns, criteria, None, now).with_budget(CHUNKS_AT_ONCE);
        let found: Result<Found, Infallible> =
            page::find(cursor, size, |key, limit| Ok(walk.older(key, limit)), |key, limit| Ok(walk.newer(key, limit)));
        found.ok().filter(|_| !walk.is_over_budget())
    }

    /// Counts the incidents that match. Blocks: for blocking threads.
    pub fn count(&self, criteria: &Criteria, now: Timestamp) -> Result<u64, SearchError> {
        let plan = self.inner.plan(criteria, now)?;
        let set = plan.set.as_ref();
        if let Some(snapshot) = &plan.read_with {
            let columns = &self.inner.columns;
            return Ok(Scan { columns, criteria, set, now, snapshot }.count()?);
        }
        Ok(ColumnWalk::new(&self.inner.columns().columns, criteria, set, now).count())
    }

    /// Returns which of these incidents match. Blocks: for blocking threads.
    pub fn matching_of(
        &self,
        criteria: &Criteria,
        ids: BTreeSet<IncidentId>,
        now: Timestamp,
    ) -> Result<BTreeSet<IncidentId>, SearchError> {
        let ids = match &criteria.ids {
            Some(wanted) => ids.intersection(wanted).copied().collect(),
            None => ids,
        };
        let criteria = &Criteria { ids: Some(ids), ..criteria.clone() };
        // Records do not say which incidents are under maintenance.
        let read = criteria.ids.as_ref().is_some_and(|ids| ids.len() <= READ_TO_MATCH)
            && criteria.needs_records()
            && criteria.under_maintenance.is_none();
        let keys = if read {
            // For a few candidates, reading their records is faster than asking the index.
            let set = criteria.ids.iter().flatten().map(|id| id.0).collect();
            let snapshot = &self.inner.store.snapshot()?;
            let columns = &self.inner.columns;
            Scan { columns, criteria, set: Some(&set), now, snapshot }.older(Key::LAST, usize::MAX)?
        } else {
            let set = self.inner.narrowed(criteria, now)?;
            ColumnWalk::new(&self.inner.columns().columns, criteria, set.as_ref(), now).older(Key::LAST, usize::MAX)
        };
        Ok(keys.into_iter().map(Key::id).collect())
    }

    /// Rebuilds the text index in the background.
    pub fn reindex(&self) {
        self.inner.text.rebuild();
    }

    #[must_use]
    pub fn status(&self) -> Status {
        self.inner.text.behind().map_or(Status::Rebuilding, |behind| Status::Ready { behind })
    }

    /// Returns the bytes of the files of the text index. Blocks.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        let Ok(files) = fs::read_dir(&self.inner.directory) else { return 0 };
        // A file may be removed meanwhile, because it was merged into another one.
        files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len())).sum()
    }

    /// Waits until everything that is committed now is in the text index on disk. Returns false if that takes longer
    /// than `patience`.
    #[must_use]
    pub fn wait_until_indexed(&self, patience: Duration) -> bool {
        self.inner.text.wait_until_indexed(patience)
    }

    /// Returns the number of a change up to which the text index will not read the change log.
    #[must_use]
    pub fn needs_changes_after(&self) -> Seq {
        // The last indexed change is kept, as proof that index and data file have the same history.
        Seq(self.inner.text.indexed().0.saturating_sub(1))
    }

    /// Returns the faults of the columns and of the files of the text index, none if they are sound. Blocks for
    /// seconds.
    pub fn verify(&self) -> Result<Vec<String>, SearchError> {
        let mut findings = self.inner.verify_columns()?;
        findings.extend(self.inner.verify_files());
        Ok(findings)
    }

    /// Commits the text index and ends its thread. Later commits of the store are searched in memory only.
    pub fn close(&self) {
        self.inner.close();
    }
}

/// The way to answer a query.
struct Plan {
    /// The only ids that can match. `None`: all.
    set: Option<IdSet>,
    /// Snapshot for reading records, if columns and index are not sufficient.
    read_with: Option<Snapshot>,
}

impl SearchState {
    fn columns(&self) -> RwLockReadGuard<'_, Loaded> {
        self.columns.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn plan(&self, criteria: &Criteria, now: Timestamp) -> Result<Plan, SearchError> {
        let mut plan = Plan { set: None, read_with: None };
        if let Some(ids) = &criteria.ids {
            let loaded = self.columns();
            let known = ids.iter().filter(|id| loaded.columns.key(**id).is_some());
            plan.narrow(known.map(|id| id.0).collect());
        }
        match criteria.source_incident_id.as_deref() {
            None => {}
            // Many incidents have no source incident id, so there is no index of them.
            Some("") => plan.read_with = Some(self.store.snapshot()?),
            Some(name) => plan.narrow(self.named(name, criteria)?),
        }
        if let Some(wanted) = criteria.under_maintenance {
            plan.narrow(self.under_maintenance(wanted, now)?);
        }
        if plan.set.as_ref().is_some_and(IdSet::is_empty) || criteria.tags.is_empty() && criteria.words.is_empty() {
            return Ok(plan);
        }
        match self.text.view().map(|view| guarded(|| view.search(criteria))) {
            Some(Ok(set)) => plan.narrow(set),
            Some(Err(error)) => {
                tracing::error!(%error, "the search index failed; it will be rebuilt");
                self.text.rebuild();
                plan.read_with = Some(self.store.snapshot()?);
            }
            None => plan.read_with = Some(self.store.snapshot()?),
        }
        Ok(plan)
    }

    /// Returns the only ids that can match, or `None` if the columns alone decide. Reads records if necessary.
    fn narrowed(&self, criteria: &Criteria, now: Timestamp) -> Result<Option<IdSet>, SearchError> {
        let plan = self.plan(criteria, now)?;
        let Some(snapshot) = &plan.read_with else { return Ok(plan.set) };
        let scan = Scan { columns: &self.columns, criteria, set: plan.set.as_ref(), now, snapshot };
        let keys = scan.older(Key::LAST, usize::MAX)?;
        Ok(Some(keys.into_iter().map(|key| key.id).collect()))
    }

    /// Returns the incidents of the wanted sources with this source incident id.
    fn named(&self, name: &str, criteria: &Criteria) -> Result<IdSet, StoreError> {
        let snapshot = self.store.snapshot()?;
        let mut found = Vec::new();
        if let Some(sources) = &criteria.sources {
            for &source in sources {
                found.extend(snapshot.incident_with_source_id(source, name)?);
            }
        } else {
            for &source in self.store.directory().sources.keys() {
                found.extend(snapshot.incident_with_source_id(source, name)?);
            }
        }
        Ok(found.into_iter().map(|id| id.0).collect())
    }

    fn verify_columns(&self) -> Result<Vec<String>, SearchError> {
        let (columns, snapshot) = loop {
            let loaded = self.columns();
            let snapshot = self.store.snapshot()?;
            // While the lock is held, the writer can be ahead of the columns by one batch.
            if snapshot.seq()? == loaded.seq {
                break (loaded.columns.clone(), snapshot);
            }
            drop(loaded);
            thread::sleep(Duration::from_millis(1));
        };
        let mut findings = Vec::new();
        let mut count = 0;
        snapshot.for_each_summary(&mut |summary| {
            count += 1;
            let expected = columns.source_number(summary.source).map(|source| ChunkRow::new(&summary, source));
            if expected.is_none() || columns.row(summary.id) != expected {
                findings.push(format!("search columns: incident {} is not what the data file says", summary.id));
            }
        })?;
        if count != columns.len() {
            findings.push(format!("search columns: {} incidents, but the data file has {count}", columns.len()));
        }
        Ok(findings)
    }

    /// Verifies the files of the text index. While it is being built there is nothing to verify.
    fn verify_files(&self) -> Vec<String> {
        let mut findings = Vec::new();
        // A file may disappear because it was merged into another one. Damage stays.
        for _ in 0..CHECKS {
            let Some(IndexView { searcher, .. }) = self.text.view() else { return Vec::new() };
            findings = match guarded(|| searcher.damaged_files()) {
                Ok(files) => files.iter().map(|file| format!("search index: {file} is damaged")).collect(),
                Err(error) => vec![format!("search index: {error}")],
            };
            if findings.is_empty() {
                break;
            }
            thread::sleep(CHECK_AGAIN);
        }
        findings
    }

    fn close(&self) {
        self.text.stop();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the search index ended by an internal error");
        }
    }
}

impl Drop for SearchState {
    fn drop(&mut self) {
        self.close();
    }
}

impl Plan {
    fn narrow(&mut self, set: IdSet) {
        self.set = Some(match self.set.take() {
            Some(before) => before.intersect(set),
            None => set,
        });
    }
}

impl IndexView {
    /// Returns the incidents that match the tags and words.
    fn search(&self, criteria: &Criteria) -> Result<IdSet, IndexError> {
        let tail = TailView::new(&self.tail);
        let overridden = tail.overridden();
        let mut found: Option<IdSet> = None;
        if !criteria.tags.is_empty() {
            let mut tagged = Collector::default();
            tail.tagged(&criteria.tags, &mut tagged);
            self.searcher.tagged(&criteria.tags, &overridden, &mut tagged)?;
            found = Some(tagged.finish());
        }
        for word in &criteria.words {
            if found.as_ref().is_some_and(IdSet::is_empty) {
                break;
            }
            let mut containing = Collector::default();
            tail.containing(word, &mut containing);
            self.searcher.containing(word, &overridden, &mut containing)?;
            let containing = containing.finish();
            found = Some(match found {
                Some(found) => found.intersect(containing),
                None => containing,
            });
        }
        Ok(found.unwrap_or_default())
    }
}

/// Creates the directory of the store's generation, and removes those of other generations.
fn generation_directory(store: &Store, directory: &Path) -> Result<PathBuf, SearchError> {
    let own = directory.join(store.generation().to_string());
    let failed = |error: io::Error| unusable(directory, error);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&own).map_err(failed)?;
    if let Some(owner) = Owner::of(store.path()) {
        owner.give_path(directory);
        owner.give_directory(&own);
    }
    // An older release may have created it with access for all users.
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).map_err(failed)?;
    for entry in fs::read_dir(directory).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let is_generation = entry.file_name().to_str().is_some_and(|name| Uuid::parse_str(name).is_ok());
        if is_generation
            && entry.path() != own
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::warn!(path = %entry.path().display(), %error, "an old search index cannot be removed");
        }
    }
    Ok(own)
}

fn index_error(directory: &Path, error: impl Into<CatchUpError>) -> SearchError {
    match error.into() {
        CatchUpError::Store(error) => error.into(),
        other => unusable(directory, other),
    }
}

fn unusable(directory: &Path, reason: impl Display) -> SearchError {
    SearchError::Index { path: directory.display().to_string(), reason: reason.to_string() }
}

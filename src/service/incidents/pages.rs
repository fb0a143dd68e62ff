//! Lists of incidents, paged or complete (contract section 6). The bytes of a page are limited, too.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::domain::{
    AnyOf, Criteria, EventId, Incident, IncidentId, SizeBudget, Timestamp,
    limits::{LIST_CHUNK_BYTES, PAGE_BYTES, PAGE_SIZE_MAX},
};
use crate::search::Found;
use crate::service::{Incidents, SearchError, Service, ServiceError};
use crate::store::{Snapshot, StoreError};

pub use crate::search::Cursor;

/// Number of incidents that are searched for at once for a list without pages.
const CHUNK: usize = 1_000;

/// Number of rows up to which a page may be read on an async thread, where other tasks wait.
const AT_ONCE: usize = 100;

/// A position in the list of all events. The page has events strictly older than (timestamp, id), or newer if
/// `backwards`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventCursor {
    pub timestamp: Timestamp,
    pub id: EventId,
    pub backwards: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct PageRequest {
    /// Number of rows. Reduced silently to the largest page.
    pub size: usize,
    pub cursor: Option<Cursor>,
    /// Whether the rows have their metadata. Rows without metadata take fewer bytes, so a page holds more of them.
    pub metadata: bool,
}

/// Permit to hold a large page in memory, until it is dropped.
pub type Turn = Arc<OwnedSemaphorePermit>;

/// A page of a list. Rows are always newest first.
#[derive(Clone, Debug)]
pub struct Page<T, C = Cursor> {
    pub rows: Vec<T>,
    pub next: Option<C>,
    pub previous: Option<C>,
    /// Permit of a large page, to be kept until the page is written.
    pub turn: Option<Turn>,
}

impl Incidents {
    /// Returns a page of matching incidents. It has fewer rows than requested if they would take more than
    /// [`PAGE_BYTES`].
    pub async fn incidents_page(
        &self,
        wanted: impl Into<AnyOf>,
        page: PageRequest,
    ) -> Result<Page<Incident>, ServiceError> {
        let (AnyOf(wanted), now) = (wanted.into(), self.now());
        if let [criteria] = wanted.as_slice()
            && let Some(found) = self.find_at_once(criteria, page, now)
        {
            return found;
        }
        let (service, wanted) = (self.clone(), Arc::<[Criteria]>::from(wanted));
        let ask = {
            let (service, wanted) = (service.clone(), Arc::clone(&wanted));
            move || {
                let found =
                    service.search().page_of_any(&wanted, page.cursor, page.size.clamp(1, PAGE_SIZE_MAX), now)?;
                let snapshot = service.store().snapshot()?;
                let rows = read(&snapshot, &found, page, LIST_CHUNK_BYTES)?;
                Ok::<_, ServiceError>((found, rows))
            }
        };
        let (found, rows) = self.blocking(ask).await?;
        if let Some(rows) = rows {
            return Ok(Page { rows, next: found.next, previous: found.previous, turn: None });
        }
        let turn = self.large_page().await?;
        let (found, rows) = self
            .blocking(move || {
                let search = |size| service.search().page_of_any(&wanted, page.cursor, size, now);
                // The snapshot is taken after the search, so it contains all incidents that the search found, except
                // those that were deleted since.
                let read = |found: &Found| {
                    let backwards = page.cursor.is_some_and(|cursor| cursor.backwards);
                    read_ids(&service.store().snapshot()?, &found.ids, backwards, page.metadata, PAGE_BYTES)
                };
                fitting(found, search, read)
            })
            .await?;
        Ok(Page { rows, next: found.next, previous: found.previous, turn: Some(turn) })
    }

    pub async fn count_incidents(&self, wanted: impl Into<AnyOf>) -> Result<u64, ServiceError> {
        let AnyOf(wanted) = wanted.into();
        let search = self.search().clone();
        let now = self.now();
        self.blocking(move || Ok(search.count_any(&wanted, now)?)).await
    }

    /// Lists all incidents that match now, newest first, in chunks from many short snapshots.
    #[must_use]
    pub fn all_incidents(&self, wanted: impl Into<AnyOf>) -> AllIncidents {
        let AnyOf(wanted) = wanted.into();
        AllIncidents {
            service: Service::clone(self),
            wanted: wanted.into(),
            now: self.now(),
            metadata: true,
            found: Vec::new(),
            place: PagePosition::Start,
        }
    }

    /// Waits for a permit for a large page. Their number is limited while they are read and written.
    pub(in crate::service) async fn large_page(&self) -> Result<Turn, ServiceError> {
        let turn = Arc::clone(&self.inner.large_pages).acquire_owned().await;
        turn.map(Arc::new).map_err(|_| ServiceError::Internal("large pages have ended"))
    }

    /// Searches for and reads a short page on the current thread, if it is found quickly: handing it to another thread
    /// would cost more.
    fn find_at_once(
        &self,
        criteria: &Criteria,
        page: PageRequest,
        now: Timestamp,
    ) -> Option<Result<Page<Incident>, ServiceError>> {
        if page.size > AT_ONCE {
            return None;
        }
        let found = self.search().page_at_once(criteria, page.cursor, page.size.max(1), now)?;
        let snapshot = self.store().snapshot_now().ok()?;
        let rows = read(&snapshot, &found, page, LIST_CHUNK_BYTES).transpose()?;
        Some(rows.map(|rows| Page { rows, next: found.next, previous: found.previous, turn: None }).map_err(Into::into))
    }
}

/// Reads the rows of a page. `None` if they would take more than `bytes`.
fn read(
    snapshot: &Snapshot,
    found: &Found,
    page: PageRequest,
    bytes: usize,
) -> Result<Option<Vec<Incident>>, StoreError> {
    let (rows, passed) = read_ids(snapshot, &found.ids, false, page.metadata, bytes)?;
    Ok((passed == found.ids.len()).then_some(rows))
}

/// Reads the rows of these ids, in their order, until they would take more than `bytes`. Also returns the number of ids
/// that were passed. `backwards` begins with the last id.
pub(in crate::service) fn read_ids(
    snapshot: &Snapshot,
    ids: &[IncidentId],
    backwards: bool,
    metadata: bool,
    bytes: usize,
) -> Result<(Vec<Incident>, usize), StoreError> {
    let (room, adjust) = (SizeBudget::new(bytes), |incident: &mut Incident| {
        if !metadata {
            incident.metadata = String::new();
        }
    });
    if !backwards {
        return snapshot.incidents_within(ids.iter().copied(), room, adjust);
    }
    let (mut rows, passed) = snapshot.incidents_within(ids.iter().rev().copied(), room, adjust)?;
    rows.reverse();
    Ok((rows, passed))
}

/// Result of a search for one page of ids.
pub(in crate::service) trait PageOfIds {
    fn ids(&self) -> &[IncidentId];
}

impl PageOfIds for Found {
    fn ids(&self) -> &[IncidentId] {
        &self.ids
    }
}

/// Searches for shorter pages until all rows of one can be read, so that its cursors match its rows. `read` must begin
/// with the rows nearest to the cursor.
pub(in crate::service) fn fitting<F: PageOfIds>(
    first: F,
    search: impl Fn(usize) -> Result<F, SearchError>,
    read: impl Fn(&F) -> Result<(Vec<Incident>, usize), StoreError>,
) -> Result<(F, Vec<Incident>), ServiceError> {
    let mut found = first;
    loop {
        let (rows, passed) = read(&found)?;
        if passed >= found.ids().len() {
            return Ok((found, rows));
        }
        found = search(passed.max(1))?;
    }
}

/// All matching incidents in chunks; see [`Incidents::all_incidents`].
pub struct AllIncidents {
    service: Service,
    wanted: Arc<[Criteria]>,
    now: Timestamp,
    metadata: bool,
    /// Ids that were found and not read yet, the next one last.
    found: Vec<IncidentId>,
    place: PagePosition,
}

enum PagePosition {
    Start,
    After(Cursor),
    End,
}

impl AllIncidents {
    #[must_use]
    pub fn without_metadata(self) -> Self {
        Self { metadata: false, ..self }
    }

    /// Reads the next chunk, which is never empty. `None` at the end and after an error.
    pub async fn next(&mut self) -> Option<Result<Vec<Incident>, ServiceError>> {
        let end = Self {
            found: Vec::new(),
            place: PagePosition::End,
            wanted: Arc::clone(&self.wanted),
            service: self.service.clone(),
            ..*self
        };
        let mut list = std::mem::replace(self, end);
        let read = self.service.blocking(move || {
            let chunk = list.next_chunk();
            Ok((list, chunk))
        });
        match read.await {
            Ok((list, chunk)) => {
                *self = list;
                chunk
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// Like [`AllIncidents::next`], for a blocking thread.
    pub fn next_chunk(&mut self) -> Option<Result<Vec<Incident>, ServiceError>> {
        loop {
            match self.read_chunk() {
                Ok(None) => return None,
                Ok(Some(rows)) if rows.is_empty() => {}
                Ok(Some(rows)) => return Some(Ok(rows)),
                Err(error) => {
                    self.found.clear();
                    self.place = PagePosition::End;
                    return Some(Err(error));
                }
            }
        }
    }

    fn read_chunk(&mut self) -> Result<Option<Vec<Incident>>, ServiceError> {
        if self.found.is_empty() {
            let cursor = match self.place {
                PagePosition::Start => None,
                PagePosition::After(cursor) => Some(cursor),
                PagePosition::End => return Ok(None),
            };
            let mut found = self.service.search().page_of_any(&self.wanted, cursor, CHUNK, self.now)?;
            found.ids.reverse();
            self.found = found.ids;
            self.place = found.next.map_or(PagePosition::End, PagePosition::After);
        }
        let snapshot = self.service.store().snapshot()?;
        let (mut rows, passed) = read_ids(&snapshot, &self.found, true, self.metadata, LIST_CHUNK_BYTES)?;
        rows.reverse();
        self.found.truncate(self.found.len().saturating_sub(passed));
        Ok(Some(rows))
    }
}

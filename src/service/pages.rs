//! Lists of incidents, page by page or all of them (contract section 6).

use std::sync::Arc;

use super::{Service, ServiceError};
use crate::domain::{
    filter::{AnyOf, Criteria},
    ids::EventId,
    incident::Incident,
    limits::PAGE_SIZE_MAX,
    time::Timestamp,
};

pub use crate::search::Cursor;

/// Incidents in one chunk of a list that is not paged.
const CHUNK: usize = 1_000;

/// Rows that may be read on a thread that others wait for.
const AT_ONCE: usize = 100;

/// A place between events of the list of all events: strictly older than (timestamp, id), or, backwards, newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventCursor {
    pub timestamp: Timestamp,
    pub id: EventId,
    pub backwards: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct PageRequest {
    /// Cut to the largest page without a word.
    pub size: usize,
    pub cursor: Option<Cursor>,
}

/// Rows are always newest first.
#[derive(Clone, Debug)]
pub struct Page<T, C = Cursor> {
    pub rows: Vec<T>,
    pub next: Option<C>,
    pub previous: Option<C>,
}

impl Service {
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
        let service = self.clone();
        self.blocking(move || service.find(&wanted, page.cursor, page.size, now)).await
    }

    pub async fn count_incidents(&self, wanted: impl Into<AnyOf>) -> Result<u64, ServiceError> {
        let AnyOf(wanted) = wanted.into();
        let search = self.search().clone();
        let now = self.now();
        self.blocking(move || Ok(search.count_any(&wanted, now)?)).await
    }

    /// All that match now, newest first, in chunks from many short snapshots.
    #[must_use]
    pub fn all_incidents(&self, wanted: impl Into<AnyOf>) -> AllIncidents {
        let AnyOf(wanted) = wanted.into();
        AllIncidents { service: self.clone(), wanted: wanted.into(), now: self.now(), place: Place::Start }
    }

    /// Short pages that are quickly found: handing them to another thread would cost more than they do.
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
        let rows = snapshot.incidents(&found.ids);
        Some(rows.map(|rows| Page { rows, next: found.next, previous: found.previous }).map_err(ServiceError::from))
    }

    /// The snapshot is taken after the search, so it holds whatever the search knows of; only what was deleted since is
    /// left out.
    fn find(
        &self,
        wanted: &[Criteria],
        cursor: Option<Cursor>,
        size: usize,
        now: Timestamp,
    ) -> Result<Page<Incident>, ServiceError> {
        let found = self.search().page_of_any(wanted, cursor, size.clamp(1, PAGE_SIZE_MAX), now)?;
        let rows = self.store().snapshot()?.incidents(&found.ids)?;
        Ok(Page { rows, next: found.next, previous: found.previous })
    }
}

/// See [`Service::all_incidents`].
pub struct AllIncidents {
    service: Service,
    wanted: Arc<[Criteria]>,
    now: Timestamp,
    place: Place,
}

enum Place {
    Start,
    After(Cursor),
    End,
}

impl AllIncidents {
    /// The next chunk, never empty; `None` at the end and after an error.
    pub async fn next(&mut self) -> Option<Result<Vec<Incident>, ServiceError>> {
        loop {
            let cursor = match self.place {
                Place::Start => None,
                Place::After(cursor) => Some(cursor),
                Place::End => return None,
            };
            let (service, wanted, now) = (self.service.clone(), Arc::clone(&self.wanted), self.now);
            let chunk = self.service.blocking(move || service.find(&wanted, cursor, CHUNK, now)).await;
            self.place = match &chunk {
                Ok(Page { next: Some(next), .. }) => Place::After(*next),
                _ => Place::End,
            };
            match chunk {
                Ok(page) if page.rows.is_empty() => {}
                chunk => return Some(chunk.map(|page| page.rows)),
            }
        }
    }
}

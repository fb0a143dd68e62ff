//! The list of incidents for the page: sorted, with counts.

use std::collections::BTreeSet;

use crate::domain::{
    Criteria, Incident, IncidentId, Timestamp,
    limits::{LIST_CHUNK_BYTES, PAGE_BYTES, PAGE_SIZE_MAX},
};
use crate::search::SortedFound;
use crate::service::{
    Facets, Incidents, ServiceError, Sort, SortedCursor, Turn,
    incidents::pages::{PageOfIds, fitting, read_ids},
};

/// A page of incidents in the requested order, without their metadata.
#[derive(Clone, Debug)]
pub struct SortedPage {
    pub rows: Vec<Incident>,
    pub next: Option<SortedCursor>,
    pub previous: Option<SortedCursor>,
    /// Number of matching incidents on all pages.
    pub matching: u64,
    /// Number of the last change that the count includes.
    pub seq: u64,
    /// Time as of which the incidents match.
    pub at: Timestamp,
    /// Permit of a large page, to be kept until the page is written.
    pub turn: Option<Turn>,
}

/// Counts of all incidents, independent of any filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overview {
    pub total: u64,
    pub open: u64,
    pub open_unacked: u64,
}

impl PageOfIds for SortedFound {
    fn ids(&self) -> &[IncidentId] {
        &self.ids
    }
}

impl Incidents {
    /// Returns a page in the order `sort`. A `size` above the largest page is reduced silently. The page is shorter if
    /// its rows would take more than [`PAGE_BYTES`]. A cursor of another order is ignored.
    pub async fn incidents_sorted(
        &self,
        criteria: Criteria,
        sort: Sort,
        cursor: Option<SortedCursor>,
        size: usize,
    ) -> Result<SortedPage, ServiceError> {
        let (service, now) = (self.clone(), self.now());
        let cursor = cursor.filter(|cursor| cursor.sort() == sort);
        let (size, backwards) = (size.clamp(1, PAGE_SIZE_MAX), cursor.is_some_and(|cursor| cursor.is_backwards()));
        let search = move |service: &Self, size| service.search().sorted_page(&criteria, sort, cursor, size, now);
        // The snapshot is taken after the search, as for any page.
        let read = move |service: &Self, found: &SortedFound, bytes| {
            read_ids(&service.store().snapshot()?, &found.ids, backwards, false, bytes)
        };
        let ask = {
            let (service, search) = (service.clone(), search.clone());
            move || {
                let found = search(&service, size)?;
                let rows = read(&service, &found, LIST_CHUNK_BYTES)?;
                Ok::<_, ServiceError>((found, rows))
            }
        };
        let (mut found, (mut rows, passed)) = self.blocking(ask).await?;
        let mut turn = None;
        if passed < found.ids.len() {
            turn = Some(self.large_page().await?);
            let larger =
                move || fitting(found, |size| search(&service, size), |found| read(&service, found, PAGE_BYTES));
            (found, rows) = self.blocking(larger).await?;
        }
        let (matching, seq) = (found.matching, found.seq);
        Ok(SortedPage { rows, next: found.next, previous: found.previous, matching, seq, at: now, turn })
    }

    pub async fn facets(&self, criteria: Criteria) -> Result<Facets, ServiceError> {
        let (search, now) = (self.search().clone(), self.now());
        self.blocking(move || Ok(search.facets(&criteria, now)?)).await
    }

    /// Returns which of these incidents match, including criteria that need the texts of their events.
    pub async fn matching_of(
        &self,
        criteria: Criteria,
        ids: BTreeSet<IncidentId>,
    ) -> Result<BTreeSet<IncidentId>, ServiceError> {
        let (search, now) = (self.search().clone(), self.now());
        self.blocking(move || Ok(search.matching_of(&criteria, ids, now)?)).await
    }

    /// Returns the number of all incidents, from a counter.
    #[must_use]
    pub fn total_incidents(&self) -> u64 {
        self.store().counters().incidents
    }

    pub async fn overview(&self) -> Result<Overview, ServiceError> {
        let (service, now) = (self.clone(), self.now());
        self.blocking(move || {
            let open = Criteria { open: Some(true), ..Criteria::default() };
            let unacked = Criteria { acked: Some(false), ..open.clone() };
            let (total, search) = (service.total_incidents(), service.search());
            Ok(Overview { total, open: search.count(&open, now)?, open_unacked: search.count(&unacked, now)? })
        })
        .await
    }
}

//! The incident list that people look at: sorted, with what is counted around it.

use std::collections::BTreeSet;

use super::{Facets, Service, ServiceError, Sort, SortedCursor};
use crate::domain::{filter::Criteria, ids::IncidentId, incident::Incident, limits::PAGE_SIZE_MAX};

/// Rows in the order that was asked for.
#[derive(Clone, Debug)]
pub struct SortedPage {
    pub rows: Vec<Incident>,
    pub next: Option<SortedCursor>,
    pub previous: Option<SortedCursor>,
    /// How many match, on all pages together.
    pub matching: u64,
    /// The last change that was counted.
    pub seq: u64,
}

/// The whole store, whatever the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overview {
    pub total: u64,
    pub open: u64,
    pub open_unacked: u64,
}

impl Service {
    /// `size` is cut to the largest page without a word; a cursor of another order counts as none.
    pub async fn incidents_sorted(
        &self,
        criteria: Criteria,
        sort: Sort,
        cursor: Option<SortedCursor>,
        size: usize,
    ) -> Result<SortedPage, ServiceError> {
        let (service, now) = (self.clone(), self.now());
        self.blocking(move || {
            let found = service.search().sorted_page(&criteria, sort, cursor, size.clamp(1, PAGE_SIZE_MAX), now)?;
            // Taken after the search, as for any page.
            let rows = service.store().snapshot()?.incidents(&found.ids)?;
            let (matching, seq) = (found.matching, found.seq);
            Ok(SortedPage { rows, next: found.next, previous: found.previous, matching, seq })
        })
        .await
    }

    pub async fn facets(&self, criteria: Criteria) -> Result<Facets, ServiceError> {
        let (search, now) = (self.search().clone(), self.now());
        self.blocking(move || Ok(search.facets(&criteria, now)?)).await
    }

    /// Which of these match, also where that needs texts of their events.
    pub async fn matching_of(
        &self,
        criteria: Criteria,
        ids: BTreeSet<IncidentId>,
    ) -> Result<BTreeSet<IncidentId>, ServiceError> {
        let (search, now) = (self.search().clone(), self.now());
        self.blocking(move || Ok(search.matching_of(&criteria, ids, now)?)).await
    }

    /// From a counter.
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

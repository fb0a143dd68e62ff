//! Preview of planned maintenance: the open incidents that it covers.

use askama::Template;

use crate::domain::{Criteria, FilterId, Incident};
use crate::service::PageRequest;
use crate::web::{Frame, PageError, Site, notification_settings::words};

/// Greatest number of incidents that are shown.
const SHOWN: usize = 5;

pub struct Covered {
    pub count: u64,
    pub open: u64,
    pub first: Vec<Incident>,
    pub problem: Option<String>,
}

#[derive(Template)]
#[template(path = "maintenance/covered.html")]
pub struct CoveredPart {
    pub frame: Frame,
    pub covered: Option<Covered>,
}

impl Covered {
    /// Finds the open incidents that match all of these filters.
    pub async fn find(site: &Site, filters: &[FilterId]) -> Result<Self, PageError> {
        let directory = site.service.directory();
        let mut wanted = Criteria { open: Some(true), ..Criteria::default() };
        let open = site.service.incidents().count_incidents(wanted.clone()).await?;
        let mut covered = Self { count: 0, open, first: Vec::new(), problem: None };
        if filters.is_empty() {
            covered.problem = Some("Choose at least one filter.".to_owned());
            return Ok(covered);
        }
        for id in filters {
            let Some(filter) = directory.filters.get(id) else {
                covered.problem = Some("Filters: one that you chose no longer exists.".to_owned());
                return Ok(covered);
            };
            if filter.blob.is_empty() {
                covered.problem =
                    Some(format!("“{}” has no criteria: it matches nothing.", words::filter_name(*id, &directory)));
            }
            wanted.narrow_to(filter.blob.to_criteria(&directory));
        }
        covered.count = site.service.incidents().count_incidents(wanted.clone()).await?;
        covered.first = site
            .service
            .incidents()
            .incidents_page(wanted, PageRequest { size: SHOWN, cursor: None, metadata: false })
            .await?
            .rows;
        Ok(covered)
    }

    /// Returns the percentage of all open incidents, which is 0 or 100 only if it is exact.
    #[must_use]
    pub fn percent(&self) -> u64 {
        match self.count.saturating_mul(100).checked_div(self.open) {
            None => 0,
            Some(0) if self.count > 0 => 1,
            Some(percent) => percent,
        }
    }
}

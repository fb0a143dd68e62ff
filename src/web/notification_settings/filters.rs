//! The list of filters: the user's own, and public ones of other users.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use rustc_hash::FxHashMap;

use super::words;
use crate::domain::{Directory, FilterId, MaintenanceId, StoredFilter, UserId, limits::USES_SHOWN};
use crate::web::{FormError, Frame, PageResult, Posted, Problem, Section, Site, Visitor, done, offered, page, refused};

pub const PAGE: &str = "/notifications/filters/";

#[derive(Template)]
#[template(path = "notifications/filters.html")]
struct FiltersPage {
    frame: Frame,
    tab: &'static str,
    own: Vec<SavedFilterRow>,
    shared: Vec<SavedFilterRow>,
    /// Number of filters of other users that are not shown.
    hidden: usize,
    problem: Option<Problem>,
}

struct SavedFilterRow {
    id: FilterId,
    name: String,
    owner: String,
    public: bool,
    /// Criteria in one line.
    criteria: String,
    /// Names of the reader's profiles that use the filter.
    profiles: String,
    /// First planned maintenance that uses the filter; `more_maintenances` is the number of the others.
    maintenances: Vec<MaintenanceId>,
    more_maintenances: usize,
}

/// Profiles of the reader and planned maintenance that use each filter.
#[derive(Default)]
struct Uses {
    profiles: FxHashMap<FilterId, Vec<String>>,
    maintenances: FxHashMap<FilterId, Vec<MaintenanceId>>,
}

impl Uses {
    fn new(directory: &Directory, user: UserId) -> Self {
        let mut found = Self::default();
        for profile in directory.profiles_of(user) {
            let name = profile.name.clone().unwrap_or_else(|| "an unnamed profile".to_owned());
            for id in &profile.filters {
                found.profiles.entry(*id).or_default().push(name.clone());
            }
        }
        for maintenance in directory.maintenances.values() {
            for id in &maintenance.filters {
                found.maintenances.entry(*id).or_default().push(maintenance.id);
            }
        }
        found
    }
}

impl SavedFilterRow {
    fn new(filter: &StoredFilter, uses: &mut Uses, directory: &Directory) -> Self {
        let mut maintenances = uses.maintenances.remove(&filter.id).unwrap_or_default();
        let more_maintenances = maintenances.len().saturating_sub(USES_SHOWN);
        maintenances.truncate(USES_SHOWN);
        let mut profiles = uses.profiles.remove(&filter.id).unwrap_or_default();
        let more_profiles = profiles.len().saturating_sub(USES_SHOWN);
        profiles.truncate(USES_SHOWN);
        if more_profiles > 0 {
            profiles.push(format!("{more_profiles} more"));
        }
        Self {
            id: filter.id,
            name: filter.name.clone(),
            owner: directory.user(filter.owner).map(|owner| owner.username.clone()).unwrap_or_default(),
            public: filter.public,
            criteria: words::brief(&filter.blob, directory),
            profiles: profiles.join(", "),
            maintenances,
            more_maintenances,
        }
    }
}

impl FiltersPage {
    fn new(site: &Site, visitor: &Visitor) -> Self {
        let directory = site.service.directory();
        let me = visitor.caller.id();
        let mut uses = Uses::new(&directory, me);
        let usable = directory.usable_filters(me);
        let all = usable.len();
        let in_own_profiles: Vec<FilterId> = uses.profiles.keys().copied().collect();
        let offered = offered::filters(usable, me, &in_own_profiles);
        let hidden = all - offered.len();
        let (own, shared): (Vec<_>, Vec<_>) = offered.into_iter().partition(|filter| filter.owner == me);
        let mut rows = |filters: Vec<&Arc<StoredFilter>>| {
            filters.into_iter().map(|filter| SavedFilterRow::new(filter, &mut uses, &directory)).collect()
        };
        Self {
            own: rows(own),
            shared: rows(shared),
            hidden,
            frame: Frame::new(site, visitor, Section::Notifications, "Filters"),
            tab: "filters",
            problem: None,
        }
    }
}

pub async fn list(State(site): State<Site>, visitor: Visitor) -> PageResult {
    page(&FiltersPage::new(&site, &visitor))
}

pub async fn delete(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, .. }: Posted) -> PageResult {
    let Err(error) = site.service.delete::<StoredFilter>(&visitor.caller, FilterId(id)).await else {
        return Ok(done(PAGE, "Filter deleted."));
    };
    let problem = Some(FormError::from(error).problem(words::refusal)?);
    refused(&FiltersPage { problem, ..FiltersPage::new(&site, &visitor) })
}

//! One's filters and those that others share: the list.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use super::{filter_fields::list_address, words};
use crate::{
    domain::{directory::Directory, ids::FilterId, stored_filter::StoredFilter},
    service::ServiceError,
    web::{
        Site,
        answer::{Answer, done, page, page_with},
        frame::{Frame, Section},
        visitor::{Posted, Visitor},
    },
};

pub const PAGE: &str = "/notifications/filters/";

#[derive(Template)]
#[template(path = "notifications/filters.html")]
struct FiltersPage {
    frame: Frame,
    tab: &'static str,
    own: Vec<Row>,
    shared: Vec<Row>,
    problem: Option<String>,
}

struct Row {
    id: FilterId,
    name: String,
    owner: String,
    public: bool,
    criteria: Vec<String>,
    address: String,
    /// Names of the reader's profiles that use it.
    profiles: Vec<String>,
    /// Planned maintenance that uses it.
    maintenances: Vec<String>,
}

impl Row {
    fn new(filter: &StoredFilter, visitor: &Visitor, directory: &Directory) -> Self {
        let used = directory.profiles_of(visitor.caller.id()).into_iter();
        let used = used.filter(|profile| profile.filters.contains(&filter.id));
        let maintenances = directory.maintenances_sorted().into_iter().filter(|it| it.filters.contains(&filter.id));
        Self {
            id: filter.id,
            name: filter.name.clone(),
            owner: directory.user(filter.owner).map(|owner| owner.username.clone()).unwrap_or_default(),
            public: filter.public,
            criteria: words::criteria(&filter.blob, directory),
            address: list_address(&filter.blob),
            profiles: used.map(|it| it.name.clone().unwrap_or_else(|| "one without a name".to_owned())).collect(),
            maintenances: maintenances.map(|it| it.id.to_string()).collect(),
        }
    }
}

impl FiltersPage {
    fn new(site: &Site, visitor: &Visitor) -> Self {
        let directory = site.service.directory();
        let me = visitor.caller.id();
        let mut filters = directory.usable_filters(me);
        filters.sort_by_key(|filter| filter.name.to_lowercase());
        let (own, shared): (Vec<_>, Vec<_>) = filters.into_iter().partition(|filter| filter.owner == me);
        let rows = |filters: Vec<&Arc<StoredFilter>>| {
            filters.into_iter().map(|filter| Row::new(filter, visitor, &directory)).collect()
        };
        Self {
            frame: Frame::new(site, visitor, Section::Notifications, "Filters"),
            tab: "filters",
            own: rows(own),
            shared: rows(shared),
            problem: None,
        }
    }
}

pub async fn list(State(site): State<Site>, visitor: Visitor) -> Answer {
    page(&FiltersPage::new(&site, &visitor))
}

pub async fn delete(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, .. }: Posted) -> Answer {
    match site.service.delete_filter(&visitor.caller, FilterId(id)).await {
        Ok(()) => Ok(done(PAGE, "The filter is deleted.")),
        Err(ServiceError::Refused(refusal)) => {
            let again = FiltersPage { problem: Some(words::refusal(&refusal)), ..FiltersPage::new(&site, &visitor) };
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
        }
        Err(error) => Err(error.into()),
    }
}

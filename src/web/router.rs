//! The router of all pages, with fallbacks and layers. Each area declares its own routes.

use axum::{Router, extract::Request, middleware};

use super::{
    LiveWebSettings, Site, account, admin, answer, assets, incident_list, incident_page, maintenance, no_page,
    notification_settings, submissions,
};
use crate::http::{
    self, HttpSettings,
    routes::{Operation, Routes},
};
use crate::service::Service;

/// Returns the router of everything that is served: the APIs and the pages.
pub fn with_pages(service: Service, http: HttpSettings, web: impl Into<LiveWebSettings>) -> Router {
    let pages = router(Site::new(service.clone(), http.clone(), web.into()));
    http::router(service, http, pages)
}

/// Returns the router of the pages.
pub fn router(site: Site) -> Router {
    let pages = pages().into_router();
    let known = pages.clone().with_state(site.clone());
    let pages = pages
        .method_not_allowed_fallback(move |request: Request| no_page::nearest_page(known.clone(), request))
        .fallback(no_page::unknown)
        .layer(middleware::from_fn_with_state(site.clone(), submissions::answer_once))
        .layer(middleware::from_fn_with_state(site.clone(), answer::finish));
    pages.merge(assets::routes().into_router()).with_state(site)
}

/// Lists the operations of [`router`].
#[must_use]
pub fn operations() -> Vec<Operation> {
    pages().merge(assets::routes()).into_operations()
}

fn pages() -> Routes<Site> {
    account::routes()
        .merge(incident_list::routes())
        .merge(incident_page::routes())
        .merge(notification_settings::routes())
        .merge(maintenance::routes())
        .merge(admin::routes())
}

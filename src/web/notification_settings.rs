//! Pages on which users set up their notifications: profiles, timeslots, destinations and filters.

pub mod chart;
pub mod destination_form;
pub mod destinations;
pub mod filter_fields;
pub mod filter_form;
pub mod filters;
pub mod needed;
pub mod profile_form;
pub mod profiles;
pub mod timeslots;
pub mod week;
pub mod words;

use axum::http::HeaderMap;

use super::{PageResult, Site, Visitor, form_page::form, see};
use crate::http::routes::{Routes, get, post};
use crate::service::Action;

pub(super) fn routes() -> Routes<Site> {
    Routes::of(Action::UseDesk)
        .route("/notifications/", get(home))
        .route("/notifications/profiles/", get(profiles::list))
        .route("/notifications/profiles/first/", post(profiles::first))
        .route("/notifications/profiles/new/", form::<profile_form::ProfilePage>())
        .route("/notifications/profiles/preview/", post(profile_form::preview))
        .route("/notifications/profiles/{pk}/", form::<profile_form::ProfilePage>())
        .route("/notifications/profiles/{pk}/switch/", post(profiles::switch))
        .route("/notifications/profiles/{pk}/delete/", post(profiles::delete))
        .route("/notifications/timeslots/", get(timeslots::list))
        .route("/notifications/timeslots/new/", form::<timeslots::TimeslotPage>())
        .route("/notifications/timeslots/{pk}/", form::<timeslots::TimeslotPage>())
        .route("/notifications/timeslots/{pk}/delete/", post(timeslots::delete))
        .route("/notifications/destinations/", get(destinations::list))
        .route("/notifications/destinations/new/", form::<destination_form::DestinationPage>())
        .route("/notifications/destinations/{pk}/", form::<destination_form::DestinationPage>())
        .route("/notifications/destinations/{pk}/test/", post(destinations::test))
        .route("/notifications/destinations/{pk}/delete/", post(destinations::delete))
        .route("/notifications/filters/", get(filters::list))
        .route("/notifications/filters/new/", form::<filter_form::FilterPage>())
        .route("/notifications/filters/preview/", post(filter_form::preview))
        .route("/notifications/filters/{pk}/", form::<filter_form::FilterPage>())
        .route("/notifications/filters/{pk}/delete/", post(filters::delete))
}

/// Redirects to the first tab.
async fn home(_: Visitor) -> PageResult {
    Ok(see(profiles::PAGE))
}

/// Returns whether a script requests a part of a page.
#[must_use]
pub fn wants_part(headers: &HeaderMap) -> bool {
    headers.get("hx-request-type").is_some_and(|kind| kind.as_bytes() == b"partial")
}

//! The list of incidents: views, pages, bulk changes and live updates.

pub mod bulk;
pub mod choices;
pub mod filters;
pub mod list;
pub mod row;
mod sentence;
pub mod view;
pub mod work;

use crate::http::routes::{Routes, get, post};
use crate::service::Action;
use crate::web::{Site, live};

pub(super) fn routes() -> Routes<Site> {
    Routes::of(Action::UseDesk)
        .route("/incidents/", get(list::show))
        .route("/incidents/kiosk/", get(list::kiosk))
        .route("/incidents/facets/", get(choices::facets))
        .route("/incidents/tags/", get(choices::tags))
        .route("/incidents/columns/", post(choices::columns))
        .route("/incidents/filters/", get(filters::form).post(filters::save))
        .route("/incidents/bulk/", get(bulk::back_to_list).post(bulk::act))
        .route("/incidents/bulk/{id}/", get(bulk::progress))
        .route("/incidents/bulk/{id}/undo/", post(bulk::undo))
        .route("/live/", get(live::stream))
}

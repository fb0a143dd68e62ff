//! The page of one incident: details, actions, and notifications.

pub mod act;
pub(super) mod describe;
mod notification_lines;
pub mod show;
mod timeline;
mod until;
mod why;

use crate::http::routes::{Routes, get, post};
use crate::service::Action;
use crate::web::Site;

pub(super) fn routes() -> Routes<Site> {
    Routes::of(Action::UseDesk)
        .route("/incidents/{pk}/", get(show::show))
        .route("/incidents/{pk}/acknowledge/", post(act::acknowledge))
        .route("/incidents/{pk}/acknowledgements/{ack}/", post(act::expire))
        .route("/incidents/{pk}/close/", post(act::close))
        .route("/incidents/{pk}/reopen/", post(act::reopen))
        .route("/incidents/{pk}/comment/", post(act::comment))
        .route("/incidents/{pk}/ticket/", post(act::ticket))
        .route("/incidents/{pk}/tags/", post(act::tags))
        .route("/incidents/{pk}/level/", post(act::level))
        .route("/incidents/{pk}/delete/", post(act::delete))
}

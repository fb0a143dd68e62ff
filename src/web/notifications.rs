//! Who is told of what, when and where: the pages with which everybody sets up their own notifications.

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

use super::{
    answer::{Answer, see},
    visitor::Visitor,
};

/// To the first tab.
pub async fn home(_: Visitor) -> Answer {
    Ok(see(profiles::PAGE))
}

/// A script wants a part of a page, not all of it.
#[must_use]
pub fn wants_part(headers: &HeaderMap) -> bool {
    headers.get("hx-request-type").is_some_and(|kind| kind.as_bytes() == b"partial")
}

//! The messages about an incident.

use axum::{extract::State, http::StatusCode};

use super::bodies::{NotificationBody, Writer};
use crate::{
    domain::ids::IncidentId,
    http::{Answer, Api, argus::keys::Key, auth::Authenticated, reply},
};

/// List the messages about an incident
///
/// Oldest first. Addresses and what providers said are shown to the receiver and to staff.
#[utoipa::path(get, path = "/incidents/{pk}/notifications/", tag = "notifications",
    responses((status = 200, body = Vec<NotificationBody<'static>>)))]
pub async fn list(State(api): State<Api>, Authenticated(caller): Authenticated, Key(pk): Key) -> Answer {
    let rows = api.service.notifications(IncidentId(pk)).await?;
    let writer = Writer::new(&api, &caller);
    let bodies: Vec<NotificationBody<'_>> = rows.iter().map(|row| writer.notification(row)).collect();
    Ok(reply::json(StatusCode::OK, &bodies))
}

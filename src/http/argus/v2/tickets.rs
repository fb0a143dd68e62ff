//! Tickets created by a ticket plug-in (contract section 8). There are no such plug-ins yet.

use axum::{extract::State, http::StatusCode};

use crate::domain::IncidentId;
use crate::http::{
    Api, HandlerResult, Key,
    argus::shared::tickets::{TicketUrl, TicketUrlBody},
    reply,
};

/// Create a ticket
///
/// If the incident has a ticket already, returns it.
#[utoipa::path(put, path = "/incidents/{pk}/automatic-ticket/", tag = "incidents",
    responses((status = 200, body = TicketUrl)))]
pub async fn create(State(api): State<Api>, Key(pk): Key) -> HandlerResult {
    let ticket_url = api.service.incidents().automatic_ticket(IncidentId(pk)).await?;
    Ok(reply::json(StatusCode::OK, &TicketUrlBody { ticket_url: &ticket_url }))
}

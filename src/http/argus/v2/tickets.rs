//! Tickets created by a ticket plug-in (contract section 8), of which there are none yet.

use axum::{extract::State, http::StatusCode};

use crate::{
    domain::ids::IncidentId,
    http::{
        Api, HandlerResult,
        argus::{
            keys::Key,
            shared::tickets::{TicketUrl, TicketUrlBody},
        },
        reply,
    },
};

/// Make a ticket
///
/// Answers the one that there is, if there is one.
#[utoipa::path(put, path = "/incidents/{pk}/automatic-ticket/", tag = "incidents",
    responses((status = 200, body = TicketUrl)))]
pub async fn create(State(api): State<Api>, Key(pk): Key) -> HandlerResult {
    let ticket_url = api.service.incidents().automatic_ticket(IncidentId(pk)).await?;
    Ok(reply::json(StatusCode::OK, &TicketUrlBody { ticket_url: &ticket_url }))
}

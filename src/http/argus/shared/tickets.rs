//! Ticket addresses (contract section 8).

use axum::http::StatusCode;
use serde::Serialize;

use super::incidents::existing;
use crate::domain::{IncidentId, limits};
use crate::http::{Call, HandlerResult, Key, Payload, Request, TextRule, reply, request};

request! {
    pub struct TicketUrl requires ["ticket_url"] {
        ticket_url: String = text(TextRule::up_to(limits::URL)),
    }
}

#[derive(Serialize)]
pub struct TicketUrlBody<'a> {
    pub ticket_url: &'a str,
}

/// Set the ticket address
///
/// The address is not validated. An empty one clears it.
#[utoipa::path(put, path = "/incidents/{pk}/ticket_url/", tag = "incidents", request_body = TicketUrl,
    responses((status = 200, body = TicketUrl)))]
pub async fn put(Call { api, caller }: Call, Key(pk): Key, payload: Payload) -> HandlerResult {
    let id = IncidentId(pk);
    let url = existing(&api, id, payload.parse(|fields| TicketUrl::take(fields).ticket_url).await).await?;
    let incident = api.service.incidents().set_ticket_url(&caller, id, url).await?;
    Ok(reply::json(StatusCode::OK, &TicketUrlBody { ticket_url: &incident.ticket_url }))
}

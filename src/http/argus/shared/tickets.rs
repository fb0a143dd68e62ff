//! Ticket addresses (contract section 8).

use axum::{extract::State, http::StatusCode};
use serde::Serialize;

use super::{incidents::existing, requests::TicketUrl};
use crate::{
    domain::{ids::IncidentId, limits},
    http::{
        Answer, Api,
        argus::keys::Key,
        auth::Authenticated,
        body::Payload,
        fields::{Fields, Text},
        reply,
    },
};

#[derive(Serialize)]
pub struct TicketUrlBody<'a> {
    pub ticket_url: &'a str,
}

/// Set the ticket address
///
/// Not checked; an empty one clears it.
#[utoipa::path(put, path = "/incidents/{pk}/ticket_url/", tag = "incidents", request_body = TicketUrl,
    responses((status = 200, body = TicketUrl)))]
pub async fn put(
    State(api): State<Api>,
    Authenticated(caller): Authenticated,
    Key(pk): Key,
    payload: Payload,
) -> Answer {
    let id = IncidentId(pk);
    let url = existing(&api, id, payload.parse(take).await).await?;
    let incident = api.service.set_ticket_url(&caller, id, url).await?;
    Ok(reply::json(StatusCode::OK, &TicketUrlBody { ticket_url: &incident.ticket_url }))
}

/// The one field, noting what is wrong with it.
pub fn take(fields: &mut Fields) -> Option<String> {
    fields.require("ticket_url");
    fields.text("ticket_url", Text::up_to(limits::URL))
}

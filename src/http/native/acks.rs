//! Undoes acknowledgements.

use axum::http::StatusCode;

use crate::domain::{EventId, IncidentId};
use crate::http::{
    Call, HandlerResult, KeyPair,
    argus::shared::render::{EventBody, Renderer},
    reply,
};

/// Undo an acknowledgement
///
/// It expires now, and an event of type OTH records that. Refused if it has already expired.
#[utoipa::path(post, path = "/incidents/{pk}/acks/{ack_pk}/take-back/", tag = "incidents",
    responses((status = 201, body = EventBody<'static>)))]
pub async fn take_back(Call { api, caller }: Call, KeyPair(incident, ack): KeyPair) -> HandlerResult {
    let event = api.service.incidents().take_back_ack(&caller, IncidentId(incident), EventId(ack)).await?;
    Ok(reply::json(StatusCode::CREATED, &Renderer::new(&api).event(&event)))
}

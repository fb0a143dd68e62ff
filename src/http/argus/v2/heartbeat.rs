//! Heartbeats of sources (contract section 4).

use axum::http::StatusCode;

use crate::http::{Call, HandlerResult, reply};
use crate::service::ServiceError;

/// Send a heartbeat
#[utoipa::path(post, path = "/incidents/sources/heartbeat/", tag = "sources",
    responses((status = 204), (status = 403, description = "The caller is no source.")))]
pub async fn beat(Call { api, caller }: Call) -> HandlerResult {
    match api.service.sources().heartbeat(&caller) {
        Ok(()) => Ok(reply::empty(StatusCode::NO_CONTENT)),
        Err(ServiceError::Forbidden) => Ok(reply::empty(StatusCode::FORBIDDEN)),
        Err(error) => Err(error.into()),
    }
}

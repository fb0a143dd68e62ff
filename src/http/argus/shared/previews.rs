//! Which incidents a filter would find (contract section 17).

use axum::extract::State;

use super::{
    blob::take_blob,
    render::{IncidentBody, Renderer},
    requests::BlobRequest,
    whole_list::whole_list,
};
use crate::http::{Answer, Api, body::Payload};

/// Try the criteria of a filter
///
/// All incidents that match, newest start first; without any criterion none.
#[utoipa::path(post, path = "/notificationprofiles/preview/", tag = "filters", request_body = BlobRequest,
    responses((status = 200, body = Vec<IncidentBody<'static>>)))]
pub async fn preview(State(api): State<Api>, payload: Payload) -> Answer {
    let wide = api.version.has_wide_filters();
    answer(api, payload, wide).await
}

/// Try all criteria that a filter can have
///
/// All incidents that match, newest start first; without any criterion none.
#[utoipa::path(post, path = "/notificationprofiles/filterpreview/", tag = "filters", request_body = BlobRequest,
    responses((status = 200, body = Vec<IncidentBody<'static>>)))]
pub async fn filter_preview(State(api): State<Api>, payload: Payload) -> Answer {
    answer(api, payload, true).await
}

async fn answer(api: Api, payload: Payload, wide: bool) -> Answer {
    let blob = payload.parse(|fields| Some(take_blob(fields, wide))).await?;
    let criteria = blob.to_criteria(&api.service.directory());
    whole_list(api, criteria, |api| Renderer::new(api).with_metadata()).await
}

//! Previews of filters: the incidents that match one (contract section 17).

use super::{
    blob::{BlobRequest, take_blob},
    render::IncidentBody,
    whole_list::whole_list,
};
use crate::domain::UserId;
use crate::http::{Api, Call, HandlerResult, Payload};

/// Try the criteria of a filter
///
/// All incidents that match, newest start first. Without criteria there are none.
#[utoipa::path(post, path = "/notificationprofiles/preview/", tag = "filters", request_body = BlobRequest,
    responses((status = 200, body = Vec<IncidentBody<'static>>)))]
pub async fn preview(Call { api, caller }: Call, payload: Payload) -> HandlerResult {
    let wide = api.version.has_wide_filters();
    answer(api, caller.id(), payload, wide).await
}

/// Try all criteria that a filter can have
///
/// All incidents that match, newest start first. Without criteria there are none.
#[utoipa::path(post, path = "/notificationprofiles/filterpreview/", tag = "filters", request_body = BlobRequest,
    responses((status = 200, body = Vec<IncidentBody<'static>>)))]
pub async fn filter_preview(Call { api, caller }: Call, payload: Payload) -> HandlerResult {
    answer(api, caller.id(), payload, true).await
}

async fn answer(api: Api, user: UserId, payload: Payload, wide: bool) -> HandlerResult {
    let blob = payload.parse(|fields| Some(take_blob(fields, wide))).await?;
    let criteria = blob.to_criteria(&api.service.directory());
    whole_list(api, user, criteria).await
}

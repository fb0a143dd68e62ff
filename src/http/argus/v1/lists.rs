//! Complete lists of open incidents, and the sources to filter by (contract section 6).

use crate::domain::Criteria;
use crate::http::{
    Api, Call, HandlerResult,
    argus::shared::{
        render::{IncidentBody, SourceBody},
        requests::ListMetadata,
        whole_list::whole_list,
    },
    stream,
};

/// List open incidents
///
/// The complete list, newest start first.
#[utoipa::path(get, path = "/incidents/open/", tag = "incidents",
    responses((status = 200, body = Vec<IncidentBody<'static>>)))]
pub async fn open(Call { api, caller }: Call) -> HandlerResult {
    whole_list(api, caller.id(), Criteria { open: Some(true), ..Criteria::default() }).await
}

/// List open, unacknowledged incidents
///
/// The complete list, newest start first.
#[utoipa::path(get, path = "/incidents/open+unacked/", tag = "incidents",
    responses((status = 200, body = Vec<IncidentBody<'static>>)))]
pub async fn open_unacked(Call { api, caller }: Call) -> HandlerResult {
    let wanted = Criteria { open: Some(true), acked: Some(false), ..Criteria::default() };
    whole_list(api, caller.id(), wanted).await
}

/// List the sources that incidents can be filtered by
#[utoipa::path(get, path = "/incidents/metadata/", tag = "incidents",
    responses((status = 200, body = ListMetadata)))]
pub async fn metadata(Call { api, caller }: Call) -> HandlerResult {
    let write = |api: &Api, rows: &mut stream::Rows| {
        rows.extend(api.service.directory().sources.values().map(|it| SourceBody::new(it)))
    };
    stream::from_memory(api, caller.id(), ("{\"sourceSystems\":[", "]}"), write).await
}

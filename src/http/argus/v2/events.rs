//! The events of all incidents (contract section 9.1).

use axum::{extract::State, http::StatusCode};

use crate::http::{
    Api, HandlerResult, Location,
    argus::shared::{render::Renderer, requests::EventPage},
    page::PageQuery,
    reply,
};
use crate::service::EventCursor;

/// List all events
///
/// Newest timestamp first.
#[utoipa::path(get, path = "/incidents/events/", tag = "events", params(PageQuery),
    responses((status = 200, body = EventPage)))]
pub async fn list(State(api): State<Api>, location: Location) -> HandlerResult {
    let cursor = location.cursor::<EventCursor>()?;
    let page = api.service.incidents().events_page(location.page_size(), cursor).await?;
    let renderer = Renderer::new(&api);
    let body = location.page(renderer.events(&page.rows), page.next.as_ref(), page.previous.as_ref());
    Ok(reply::json(StatusCode::OK, &body))
}

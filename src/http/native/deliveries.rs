//! Messages of all users, for staff.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::bodies::{NotificationBody, Writer};
use crate::domain::MessageId;
use crate::http::{ApiError, Call, HandlerResult, Key, Location, reply};
use crate::service::Messages;

#[derive(Serialize, ToSchema)]
#[schema(as = NotificationPage)]
pub struct DeliveriesBody<'a> {
    /// Address of the next page.
    next: Option<String>,
    results: Vec<NotificationBody<'a>>,
}

/// List messages
///
/// Newest first. Only for staff.
#[utoipa::path(get, path = "/deliveries/", tag = "deliveries",
    params(
        ("state" = Option<String>, Query,
            description = "`queued` (also `due`), `failed` (also `dead`) or `all`, which is the default."),
        ("before" = Option<u64>, Query, description = "Only those with a smaller primary key."),
        ("page_size" = Option<usize>, Query,
            description = "Rows to a page, 100 by default. A page of large rows ends earlier, and `next` goes on."),
    ),
    responses((status = 200, body = DeliveriesBody<'static>), (status = 403)))]
pub async fn list(Call { api, caller }: Call, location: Location) -> HandlerResult {
    let which = match location.params.get("state") {
        None | Some("all") => Messages::All,
        Some("queued" | "due") => Messages::Due,
        Some("failed" | "dead") => Messages::Dead,
        Some(other) => return Err(ApiError::field("state", format!("\"{other}\" is not a valid choice."))),
    };
    let before = match location.params.get("before").map(str::parse) {
        None => None,
        Some(Ok(pk)) => Some(MessageId(pk)),
        Some(Err(_)) => return Err(ApiError::field("before", "A valid integer is required.")),
    };
    let (rows, next) = api.service.notifications().deliveries(&caller, which, before, location.page_size()).await?;
    let writer = Writer::new(&api, &caller);
    let body = DeliveriesBody {
        next: next.map(|id| location.with("before", &id.to_string())),
        results: rows.iter().map(|row| writer.notification(row)).collect(),
    };
    Ok(reply::json(StatusCode::OK, &body))
}

/// Send a message again
///
/// A failed message is queued again, and is retried for as long as a new one. Only for staff.
#[utoipa::path(post, path = "/deliveries/{pk}/retry/", tag = "deliveries",
    responses((status = 200, body = NotificationBody<'static>), (status = 403)))]
pub async fn retry(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    let row = api.service.notifications().retry_delivery(&caller, MessageId(pk)).await?;
    Ok(reply::json(StatusCode::OK, &Writer::new(&api, &caller).notification(&row)))
}

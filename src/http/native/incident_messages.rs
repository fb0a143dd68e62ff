//! Messages about an incident.

use super::bodies::{NotificationBody, Writer};
use crate::domain::IncidentId;
use crate::http::{Api, Call, HandlerResult, Key, stream};

/// List the messages about an incident
///
/// Oldest first. Addresses and answers of providers are shown only to the recipient and to staff.
#[utoipa::path(get, path = "/incidents/{pk}/notifications/", tag = "notifications",
    responses((status = 200, body = Vec<NotificationBody<'static>>)))]
pub async fn list(Call { api, caller }: Call, Key(pk): Key) -> HandlerResult {
    let user = caller.id();
    let write = move |api: &Api, rows: &mut stream::Rows| {
        let (mut list, writer) =
            (api.service.notifications().notification_list(IncidentId(pk))?, Writer::new(api, &caller));
        while let Some(chunk) = list.next_chunk()? {
            rows.extend(chunk.iter().map(|row| writer.notification(row)))?;
        }
        Ok(())
    };
    Ok(stream::from_store(api, user, stream::ARRAY, write).await?)
}

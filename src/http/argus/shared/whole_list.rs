//! Complete lists of incidents in one answer, without pages.

use super::render::Renderer;
use crate::domain::{AnyOf, UserId};
use crate::http::{Api, HandlerResult, stream};

/// Streams all matching incidents as one array, so that it can have any length. Errors that occur before the first byte
/// is sent are answered as such.
pub async fn whole_list(api: Api, user: UserId, wanted: impl Into<AnyOf>) -> HandlerResult {
    let wanted = wanted.into();
    let write = move |api: &Api, rows: &mut stream::Rows| {
        let mut incidents = api.service.incidents().all_incidents(wanted.clone());
        let renderer = Renderer::new(api);
        if !api.version.has_metadata() {
            incidents = incidents.without_metadata();
        }
        while let Some(chunk) = incidents.next_chunk() {
            rows.extend(chunk?.iter().map(|incident| renderer.incident(incident)))?;
        }
        Ok(())
    };
    Ok(stream::from_store(api, user, stream::ARRAY, write).await?)
}

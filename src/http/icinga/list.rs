//! Lists of the contact API, written while they are sent (contact API contract section 9).

use axum::response::Response;
use serde_json::Value;

use super::{Dialect, Problem};
use crate::domain::UserId;
use crate::http::{
    Api,
    stream::{self, NoAnswer, Rows, Stop},
};
use crate::service::{List, Service};

/// Streams a list. Errors that occur before the first byte is sent are answered as such.
pub(super) async fn streamed<T: 'static>(
    api: &Api,
    user: UserId,
    dialect: Dialect,
    list: impl Fn(&Service) -> List<T> + Send + Sync + 'static,
    shown: fn(&T) -> Value,
) -> Result<Response, Problem> {
    let write = move |api: &Api, rows: &mut Rows| {
        let mut list = list(&api.service);
        while let Some(chunk) = list.next_chunk() {
            rows.extend(chunk?.iter().map(shown))?;
        }
        Ok::<(), Stop>(())
    };
    stream::from_store(api.clone(), user, dialect.list(), write).await.map_err(Problem::from)
}

impl From<NoAnswer> for Problem {
    fn from(no: NoAnswer) -> Self {
        match no {
            NoAnswer::Busy(busy) => Self::busy(busy),
            NoAnswer::Failed(error) => Self::internal(&error),
        }
    }
}

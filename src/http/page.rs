//! Pages of a list: page size, cursor, and links to the next and previous page (contract section 1.5).

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, OriginalUri},
    http::request::Parts,
};
use serde::Serialize;
use utoipa::IntoParams;

use super::{
    Api, ApiError, Params,
    cursor::{self, CursorPosition},
    peer,
};
use crate::domain::limits;

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Rows per page, 100 by default. A page with large rows is shorter; `next` leads to the rest.
    pub page_size: Option<usize>,
    /// Taken from `next` or `previous`.
    pub cursor: Option<String>,
}

/// Address of a request as the client used it.
#[derive(Clone, Debug)]
pub struct Location {
    /// Scheme and host.
    pub origin: String,
    pub path: String,
    pub params: Params,
}

/// Wire shape of one page.
#[derive(Serialize)]
pub struct PageBody<R> {
    next: Option<String>,
    previous: Option<String>,
    results: R,
}

impl FromRequestParts<Api> for Location {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Infallible> {
        // Nested routers strip the part of the path that they matched from `parts.uri`.
        let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
        Ok(Self {
            origin: peer::origin(api.settings(), parts),
            path: uri.path().to_owned(),
            params: uri.query().map(Params::parse).unwrap_or_default(),
        })
    }
}

impl Location {
    /// Returns the number of rows per page. Larger values are reduced to `PAGE_SIZE_MAX`, and `next` leads to the rest.
    #[must_use]
    pub fn page_size(&self) -> usize {
        let wanted = self.params.get("page_size").and_then(|text| text.trim().parse::<u128>().ok());
        match wanted {
            None | Some(0) => limits::PAGE_SIZE_DEFAULT,
            Some(size) => usize::try_from(size).unwrap_or(usize::MAX).min(limits::PAGE_SIZE_MAX),
        }
    }

    pub fn cursor<P: CursorPosition>(&self) -> Result<Option<P>, ApiError> {
        self.params.get("cursor").map(cursor::parse).transpose()
    }

    #[must_use]
    pub fn page<R>(
        &self,
        results: R,
        next: Option<&impl CursorPosition>,
        previous: Option<&impl CursorPosition>,
    ) -> PageBody<R> {
        PageBody { next: next.map(|place| self.at(place)), previous: previous.map(|place| self.at(place)), results }
    }

    /// Returns this address with another value of a parameter.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> String {
        format!("{}{}?{}", self.origin, self.path, self.params.with(name, value))
    }

    /// Returns the address of the same list at another position.
    fn at(&self, place: &impl CursorPosition) -> String {
        self.with("cursor", &cursor::write(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{ids::IncidentId, time::Timestamp},
        service::Cursor,
    };

    fn location(query: &str) -> Location {
        Location {
            origin: "http://localhost:8000".to_owned(),
            path: "/api/v2/incidents/".to_owned(),
            params: Params::parse(query),
        }
    }

    #[test]
    fn takes_sizes_that_make_sense() {
        let size = |query| location(query).page_size();
        assert_eq!(size("page_size=7"), 7);
        assert_eq!(size("page_size=1000000000000000000000000000"), limits::PAGE_SIZE_MAX);
        for query in ["", "page_size=", "page_size=0", "page_size=-1", "page_size=x", "page_size=1.5"] {
            assert_eq!(size(query), limits::PAGE_SIZE_DEFAULT, "{query}");
        }
    }

    #[test]
    fn neighbours_keep_all_other_parameters() {
        let location = location("open=True&tags=a%3D1&page_size=2&cursor=old");
        let place = Cursor { start: Timestamp::saturating_from_micros(1), id: IncidentId(2), backwards: false };
        let page = location.page((), Some(&place), None::<&Cursor>);
        assert_eq!(
            page.next.unwrap(),
            "http://localhost:8000/api/v2/incidents/?cursor=0000000000000000010000000000000002&open=True&tags=a%3D1&page_size=2"
        );
        assert_eq!(page.previous, None);
    }
}

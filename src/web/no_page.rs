//! Answers to addresses that no page has: what only takes forms leads to the nearest page above it, and an unknown path
//! gets a page in a browser and JSON elsewhere.

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use tower::ServiceExt;

use super::answer::{PageError, see};
use crate::http::negotiate;

/// Paths whose clients are programs, also where somebody opens them in a browser.
const APIS: [&str; 2] = ["/api/", "/argusd/"];

/// For a browser that reloads the address of a form: the nearest page above it. Other methods are refused.
pub async fn nearest_page(pages: Router, request: Request) -> Response {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    for path in above(request.uri().path()) {
        if is_page(&pages, path, request.headers()).await {
            return see(path);
        }
    }
    see("/")
}

/// Whether somebody with these cookies gets a page there, or is led to one.
async fn is_page(pages: &Router, path: &str, headers: &HeaderMap) -> bool {
    let Ok(mut request) = Request::get(path).body(Body::empty()) else { return false };
    headers.clone_into(request.headers_mut());
    let Ok(response) = pages.clone().oneshot(request).await;
    let status = response.status();
    status.is_success() || status.is_redirection() || status == StatusCode::FORBIDDEN
}

/// The paths above this one, from the longest to the shortest.
fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| parent(path)).skip(1)
}

fn parent(path: &str) -> Option<&str> {
    path.trim_end_matches('/').rfind('/').and_then(|at| path.get(..=at))
}

/// For paths that nothing answers.
pub async fn unknown(request: Request) -> Response {
    let is_api = APIS.iter().any(|prefix| request.uri().path().starts_with(prefix));
    if is_api || !wants_page(request.headers()) {
        return negotiate::unknown_path().into_response();
    }
    PageError::NotFound("This page does not exist.".to_owned()).into_response()
}

/// Browsers name HTML when somebody opens an address; scripts, pictures and programs do not.
fn wants_page(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_up_one_part_at_a_time() {
        let paths: Vec<&str> = above("/user/tokens/5/revoke/").collect();
        assert_eq!(paths, ["/user/tokens/5/", "/user/tokens/", "/user/", "/"]);
        assert_eq!(above("/").count(), 0);
    }
}

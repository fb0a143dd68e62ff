//! Answers to addresses without a page. The address of a form redirects to the nearest page above it. An unknown path
//! gets a page in a browser and JSON elsewhere.

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use tower::ServiceExt;

use super::{PageError, see};
use crate::http::negotiate;

/// Prefixes of paths for programs. They are answered with JSON even in a browser.
const APIS: [&str; 2] = ["/api/", "/argusd/"];

/// Redirects a browser that reloads the address of a form to the nearest page above it. Other methods are refused.
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

/// Returns whether a request with these headers gets a page, a redirect or a 403.
async fn is_page(pages: &Router, path: &str, headers: &HeaderMap) -> bool {
    let Ok(mut request) = Request::get(path).body(Body::empty()) else { return false };
    headers.clone_into(request.headers_mut());
    let Ok(response) = pages.clone().oneshot(request).await;
    let status = response.status();
    status.is_success() || status.is_redirection() || status == StatusCode::FORBIDDEN
}

/// Returns the paths above this one, from the longest to the shortest.
fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| parent(path)).skip(1)
}

fn parent(path: &str) -> Option<&str> {
    path.trim_end_matches('/').rfind('/').and_then(|at| path.get(..=at))
}

/// Answers paths that no route matches.
pub async fn unknown(request: Request) -> Response {
    let is_api = APIS.iter().any(|prefix| request.uri().path().starts_with(prefix));
    if is_api || !wants_page(request.headers()) {
        return negotiate::unknown_path().into_response();
    }
    PageError::NotFound("This page does not exist.".to_owned()).into_response()
}

/// Returns whether the client wants a page. Browsers accept HTML when a user opens an address; scripts, pictures and
/// programs do not.
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

//! Normalizes paths: adds the slash at the end, and decodes an encoded plus sign.

use axum::{
    extract::{OriginalUri, Request},
    http::Uri,
};

/// The only endpoint without a slash (contract section 1.1).
const WITHOUT: &str = "/auth/token/logoutall";

/// Normalizes the path of a request. A redirect would lose the bodies of most clients.
#[must_use]
pub fn normalize(mut request: Request) -> Request {
    if let Some(path) = normalized(request.uri().path()) {
        let with_query = match request.uri().query() {
            Some(query) => format!("{path}?{query}"),
            None => path,
        };
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = with_query.parse().ok().or(parts.path_and_query);
        if let Ok(uri) = Uri::from_parts(parts) {
            request.extensions_mut().insert(OriginalUri(uri.clone()));
            *request.uri_mut() = uri;
        }
    }
    request
}

/// Returns the normalized path, or `None` if `path` is normalized already.
fn normalized(path: &str) -> Option<String> {
    if path.contains("/swagger-ui/") || path.starts_with("/static/") {
        return None;
    }
    let bare = path.strip_suffix('/').unwrap_or(path);
    if bare.ends_with(WITHOUT) {
        return (bare.len() != path.len()).then(|| bare.to_owned());
    }
    if let Some(start) = bare.strip_suffix("/open%2Bunacked").or_else(|| bare.strip_suffix("/open%2bunacked")) {
        return Some(format!("{start}/open+unacked/"));
    }
    (bare.len() == path.len()).then(|| format!("{path}/"))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn gives_paths_their_slash() {
        for (sent, routed) in [
            ("/api/v2/incidents", "/api/v2/incidents/"),
            ("/api/v2/incidents?open=1", "/api/v2/incidents/?open=1"),
            ("/api/v2/incidents/", "/api/v2/incidents/"),
            ("/api/v2/auth/token/logoutall/", "/api/v2/auth/token/logoutall"),
            ("/api/v2/auth/token/logoutall", "/api/v2/auth/token/logoutall"),
            ("/api/v1/incidents/open%2Bunacked/", "/api/v1/incidents/open+unacked/"),
            ("/api/v1/incidents/open%2bunacked?x", "/api/v1/incidents/open+unacked/?x"),
            ("/api/schema/swagger-ui/a.css", "/api/schema/swagger-ui/a.css"),
            ("/", "/"),
        ] {
            let request = Request::builder().uri(sent).body(Body::empty()).unwrap();
            assert_eq!(normalize(request).uri().to_string(), routed);
        }
    }
}

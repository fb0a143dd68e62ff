//! Requires the `Host` header: HTTP/1.1 allows exactly one (RFC 9112 section 3.2).

use axum::{
    http::{HeaderMap, Request, StatusCode, Version, header},
    response::{IntoResponse, Response},
};

use super::{ApiError, icinga, peer};

/// Returns the answer to a request without a `Host` header, with several, or with an invalid one. HTTP/1.0 requests
/// need none.
#[must_use]
pub fn refusal<B>(request: &Request<B>) -> Option<Response> {
    let text = read(request.version(), request.headers()).err()?;
    let of_contacts = icinga::bad_request(request.uri().path(), text);
    Some(of_contacts.unwrap_or_else(|| ApiError::detail(StatusCode::BAD_REQUEST, text).into_response()))
}

fn read(version: Version, headers: &HeaderMap) -> Result<(), &'static str> {
    let mut hosts = headers.get_all(header::HOST).into_iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_11 => Err("The request has no Host header."),
        (None, _) => Ok(()),
        (Some(_), Some(_)) => Err("The request has more than one Host header."),
        (Some(host), None) => match host.to_str() {
            Ok(host) if host.is_empty() || peer::is_host(host) => Ok(()),
            _ => Err("The request's Host header is not valid."),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(version: Version, hosts: &[&str]) -> Option<&'static str> {
        let hosts = hosts.iter().map(|host| (header::HOST, host.parse().unwrap()));
        let mut headers = HeaderMap::new();
        for (name, value) in hosts {
            headers.append(name, value);
        }
        read(version, &headers).err()
    }

    #[test]
    fn wants_one_host() {
        for hosts in [&["a.example"][..], &["a.example:8000"], &["[::1]:80"], &["under_score"], &["192.0.2.1"], &[""]] {
            assert_eq!(refused(Version::HTTP_11, hosts), None, "{hosts:?}");
            assert_eq!(refused(Version::HTTP_10, hosts), None, "{hosts:?}");
        }
        assert_eq!(refused(Version::HTTP_10, &[]), None);
        assert_eq!(refused(Version::HTTP_11, &[]), Some("The request has no Host header."));
        for version in [Version::HTTP_10, Version::HTTP_11] {
            for hosts in [["a.example", "b.example"], ["a.example", "a.example"], ["", ""]] {
                assert_eq!(refused(version, &hosts), Some("The request has more than one Host header."));
            }
            for host in ["a/b", "user@host", "a b", "a, b", "\u{e5}"] {
                assert_eq!(refused(version, &[host]), Some("The request's Host header is not valid."), "{host}");
            }
        }
    }
}

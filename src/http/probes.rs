//! Endpoints for monitoring systems and load balancers: whether the process answers, whether it can store changes, and
//! its metrics.

use std::net::IpAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use prometheus_client::encoding::prometheus_text::CONTENT_TYPE;

use super::{Api, exposition, peer};
use crate::service::{Action, AuthFailure};

/// Answers while the process does (intake contract section 18).
pub async fn healthy() -> Response {
    text(StatusCode::OK, "OK")
}

/// Answers whether changes can be stored, with the reason if not.
pub async fn ready(State(api): State<Api>) -> Response {
    match api.service.system().ready().await {
        Ok(()) => text(StatusCode::OK, "OK"),
        Err(reason) => text(StatusCode::SERVICE_UNAVAILABLE, one_line(&reason)),
    }
}

/// Answers with the metrics in the text format of Prometheus, to programs of this host, and to those with the token of
/// a user who may read them.
pub async fn metrics(State(api): State<Api>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if !is_local(&parts)
        && let Some(refusal) = refusal(&api, &parts.headers).await
    {
        return refusal;
    }
    match api.service.system().figures().await {
        Ok(figures) => {
            let metrics = exposition::write(figures, api.service.store().figures(), api.shared.traffic.routes());
            let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))];
            (StatusCode::OK, kind, metrics).into_response()
        }
        Err(error) => super::ApiError::from(error).into_response(),
    }
}

/// Returns whether the request was sent by a program on this host. A proxy on this host is one, too, but its clients are
/// not; proxies say so in a header.
fn is_local(parts: &Parts) -> bool {
    let is_forwarded = |name: &header::HeaderName| {
        let name = name.as_str();
        name == "forwarded" || name == "via" || name == "x-real-ip" || name.starts_with("x-forwarded-")
    };
    peer::connection(&parts.extensions).is_some_and(|peer: IpAddr| peer.is_loopback())
        && !parts.headers.keys().any(is_forwarded)
}

/// Returns the answer to a client whose token does not permit to read metrics.
async fn refusal(api: &Api, headers: &HeaderMap) -> Option<Response> {
    let refused = |reason: &str| {
        let mut answer = text(StatusCode::UNAUTHORIZED, one_line(reason));
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        answer
    };
    let Some(token) = token(headers) else {
        return Some(refused(
            "Metrics are for programs on this host, and for others with a token: Authorization: Bearer TOKEN",
        ));
    };
    match api.service.people().authenticate(token).await {
        Ok(caller) if caller.may(Action::SeeMetrics) => None,
        Ok(caller) => Some(text(
            StatusCode::FORBIDDEN,
            format!(
                "The user of this token may not read metrics. To allow it: argusd user change {} --grant metrics\n",
                caller.user.username
            ),
        )),
        Err(AuthFailure::Store(error)) => Some(super::ApiError::from(error).into_response()),
        Err(failure) => Some(refused(&format!("The token is refused: {failure}"))),
    }
}

/// Returns the token of `Authorization: Bearer` or `Token`.
fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    ["bearer", "token"].contains(&scheme.to_ascii_lowercase().as_str()).then(|| token.trim())
}

fn one_line(reason: &str) -> String {
    format!("{}\n", reason.replace(['\r', '\n'], " "))
}

fn text(status: StatusCode, body: impl Into<axum::body::Body>) -> Response {
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))];
    (status, kind, body.into()).into_response()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::extract::ConnectInfo;

    use super::*;

    fn parts(peer: Option<&str>, headers: &[(&str, &str)]) -> Parts {
        let mut request = axum::http::Request::builder().uri("/metrics");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        if let Some(peer) = peer {
            parts.extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4711)));
        }
        parts
    }

    #[test]
    fn only_programs_of_this_host_are_local() {
        for peer in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(is_local(&parts(Some(peer), &[("user-agent", "x")])), "{peer}");
        }
        for peer in ["192.0.2.1", "10.0.0.1", "2001:db8::1", "::"] {
            assert!(!is_local(&parts(Some(peer), &[])), "{peer}");
        }
        assert!(!is_local(&parts(None, &[])), "a Unix socket is where a proxy connects");
    }

    #[test]
    fn clients_of_a_proxy_on_this_host_are_not_local() {
        for name in ["Forwarded", "X-Forwarded-For", "x-forwarded-proto", "X-Forwarded-Whatever", "X-Real-IP", "Via"] {
            assert!(!is_local(&parts(Some("127.0.0.1"), &[(name, "")])), "{name}");
        }
    }

    #[test]
    fn reads_tokens_of_both_schemes() {
        let sent = |value: &str| {
            let parts = parts(None, &[("authorization", value)]);
            token(&parts.headers).map(str::to_owned)
        };
        for value in ["Bearer abc", "bearer  abc", "Token abc "] {
            assert_eq!(sent(value).as_deref(), Some("abc"), "{value}");
        }
        for value in ["", "Bearer", "Basic YTpi", "abc"] {
            assert_eq!(sent(value), None, "{value}");
        }
    }

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(one_line("a\r\nb"), "a  b\n");
    }
}

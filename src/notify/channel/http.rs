//! One client for all that is sent over HTTP, bounded in time, size and reach.

use std::{
    error::Error,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use reqwest::{
    Client, Method, Response, StatusCode, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::time::timeout;

use super::{Outcome, SetupError, Transcript, reach, roots};
use crate::{
    domain::{
        limits,
        message::{public_answer, restricted_answer},
    },
    notify::text::clean,
};

/// The status decides; how long to wait for the words after it.
const BODY_PATIENCE: Duration = Duration::from_secs(5);
const USER_AGENT: &str = concat!("argusd/", env!("CARGO_PKG_VERSION"));

pub(super) struct Http {
    client: Client,
    allow_private: bool,
    timeout: Duration,
}

pub(super) struct Request {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(HeaderName, String)>,
    pub body: Vec<u8>,
}

/// A host whose addresses are all out of bounds.
#[derive(Debug)]
struct OutOfReach;

impl Http {
    pub(super) fn new(allow_private: bool, timeout: Duration) -> Result<Self, SetupError> {
        let bad = |reason: String| SetupError::BadSetting { setting: "notifications", reason };
        let mut trusted = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        trusted.add_parsable_certificates(roots::of_host().iter().cloned());
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| bad(error.to_string()))?
            .with_root_certificates(trusted)
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .user_agent(USER_AGENT)
            .timeout(timeout)
            .dns_resolver(Arc::new(Guard { allow_private }))
            .pool_idle_timeout(Duration::from_secs(30))
            .build()
            .map_err(|error| bad(error.to_string()))?;
        Ok(Self { client, allow_private, timeout })
    }

    pub(super) async fn send(&self, request: Request, transcript: &mut Transcript) -> Outcome {
        let outcome = match self.check(&request) {
            Ok((url, headers)) => {
                transcript.note(&format!("{} to {}", request.method, origin(&url)));
                transcript.note(if url.scheme() == "https" { "TLS: yes" } else { "TLS: no" });
                let call = self.client.request(request.method, url).headers(headers).body(request.body).send();
                match timeout(self.timeout, call).await {
                    Ok(Ok(response)) => answered(response, transcript).await,
                    Ok(Err(error)) => failed(error, self.timeout),
                    Err(_) => too_slow(self.timeout),
                }
            }
            Err(reason) => Outcome::Fail(reason),
        };
        let (Outcome::Sent(text) | Outcome::Retry(text) | Outcome::Fail(text)) = &outcome;
        transcript.note(public_answer(text));
        outcome
    }

    fn check(&self, request: &Request) -> Result<(Url, HeaderMap), String> {
        let url = Url::parse(&request.url).map_err(|error| format!("The destination is no web address: {error}."))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("The destination is neither an http nor an https address.".to_owned());
        }
        let address: Option<IpAddr> = match url.host() {
            Some(url::Host::Ipv4(address)) => Some(address.into()),
            Some(url::Host::Ipv6(address)) => Some(address.into()),
            Some(url::Host::Domain(_)) => None,
            None => return Err("The destination's address names no host.".to_owned()),
        };
        if address.is_some_and(|address| !reach::is_allowed(address, self.allow_private)) {
            return Err(OutOfReach.to_string());
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            let value = HeaderValue::from_str(value)
                .map_err(|_| format!("The header {name} would hold what no header may hold."))?;
            headers.append(name, value);
        }
        Ok((url, headers))
    }
}

async fn answered(mut response: Response, transcript: &mut Transcript) -> Outcome {
    let address = response.remote_addr();
    if let Some(address) = address {
        transcript.note(&format!("connected to {address}"));
    }
    let is_private = address.is_none_or(|address| reach::is_private(address.ip()));
    let status = response.status();
    let body = timeout(BODY_PATIENCE, beginning(&mut response)).await.unwrap_or_default();
    let mut answer = clean(&format!("{status} {}", String::from_utf8_lossy(&body)), limits::PROVIDER_ANSWER);
    if is_private {
        answer = restricted_answer(&status.to_string(), &answer);
    }
    match status {
        _ if status.is_success() => Outcome::Sent(answer),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => Outcome::Retry(answer),
        _ if status.is_server_error() => Outcome::Retry(answer),
        _ => Outcome::Fail(answer),
    }
}

async fn beginning(response: &mut Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = limits::ANSWER_BYTES.saturating_sub(body.len());
        body.extend(chunk.iter().take(room));
        if chunk.len() >= room {
            break;
        }
    }
    body
}

fn failed(error: reqwest::Error, limit: Duration) -> Outcome {
    if error.is_timeout() {
        return too_slow(limit);
    }
    // An address may be a secret.
    let error = error.without_url();
    let mut reasons = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<OutOfReach>() {
            return Outcome::Fail(inner.to_string());
        }
        reasons.push(inner.to_string());
        cause = inner.source();
    }
    let told = reasons.pop().filter(|reason| !reason.is_empty()).unwrap_or_else(|| "it failed".to_owned());
    let what = if error.is_connect() { "cannot connect" } else { "the request broke off" };
    Outcome::Retry(clean(&format!("{what}: {told}"), limits::PROVIDER_ANSWER))
}

fn too_slow(limit: Duration) -> Outcome {
    Outcome::Retry(format!("no answer in {} seconds", limit.as_secs_f32()))
}

/// Scheme, host and port: the rest may be a secret.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

impl fmt::Display for OutOfReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("The destination's address is one that this server does not send to.")
    }
}

impl Error for OutOfReach {}

/// Resolves names, and forgets the addresses that are out of bounds.
struct Guard {
    allow_private: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> =
                found.into_iter().filter(|address| reach::is_allowed(address.ip(), allow_private)).collect();
            if allowed.is_empty() {
                return Err(OutOfReach.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

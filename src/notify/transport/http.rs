//! The HTTP client for outgoing messages, limited in time, size and addresses.

use std::{
    error::Error,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime},
};

use reqwest::{
    Client, Method, Response, StatusCode, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{self, HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::time::timeout;

use super::{AttemptOutcome, SetupError, Transcript, reach, roots};
use crate::clock::Clock;
use crate::domain::{
    AttemptEnd, Timestamp, limits,
    message::{public_answer, restricted_answer},
};
use crate::notify::text::clean;

/// Time limit for reading the body of an answer. Only the status decides about the result.
const BODY_PATIENCE: Duration = Duration::from_secs(5);
const USER_AGENT: &str = concat!("argusd/", env!("CARGO_PKG_VERSION"));

pub(super) struct Http {
    client: Client,
    allow_private: bool,
    timeout: Duration,
    clock: Arc<dyn Clock>,
}

pub(super) struct HttpRequest {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(HeaderName, String)>,
    pub body: Vec<u8>,
}

/// Error for a host without any permitted address.
#[derive(Debug)]
struct OutOfReach;

impl Http {
    pub(super) fn new(allow_private: bool, timeout: Duration, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
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
            .dns_resolver(Arc::new(GuardedResolver { allow_private }))
            .pool_idle_timeout(Duration::from_secs(30))
            .build()
            .map_err(|error| bad(error.to_string()))?;
        Ok(Self { client, allow_private, timeout, clock })
    }

    pub(super) async fn send(&self, request: HttpRequest, transcript: &mut Transcript) -> AttemptOutcome {
        let outcome = match self.check(&request) {
            Ok((url, headers)) => {
                transcript.note(&format!("{} to {}", request.method, origin(&url)));
                transcript.note(if url.scheme() == "https" { "TLS: yes" } else { "TLS: no" });
                let call = self.client.request(request.method, url).headers(headers).body(request.body).send();
                match timeout(self.timeout, call).await {
                    Ok(Ok(response)) => answered(response, self.clock.now(), transcript).await,
                    Ok(Err(error)) => failed(error, self.timeout),
                    Err(_) => too_slow(self.timeout),
                }
            }
            Err(reason) => AttemptOutcome::fail(reason),
        };
        transcript.note(public_answer(&outcome.answer));
        outcome
    }

    fn check(&self, request: &HttpRequest) -> Result<(Url, HeaderMap), String> {
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

async fn answered(mut response: Response, now: Timestamp, transcript: &mut Transcript) -> AttemptOutcome {
    let address = response.remote_addr();
    if let Some(address) = address {
        transcript.note(&format!("connected to {address}"));
    }
    let is_private = address.is_none_or(|address| reach::is_private(address.ip()));
    let status = response.status();
    if let Some(target) = redirect_target(&response) {
        // The body of a redirect repeats the address, which only administrators may read.
        let full = clean(&format!("{status}, to {target}"), limits::PROVIDER_ANSWER);
        return AttemptOutcome::fail(restricted_answer(&status.to_string(), &full));
    }
    let wait = wait_asked_for(response.headers(), now);
    let body = timeout(BODY_PATIENCE, beginning(&mut response)).await.unwrap_or_default();
    let mut answer = clean(&format!("{status} {}", String::from_utf8_lossy(&body)), limits::PROVIDER_ANSWER);
    if is_private {
        answer = restricted_answer(&status.to_string(), &answer);
    }
    let is_for_now =
        matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS);
    match wait {
        _ if status.is_success() => AttemptOutcome::sent(answer),
        _ if !(is_for_now || status.is_server_error()) => AttemptOutcome::fail(answer),
        Some(micros) => AttemptOutcome { ended: AttemptEnd::RetryAfter(micros), ..AttemptOutcome::retry(answer) },
        None => AttemptOutcome::retry(answer),
    }
}

/// Returns the microseconds that `Retry-After` asks to wait, up to [`limits::RETRY_AFTER_MAX_MICROS`]. A date is
/// compared with that of the answer, so that the clocks need not agree.
fn wait_asked_for(headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let micros = |text: &str| {
        let since = httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_micros()).ok()
    };
    let asked = text(header::RETRY_AFTER)?;
    let wait = if !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit()) {
        asked.parse::<i64>().unwrap_or(i64::MAX).saturating_mul(1_000_000)
    } else {
        let answered = text(header::DATE).and_then(micros).unwrap_or_else(|| now.micros());
        micros(asked)?.saturating_sub(answered)
    };
    Some(wait.min(limits::RETRY_AFTER_MAX_MICROS)).filter(|wait| *wait > 0)
}

/// Returns the target of a redirect, without credentials and query. Path segments that the requested address has, too,
/// are hidden, because they may be a secret.
fn redirect_target(response: &Response) -> Option<String> {
    if !response.status().is_redirection() {
        return None;
    }
    let location = response.headers().get(header::LOCATION)?;
    let target = response.url().join(&String::from_utf8_lossy(location.as_bytes())).ok()?;
    Some(without_secrets(&target, response.url()))
}

fn without_secrets(target: &Url, asked: &Url) -> String {
    if !matches!(target.scheme(), "http" | "https") {
        return format!("a {} address", target.scheme());
    }
    let known: Vec<&str> = asked.path_segments().into_iter().flatten().filter(|it| !it.is_empty()).collect();
    let shown = |segment| if known.contains(&segment) { "…" } else { segment };
    let path: Vec<&str> = target.path_segments().into_iter().flatten().map(shown).collect();
    format!("{}/{}", origin(target), path.join("/"))
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

fn failed(error: reqwest::Error, limit: Duration) -> AttemptOutcome {
    if error.is_timeout() {
        return too_slow(limit);
    }
    // The address may contain a secret.
    let error = error.without_url();
    let mut reasons = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<OutOfReach>() {
            return AttemptOutcome::fail(inner.to_string());
        }
        reasons.push(inner.to_string());
        cause = inner.source();
    }
    let said = reasons.pop().filter(|reason| !reason.is_empty()).unwrap_or_else(|| "it failed".to_owned());
    let what = if error.is_connect() { "cannot connect" } else { "the request broke off" };
    AttemptOutcome::retry(clean(&format!("{what}: {said}"), limits::PROVIDER_ANSWER))
}

fn too_slow(limit: Duration) -> AttemptOutcome {
    AttemptOutcome::retry(format!("no answer in {} seconds", limit.as_secs_f32()))
}

/// Returns scheme, host and port. The rest may contain a secret.
fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

impl fmt::Display for OutOfReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("The destination's address is one that this server does not send to.")
    }
}

impl Error for OutOfReach {}

/// Resolver that drops addresses that are not permitted.
struct GuardedResolver {
    allow_private: bool,
}

impl Resolve for GuardedResolver {
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::saturating_from_micros(1_700_000_000_000_000);

    fn wait(headers: &[(&'static str, &str)]) -> Option<i64> {
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        wait_asked_for(&headers.collect(), NOW).map(|micros| micros / 1_000_000)
    }

    #[test]
    fn hears_when_to_come_back() {
        assert_eq!(wait(&[("retry-after", "45")]), Some(45));
        assert_eq!(wait(&[("retry-after", " 3600 ")]), Some(3_600));
        for long in ["3601", "86400", "99999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"] {
            assert_eq!(wait(&[("retry-after", long)]), Some(3_600), "{long}");
        }
        // 1,700,000,000 is 2023-11-14T22:13:20Z.
        for date in ["Tue, 14 Nov 2023 22:14:00 GMT", "Tuesday, 14-Nov-23 22:14:00 GMT", "Tue Nov 14 22:14:00 2023"] {
            assert_eq!(wait(&[("retry-after", date)]), Some(40), "{date}");
        }
        // The other server's clock is a day ahead.
        let date = ("date", "Wed, 15 Nov 2023 22:13:30 GMT");
        assert_eq!(wait(&[date, ("retry-after", "Wed, 15 Nov 2023 22:14:00 GMT")]), Some(30));
        for none in ["", "0", "-5", "1.5", "soon", "Tue, 14 Nov 2023 22:13:20 GMT", "Mon, 01 Jan 2001 00:00:00 GMT"] {
            assert_eq!(wait(&[("retry-after", none)]), None, "{none}");
        }
        assert_eq!(wait(&[date]), None);
    }

    #[test]
    fn a_redirects_target_holds_no_secret() {
        let asked = Url::parse("http://hooks.example.org/services/T1/geheim").unwrap();
        let shown = |location: &str| without_secrets(&asked.join(location).unwrap(), &asked);
        assert_eq!(shown("https://login.example.org/sso?next=geheim#x"), "https://login.example.org/sso");
        assert_eq!(shown("https://u:pw@h.example.org:8443/a/b"), "https://h.example.org:8443/a/b");
        assert_eq!(shown("/services/T1/geheim/"), "http://hooks.example.org/…/…/…/");
        assert_eq!(shown("https://new.example.org/v2/geheim"), "https://new.example.org/v2/…");
        assert_eq!(shown("https://exämple.org"), "https://xn--exmple-cua.org/");
        assert_eq!(shown("data:text/plain,geheim"), "a data address");
    }
}

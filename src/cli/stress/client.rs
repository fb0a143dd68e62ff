//! HTTP client on one connection that is kept open between requests.

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode,
    client::conn::http1::{SendRequest, handshake},
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::Url;

/// Server that is tested, and the token for it.
pub(super) struct StressTarget {
    address: String,
    host: HeaderValue,
    authorization: HeaderValue,
    /// Path of the API, with a slash at its end.
    base: String,
}

impl StressTarget {
    /// Parses the address of the server, with or without `/api/v2`.
    pub(super) fn parse(url: &str, token: &str) -> anyhow::Result<Self> {
        let parsed = Url::parse(url).with_context(|| format!("{url:?} is no address"))?;
        match parsed.scheme() {
            "http" => {}
            "https" => bail!("stress speaks plain http only; point it at the server itself, behind the TLS proxy"),
            other => bail!("{other:?} is no way to talk to a server; use http"),
        }
        let host = parsed.host_str().with_context(|| format!("{url:?} names no server"))?;
        let port = parsed.port_or_known_default().unwrap_or(80);
        let path = parsed.path().trim_end_matches('/');
        let path = path.strip_suffix("/api/v2").unwrap_or(path);
        let mut authorization =
            HeaderValue::from_str(&format!("Token {token}")).context("the token is no header value")?;
        authorization.set_sensitive(true);
        Ok(Self {
            address: format!("{host}:{port}"),
            host: HeaderValue::from_str(&format!("{host}:{port}"))?,
            authorization,
            base: format!("{path}/api/v2/"),
        })
    }

    pub(super) async fn connect(&self) -> anyhow::Result<StressClient<'_>> {
        let stream =
            TcpStream::connect(&self.address).await.with_context(|| format!("cannot connect to {}", self.address))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Errors of the connection are returned by the requests on it.
        tokio::spawn(async move { drop(connection.await) });
        Ok(StressClient { target: self, sender })
    }
}

pub(super) struct StressClient<'a> {
    target: &'a StressTarget,
    sender: SendRequest<Full<Bytes>>,
}

impl StressClient<'_> {
    /// Sends a POST. `path` is relative to the API.
    pub(super) async fn post(&mut self, path: &str, body: Vec<u8>) -> anyhow::Result<(StatusCode, Bytes)> {
        self.send(Method::POST, path, body.into()).await
    }

    /// Sends a GET and returns the body. Any status but 200 is an error.
    pub(super) async fn get(&mut self, path: &str) -> anyhow::Result<Bytes> {
        let (status, body) = self.send(Method::GET, path, Bytes::new()).await?;
        ensure!(status == StatusCode::OK, "GET {path} was answered {status}");
        Ok(body)
    }

    async fn send(&mut self, method: Method, path: &str, body: Bytes) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.target.base))
            .header(HOST, &self.target.host)
            .header(AUTHORIZATION, &self.target.authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_root_or_the_api() {
        for url in ["http://localhost:8000", "http://localhost:8000/", "http://localhost:8000/api/v2/"] {
            let target = StressTarget::parse(url, "abc").unwrap();
            assert_eq!((target.address.as_str(), target.base.as_str()), ("localhost:8000", "/api/v2/"));
        }
    }

    #[test]
    fn says_that_it_cannot_speak_tls() {
        let error = StressTarget::parse("https://argus.example.org", "abc").err().unwrap().to_string();
        assert!(error.contains("plain http only"), "{error}");
    }
}

//! Who is at the other end, and how the client reached us, also through proxies.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{Extensions, HeaderMap, Uri, header, request::Parts},
};

use super::{Api, HttpSettings};

/// An address, or a network in the form `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is neither an IP address nor a network like 10.0.0.0/8")]
pub struct NetworkError(String);

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let parse = || {
            let (address, prefix) = match text.split_once('/') {
                Some((address, prefix)) => (address, Some(prefix.parse::<u32>().ok()?)),
                None => (text, None),
            };
            let address: IpAddr = address.trim().parse().ok()?;
            let longest = if address.is_ipv4() { 32 } else { 128 };
            let prefix = prefix.unwrap_or(longest);
            (prefix <= longest).then_some(Self { address, prefix })
        };
        parse().ok_or_else(|| NetworkError(text.to_owned()))
    }
}

impl Network {
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).checked_shr(32 - self.prefix).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).checked_shr(128 - self.prefix).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// The client's address: that of the connection, or the one that trusted proxies name. `None` on a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client(pub Option<IpAddr>);

impl FromRequestParts<Api> for Client {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Self::Rejection> {
        Ok(Self(client(api.settings(), parts)))
    }
}

/// See [`Client`].
#[must_use]
pub fn client(settings: &HttpSettings, parts: &Parts) -> Option<IpAddr> {
    let peer = connection(&parts.extensions)?;
    if !is_trusted(settings, peer) {
        return Some(peer);
    }
    let named = parts.headers.get_all("x-forwarded-for").into_iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<IpAddr> =
        named.flat_map(|value| value.split(',')).filter_map(|hop| hop.trim().parse().ok()).collect();
    let client = hops.into_iter().rev().find(|hop| !is_trusted(settings, *hop));
    Some(client.unwrap_or(peer))
}

/// Scheme and host as the client knows them, without a slash at the end.
#[must_use]
pub fn origin(settings: &HttpSettings, parts: &Parts) -> String {
    if let Some(url) = &settings.public_url {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let believed = connection(&parts.extensions).is_some_and(|peer| is_trusted(settings, peer));
    let forwarded = |name| if believed { first_of(&parts.headers, name) } else { None };
    let scheme = forwarded("x-forwarded-proto").filter(|scheme| *scheme == "https").unwrap_or("http");
    let host = forwarded("x-forwarded-host")
        .or_else(|| first_of(&parts.headers, header::HOST.as_str()))
        .or_else(|| parts.uri.authority().map(axum::http::uri::Authority::as_str))
        .filter(|host| is_host(host))
        .unwrap_or("localhost");
    format!("{scheme}://{host}")
}

fn connection(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical())
}

fn is_trusted(settings: &HttpSettings, address: IpAddr) -> bool {
    settings.trusted_proxies.iter().any(|network| network.contains(address))
}

fn first_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?.to_str().ok()?;
    value.split(',').next().map(str::trim).filter(|value| !value.is_empty())
}

/// Only what an address can hold: no user names, no paths.
fn is_host(host: &str) -> bool {
    !host.contains('@') && host.parse::<Uri>().is_ok_and(|uri| uri.authority().is_some_and(|it| it.as_str() == host))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(peer: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().uri("/api/v2/incidents/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        parts.extensions.insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 4711)));
        parts
    }

    fn behind(proxy: &str) -> HttpSettings {
        HttpSettings { trusted_proxies: vec![proxy.parse().unwrap()], ..HttpSettings::default() }
    }

    const FORWARDED: [(&str, &str); 3] =
        [("host", "inner:8000"), ("x-forwarded-host", "argus.example.org"), ("x-forwarded-proto", "https")];

    #[test]
    fn believes_trusted_proxies_only() {
        let settings = behind("10.0.0.0/8");
        assert_eq!(origin(&settings, &parts("10.1.2.3", &FORWARDED)), "https://argus.example.org");
        assert_eq!(origin(&settings, &parts("192.0.2.1", &FORWARDED)), "http://inner:8000");
        let public = HttpSettings { public_url: Some("https://p.example.org/".parse().unwrap()), ..settings };
        assert_eq!(origin(&public, &parts("192.0.2.1", &FORWARDED)), "https://p.example.org");
    }

    #[test]
    fn does_not_repeat_strange_hosts() {
        for host in ["a/b", "user@host", "a b", "\"", "<x>"] {
            assert_eq!(origin(&HttpSettings::default(), &parts("10.1.2.3", &[("host", host)])), "http://localhost");
        }
        assert_eq!(origin(&HttpSettings::default(), &parts("::1", &[("host", "[::1]:80")])), "http://[::1]:80");
    }

    #[test]
    fn networks() {
        let network = |text: &str| text.parse::<Network>();
        let within = |text, address: &str| network(text).unwrap().contains(address.parse().unwrap());
        assert!(within("10.0.0.0/8", "10.255.0.1") && !within("10.0.0.0/8", "11.0.0.1"));
        assert!(within("10.0.0.0/8", "::ffff:10.0.0.1"));
        assert!(within("0.0.0.0/0", "192.0.2.1") && !within("0.0.0.0/0", "::1"));
        assert!(within("::/0", "2001:db8::1"));
        assert!(within("::1", "::1") && !within("::1", "::2"));
        for wrong in ["", "x", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(network(wrong).is_err(), "{wrong}");
        }
    }
}

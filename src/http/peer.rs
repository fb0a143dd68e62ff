//! The address of the client, and the URL by which it reached the server, also behind proxies.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
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

/// Mark of requests that arrived over an encrypted connection.
#[derive(Clone, Copy, Debug)]
pub struct Encrypted;

/// Address of the client: that of the connection, or the one that trusted proxies report. `None` on a Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client(pub Option<IpAddr>);

impl FromRequestParts<Api> for Client {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Self::Rejection> {
        Ok(Self(client(api.settings(), parts)))
    }
}

/// Returns the address of the client; see [`Client`].
#[must_use]
pub fn client(settings: &HttpSettings, parts: &Parts) -> Option<IpAddr> {
    let peer = connection(&parts.extensions);
    let is_proxy = is_trusted(settings, peer);
    if let Some(peer) = peer
        && parts.headers.contains_key("x-forwarded-for")
    {
        let is_https = first_of(&parts.headers, "x-forwarded-proto") == Some("https");
        settings.forwarding.note(peer, is_proxy, is_https);
    }
    if !is_proxy {
        return peer;
    }
    let headers = parts.headers.get_all("x-forwarded-for").into_iter();
    let hops = headers.rev().flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    nearest_stranger(settings, peer, hops)
}

/// Returns the first address that is not of a trusted proxy, from the server towards the client.
///
/// Each proxy appends the address that sent the request to it, so everything to the left of an untrusted address is
/// only claimed by that client. A hop that is not an address may be a client too, so it ends the search; the result is
/// then the proxy that wrote it.
fn nearest_stranger<'a>(
    settings: &HttpSettings,
    peer: Option<IpAddr>,
    hops: impl Iterator<Item = &'a [u8]>,
) -> Option<IpAddr> {
    let mut nearest = peer;
    for hop in hops {
        match hop_address(hop) {
            Some(address) => nearest = Some(address),
            None => break,
        }
        if !is_trusted(settings, nearest) {
            break;
        }
    }
    nearest
}

/// Reads `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]` and `[2001:db8::1]:4711`, also within quotes.
fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?.trim();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let address = text.parse::<IpAddr>().ok().or_else(with_port).or_else(in_brackets)?;
    Some(address.to_canonical())
}

/// Returns scheme and host as the client knows them, without a slash at the end.
#[must_use]
pub fn origin(settings: &HttpSettings, parts: &Parts) -> String {
    if let Some(url) = &settings.public_url {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let believed = is_trusted(settings, connection(&parts.extensions));
    let forwarded = |name| if believed { first_of(&parts.headers, name) } else { None };
    let own_scheme = if parts.extensions.get::<Encrypted>().is_some() { "https" } else { "http" };
    let scheme = match forwarded("x-forwarded-proto") {
        Some("https") => "https",
        Some("http") => "http",
        _ => own_scheme,
    };
    let host = forwarded("x-forwarded-host")
        .or_else(|| first_of(&parts.headers, header::HOST.as_str()))
        .or_else(|| parts.uri.authority().map(axum::http::uri::Authority::as_str))
        .filter(|host| is_host(host))
        .unwrap_or("localhost");
    format!("{scheme}://{host}")
}

/// Returns whether the request came from a trusted proxy.
#[must_use]
pub(super) fn is_from_proxy(settings: &HttpSettings, extensions: &Extensions) -> bool {
    is_trusted(settings, connection(extensions))
}

/// Returns the address of the other end of the connection. `None` on a Unix socket.
pub(super) fn connection(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical())
}

fn is_trusted(settings: &HttpSettings, address: Option<IpAddr>) -> bool {
    match address {
        Some(address) => settings.trusted_proxies.iter().any(|network| network.contains(address)),
        None => settings.trusts_unix_socket,
    }
}

fn first_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let value = headers.get(name)?.to_str().ok()?;
    value.split(',').next().map(str::trim).filter(|value| !value.is_empty())
}

/// Returns whether `host` is a name or an IP address, optionally with a port, but without a user name or a path.
pub(super) fn is_host(host: &str) -> bool {
    let is_whole = |uri: &Uri| uri.authority().is_some_and(|it| it.as_str() == host && !it.host().is_empty());
    !host.contains('@') && host.parse::<Uri>().is_ok_and(|uri| is_whole(&uri))
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
    fn an_encrypted_connection_means_https() {
        let mut direct = parts("192.0.2.1", &FORWARDED);
        direct.extensions.insert(Encrypted);
        assert_eq!(origin(&HttpSettings::default(), &direct), "https://inner:8000");
        let mut behind_proxy = parts("10.1.2.3", &[("host", "inner:8000"), ("x-forwarded-proto", "http")]);
        behind_proxy.extensions.insert(Encrypted);
        assert_eq!(origin(&behind("10.0.0.0/8"), &behind_proxy), "http://inner:8000", "the proxy knows better");
    }

    #[test]
    fn the_unix_socket_is_trusted_only_if_the_settings_say_so() {
        let mut local = parts("192.0.2.1", &[FORWARDED.as_slice(), &[("x-forwarded-for", "198.51.100.7")]].concat());
        local.extensions.clear();
        let trusting = HttpSettings { trusts_unix_socket: true, ..HttpSettings::default() };
        assert_eq!(client(&trusting, &local), "198.51.100.7".parse().ok());
        assert_eq!(origin(&trusting, &local), "https://argus.example.org");
        assert_eq!(client(&HttpSettings::default(), &local), None);
        assert_eq!(client(&behind("0.0.0.0/0"), &local), None);
        assert_eq!(origin(&HttpSettings::default(), &local), "http://inner:8000");
        local.headers.remove("x-forwarded-for");
        assert_eq!(client(&trusting, &local), None);
    }

    fn client_of(settings: &HttpSettings, peer: &str, forwarded: &[&str]) -> String {
        let headers: Vec<(&str, &str)> = forwarded.iter().map(|value| ("x-forwarded-for", *value)).collect();
        client(settings, &parts(peer, &headers)).unwrap().to_string()
    }

    #[test]
    fn reads_all_usual_spellings_of_a_client() {
        let settings = behind("10.0.0.0/8");
        for (forwarded, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            (" 192.0.2.7 ", "192.0.2.7"),
            ("192.0.2.7:4711", "192.0.2.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("\"[2001:db8::7]:4711\"", "2001:db8::7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("[::ffff:192.0.2.7]:4711", "192.0.2.7"),
        ] {
            assert_eq!(client_of(&settings, "10.0.0.1", &[forwarded]), expected, "{forwarded}");
            // Values that the client itself sent before are not trusted, however the proxy adds to them.
            let forged = format!("198.51.100.1, {forwarded}");
            assert_eq!(client_of(&settings, "10.0.0.1", &[&forged]), expected, "{forged}");
            assert_eq!(client_of(&settings, "10.0.0.1", &["198.51.100.1", forwarded]), expected, "{forwarded}");
            let through_two = format!("198.51.100.1, {forwarded}, 10.0.0.2:80");
            assert_eq!(client_of(&settings, "10.0.0.1", &[&through_two]), expected, "{through_two}");
        }
    }

    #[test]
    fn a_hop_that_is_no_address_ends_the_walk() {
        let settings = behind("10.0.0.0/8");
        for hop in [
            "unknown",
            "_hidden",
            "unix:",
            "",
            "192.0.2.7:99999",
            "192.0.2.300",
            "192.0.2.7:",
            "[192.0.2.7]",
            "[2001:db8::7",
            "2001:db8::7]",
            "for=192.0.2.7",
            "host.example.org",
            "\u{e5}",
        ] {
            assert_eq!(client_of(&settings, "10.0.0.1", &[hop]), "10.0.0.1", "{hop:?}");
            let forged = format!("198.51.100.1, {hop}");
            assert_eq!(client_of(&settings, "10.0.0.1", &[&forged]), "10.0.0.1", "{forged:?}");
            let through_two = format!("198.51.100.1, {hop}, 10.0.0.2");
            assert_eq!(client_of(&settings, "10.0.0.1", &[&through_two]), "10.0.0.2", "{through_two:?}");
            assert_eq!(client_of(&settings, "10.0.0.1", &["198.51.100.1", hop]), "10.0.0.1", "{hop:?}");
        }
        assert_eq!(client_of(&settings, "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client_of(&settings, "10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        assert_eq!(client_of(&settings, "192.0.2.1", &["198.51.100.1"]), "192.0.2.1");
    }

    proptest::proptest! {
        /// The trusted proxy appends the real address, and that one counts, whatever the client sends.
        #[test]
        fn nothing_that_a_client_sends_changes_its_address(
            sent in "[ -~]{0,60}",
            address in proptest::prelude::any::<IpAddr>(),
            spelling in 0..3_usize,
        ) {
            let settings = behind("10.0.0.0/8");
            proptest::prop_assume!(!is_trusted(&settings, Some(address)));
            let appended = match (spelling, address) {
                (0, _) => address.to_string(),
                (1, IpAddr::V6(_)) => format!("[{address}]"),
                _ => SocketAddr::new(address, 4711).to_string(),
            };
            let expected = address.to_canonical().to_string();
            let value = format!("{sent}, {appended}");
            proptest::prop_assert_eq!(client_of(&settings, "10.0.0.1", &[&value]), expected.clone());
            proptest::prop_assert_eq!(client_of(&settings, "10.0.0.1", &[&sent, &appended]), expected);
        }
    }

    #[test]
    fn does_not_repeat_strange_hosts() {
        for host in ["a/b", "user@host", "a b", "\"", "<x>", ":", ":80"] {
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

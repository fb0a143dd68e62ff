//! `argusd health`: asks the running server whether it is ready, for health checks of containers and scripts.

mod any_certificate;

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};

use super::output;
use crate::config::Config;

const PATH: &str = "/-/ready";

/// Time for the connection, and for the answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Longest answer in bytes that is read.
const LONGEST_ANSWER: usize = 16 * 1024;

/// Returns the address of the server that these settings are for.
pub(super) fn address(config: &Config) -> String {
    let listen = &config.listen.value;
    if config.tls.cert.value.is_some() { format!("https://{listen}") } else { listen.clone() }
}

/// Asks the server at an address: `http://HOST:PORT`, `https://HOST:PORT`, or what the setting `listen` holds, which is
/// `HOST:PORT` or `unix:PATH`. Prints one line. Fails if the server does not answer with success in time.
pub(super) fn run(address: &str) -> anyhow::Result<ExitCode> {
    let until = Instant::now() + PATIENCE;
    let answer = if let Some(path) = address.strip_prefix("unix:") {
        let stream = UnixStream::connect(path).with_context(|| format!("nothing answers at {path}"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        ask(stream, "localhost", PATH, until)
    } else {
        let (scheme, place) = address.split_once("://").unwrap_or(("http", address));
        ensure!(["http", "https"].contains(&scheme), "{address} is no http or https address");
        let (host, prefix) = place.find('/').map_or((place, ""), |at| place.split_at(at));
        let path = format!("{}{PATH}", prefix.trim_end_matches('/'));
        let is_tls = scheme == "https";
        let stream =
            connect(host, if is_tls { 443 } else { 80 }).with_context(|| format!("nothing answers at {host}"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        if is_tls {
            ask(any_certificate::connect(stream)?, host, &path, until)
        } else {
            ask(stream, host, &path, until)
        }
    };
    let (status, reason) = answer.with_context(|| format!("no answer from {address}"))?;
    match status {
        200 => output::say(format_args!("{address} is ready")),
        404 => bail!("{address} has no {PATH}; it is no argusd, or an older one"),
        _ => bail!("{address} is not ready: {reason} (status {status})"),
    }
    Ok(ExitCode::SUCCESS)
}

fn connect(host: &str, default_port: u16) -> anyhow::Result<TcpStream> {
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let with_port = if has_port { host.to_owned() } else { format!("{host}:{default_port}") };
    let mut failure = None;
    for address in with_port.to_socket_addrs()?.map(reachable) {
        ensure!(address.port() != 0, "port 0 means any free port; name the port with --url");
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.map_or_else(|| anyhow::anyhow!("the name has no address"), Into::into))
}

/// Replaces the address that stands for all addresses of the host, at which a server may listen, by the loopback one.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// Returns the status and the first line of the body.
fn ask(mut stream: impl Read + Write, host: &str, path: &str, until: Instant) -> anyhow::Result<(u16, String)> {
    // An answer of HTTP/1.0 has no chunks and ends with the connection.
    let request =
        format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: argusd-health\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    while answer.len() < LONGEST_ANSWER {
        ensure!(Instant::now() < until, "it did not answer within {} seconds", PATIENCE.as_secs());
        match stream.read(&mut buffer) {
            Ok(0) => break,
            // A server that ends the connection without a word of TLS.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Ok(length) => answer.extend(buffer.iter().take(length)),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
                bail!("it did not answer within {} seconds", PATIENCE.as_secs())
            }
            Err(error) => return Err(error.into()),
        }
    }
    parse(&String::from_utf8_lossy(&answer)).context("it does not speak HTTP")
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    let reason = body.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given");
    Some((status, reason.chars().filter(|character| !character.is_control()).take(200).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_and_a_reason() {
        let answer = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 12\r\n\r\nno space left\u{7}\nmore";
        assert_eq!(parse(answer), Some((503, "no space left".to_owned())));
        assert_eq!(parse("HTTP/1.0 200 OK\r\n\r\n"), Some((200, "no reason given".to_owned())));
        for noise in ["", "HTTP/1.1 200 OK", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 x y\r\n\r\n"] {
            assert_eq!(parse(noise), None, "{noise}");
        }
    }

    #[test]
    fn a_server_that_listens_everywhere_is_asked_at_the_loopback_address() {
        for (listens, asked) in
            [("0.0.0.0:8000", "127.0.0.1:8000"), ("[::]:8000", "[::1]:8000"), ("192.0.2.1:80", "192.0.2.1:80")]
        {
            assert_eq!(reachable(listens.parse().unwrap()), asked.parse().unwrap());
        }
    }
}

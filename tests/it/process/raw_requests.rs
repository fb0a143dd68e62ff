//! Requests as bytes on the wire: heads that are too large or name no host, and commands that do not end.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
};

use crate::support::{
    daemon::{Daemon, Site},
    eventually::PATIENCE,
};

/// Status and all of the answer. The server may hang up before everything is sent.
fn exchange(daemon: &Daemon, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(&daemon.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    drop(stream.write_all(request.as_bytes()));
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "no whole answer to {request:.200}: {head}");
        if line == "\r\n" {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&lower);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), format!("{head}{}", String::from_utf8_lossy(&body)))
}

#[test]
fn a_request_must_name_one_host() {
    let site = Site::in_memory();
    let daemon = site.start();
    for path in ["/api/v2/schema/", "/accounts/login/", "/about/"] {
        for (version, hosts, is_refused) in [
            ("1.1", "", true),
            ("1.1", "Host: a\r\nHost: b\r\n", true),
            ("1.1", "Host: a\r\nHost: a\r\n", true),
            ("1.1", "Host: a/b\r\n", true),
            ("1.0", "Host: a\r\nHost: b\r\n", true),
            ("1.1", "Host: a\r\n", false),
            ("1.0", "Host: a\r\n", false),
            ("1.0", "", false),
        ] {
            let (status, answer) = exchange(&daemon, &format!("GET {path} HTTP/{version}\r\n{hosts}\r\n"));
            assert_eq!(status == 400, is_refused, "{path} {version} {hosts:?}: {answer:.300}");
            if is_refused {
                assert!(answer.contains("{\"detail\":\"The request"), "{answer:.300}");
            }
        }
    }
    let (status, answer) = exchange(&daemon, "GET /notifications/api/v1/contacts HTTP/1.1\r\n\r\n");
    assert_eq!(status, 400);
    assert!(answer.ends_with("{\"status\":\"error\",\"message\":\"The request has no Host header.\"}"), "{answer}");
    daemon.stop();
}

#[test]
fn a_connection_is_closed_after_a_large_head() {
    let site = Site::in_memory();
    let daemon = site.start();
    let head = |bytes: usize| format!("GET /.still-alive/ HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(bytes));
    let (status, answer) = exchange(&daemon, &head(100));
    assert!(status == 204 && !answer.contains("connection: close"), "{answer}");
    let (status, answer) = exchange(&daemon, &head(20 << 10));
    assert!(status == 204 && answer.contains("connection: close"), "{answer}");
    assert_eq!(exchange(&daemon, &head(200 << 10)).0, 431);
    daemon.stop();
}

#[test]
fn an_administrative_command_that_is_too_large_is_refused() {
    let site = Site::in_memory();
    let daemon = site.start();
    let mut stream = UnixStream::connect(site.path("argusd.redb.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Without an end.
    drop(stream.write_all(&vec![b'x'; (4 << 20) + 1]));
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    assert!(answer.contains("larger than 4194304 bytes"), "{answer}");
    assert!(site.ok(&["user", "list"]).contains("admin"));
    daemon.stop();
}

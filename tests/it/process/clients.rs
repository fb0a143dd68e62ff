//! Clients that are slow, rude or many do not keep others from being served.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::support::{
    daemon::{Client, Daemon, Site, incident},
    eventually::eventually,
};

fn started() -> (Site, Daemon, String) {
    let site = Site::new();
    let token = site.source("tester");
    let daemon = site.start();
    (site, daemon, token)
}

/// The client has less patience than the server has with those who misbehave, so this is not their end.
fn is_served(daemon: &Daemon, token: &str, id: &str) {
    daemon.client().with_token(token).incident().with(incident(id)).post();
}

#[test]
fn many_idle_connections_delay_nobody() {
    let (_site, daemon, token) = started();
    // As many as the tester's own limit of open files surely allows.
    let idle: Vec<TcpStream> = (0..800).map_while(|_| TcpStream::connect(&daemon.address).ok()).collect();
    assert!(idle.len() >= 500, "{}", idle.len());
    is_served(&daemon, &token, "1");
    drop(idle);
    daemon.stop();
}

#[test]
fn half_sent_requests_delay_nobody() {
    let (_site, daemon, token) = started();
    let mut open = Vec::new();
    for number in 0..50 {
        let mut stream = TcpStream::connect(&daemon.address).unwrap();
        let half = if number % 2 == 0 {
            "POST /api/v2/incidents/ HTTP/1.1\r\nHost: te".to_owned()
        } else {
            format!(
                "POST /api/v2/incidents/ HTTP/1.1\r\nHost: test\r\nAuthorization: Token {token}\r\n\
                 Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{\"start"
            )
        };
        stream.write_all(half.as_bytes()).unwrap();
        open.push(stream);
    }
    is_served(&daemon, &token, "1");
    // It does not wait for them.
    daemon.signal("TERM");
    let (_, status) = daemon.wait();
    assert!(status.success());
}

#[test]
fn malformed_requests_are_answered_or_disconnected() {
    let (_site, daemon, token) = started();
    let long_header = format!("GET / HTTP/1.1\r\nHost: test\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    let many_headers = format!("GET / HTTP/1.1\r\nHost: test\r\n{}\r\n", "X: y\r\n".repeat(5_000));
    for nonsense in [
        b"\x16\x03\x01\x02\x00\x01\x00".as_slice(),
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /%ff%00 HTTP/1.1\r\nHost: \xff\r\n\r\n",
        b"POST /api/v2/incidents/ HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /api/v2/incidents/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
        long_header.as_bytes(),
        many_headers.as_bytes(),
    ] {
        let mut stream = TcpStream::connect(&daemon.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        // It may hang up before everything is sent.
        drop(stream.write_all(nonsense));
        drop(stream.read(&mut [0; 1024]));
    }
    is_served(&daemon, &token, "1");
    daemon.stop();
}

#[test]
fn a_body_that_is_too_long_is_refused() {
    let (_site, daemon, token) = started();
    let mut client = daemon.client().with_token(&token);
    let body = format!("{{\"description\": \"{}\"}}", "x".repeat(5 << 20));
    // The answer may come before everything is sent, and the rest then has nowhere to go.
    if let Ok(answer) = client.send("POST", "/api/v2/incidents/", &body) {
        assert_eq!(answer.status, 413, "{}", answer.body);
    }
    is_served(&daemon, &token, "1");
    daemon.stop();
}

#[test]
fn a_connection_serves_many_requests_even_pipelined() {
    let (_site, daemon, token) = started();
    let mut client = Client::connect(&daemon.address);
    let request = format!("GET /api/v2/incidents/ HTTP/1.1\r\nHost: test\r\nAuthorization: Token {token}\r\n\r\n");
    client.write(request.repeat(20).as_bytes()).unwrap();
    for _ in 0..20 {
        assert_eq!(client.read().unwrap().status, 200);
    }
    daemon.stop();
}

#[test]
fn a_long_list_is_compressed_and_complete() {
    let (site, daemon, token) = started();
    site.ok(&["generate", "3000"]);
    let mut stream = TcpStream::connect(&daemon.address).unwrap();
    let request = format!(
        "GET /api/v1/incidents/open/ HTTP/1.1\r\nHost: test\r\nAuthorization: Token {token}\r\n\
         Accept-Encoding: gzip\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let head = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(head.starts_with("http/1.1 200") && head.contains("content-encoding: gzip"), "{head:.300}");
    assert!(answer.ends_with(b"\r\n0\r\n\r\n"), "the last chunk is missing");
    daemon.stop();
}

#[test]
fn a_client_that_does_not_read_is_disconnected() {
    let (site, daemon, token) = started();
    site.ok(&["generate", "2000"]);
    let request =
        format!("GET /api/v2/incidents/?page_size=2000 HTTP/1.1\r\nHost: test\r\nAuthorization: Token {token}\r\n\r\n");
    let deaf: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(&daemon.address).unwrap();
            stream.write_all(request.repeat(5).as_bytes()).unwrap();
            stream
        })
        .collect();
    is_served(&daemon, &token, "1");
    eventually("still served", || {
        daemon.client().with_token(&token).get("/api/v2/incidents/?page_size=1").status == 200
    });
    drop(deaf);
    daemon.stop();
}

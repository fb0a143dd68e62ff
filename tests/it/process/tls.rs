//! HTTPS by the program itself.

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    path::PathBuf,
    process::Command,
    sync::Arc,
};

use crate::support::{
    daemon::{Answer, Client, Daemon, Site, incident},
    eventually::{PATIENCE, eventually},
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

fn fixture(name: &str) -> PathBuf {
    format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR")).into()
}

/// A site with a certificate and its key, which tests replace.
fn site_with_pair(name: &str) -> Site {
    let site = Site::new();
    replace_pair(&site, name);
    site
}

fn replace_pair(site: &Site, name: &str) {
    fs::copy(fixture(&format!("{name}.pem")), site.path("cert.pem")).unwrap();
    fs::copy(fixture(&format!("{name}.key")), site.path("key.pem")).unwrap();
}

fn command(site: &Site) -> Command {
    let (cert, key) = (site.path("cert.pem"), site.path("key.pem"));
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    site.command(&["serve", "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key])
}

type Encrypted = StreamOwned<ClientConnection, TcpStream>;

/// Connects, and trusts only the certificate of this name.
fn try_connect(address: &str, trusted: &str) -> std::io::Result<Client<Encrypted>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(fixture(&format!("{trusted}.pem"))).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut client = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = stream;
    while client.is_handshaking() {
        client.complete_io(&mut stream)?;
    }
    assert_eq!(client.alpn_protocol(), Some(&b"http/1.1"[..]));
    Ok(Client::over(StreamOwned::new(client, stream)))
}

fn connect(daemon: &Daemon, trusted: &str) -> Client<Encrypted> {
    try_connect(&daemon.address, trusted).unwrap()
}

#[test]
fn https_serves_the_api_and_pages_with_secure_cookies() {
    let site = site_with_pair("one");
    let token = site.source("tester");
    let daemon = Daemon::start(command(&site));
    let mut client = connect(&daemon, "one").with_token(&token);
    assert_eq!(client.post("/api/v2/incidents/", &incident("1")).status, 201);
    let listed = client.get("/api/v2/incidents/?page_size=1");
    assert_eq!(listed.status, 200);
    let page = connect(&daemon, "one").get("/accounts/login/");
    assert_eq!(page.status, 200);
    let cookie =
        page.head.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie: csrftoken=")).unwrap();
    assert!(cookie.ends_with("; Secure"), "{cookie}");
    drop(client);
    daemon.stop();
}

#[test]
fn the_ready_line_and_links_begin_with_https() {
    let site = site_with_pair("one");
    let token = site.source("tester");
    let log = site.path("log");
    let daemon = Daemon::start_with_log(command(&site), fs::File::create(&log).unwrap());
    let mut client = connect(&daemon, "one").with_token(&token);
    for number in 0..3 {
        assert_eq!(client.post("/api/v2/incidents/", &incident(&number.to_string())).status, 201);
    }
    let next = client.get("/api/v2/incidents/?page_size=1").json()["next"].clone();
    assert!(next.as_str().unwrap().starts_with("https://test/api/v2/incidents/"), "{next}");
    drop(client);
    daemon.stop();
}

/// Logs in as a browser does, and returns the answer.
fn log_in(client: &mut Client<Encrypted>) -> Answer {
    let page = client.get("/accounts/login/");
    let csrf = page.head.split("csrftoken=").nth(1).unwrap().split(';').next().unwrap().to_owned();
    let body = format!("csrf={csrf}&username=admin&password=correct+horse&next=%2Fincidents%2F%3Fopen%3Dtrue");
    let request = format!(
        "POST /accounts/login/ HTTP/1.1\r\nHost: test\r\nOrigin: https://test\r\nCookie: csrftoken={csrf}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    client.write(request.as_bytes()).unwrap();
    client.read().unwrap()
}

#[test]
fn a_browser_logs_in_over_https_and_follows_the_live_stream() {
    let site = site_with_pair("one");
    let daemon = Daemon::start(command(&site));
    let mut client = connect(&daemon, "one");
    let answer = log_in(&mut client);
    assert_eq!(answer.status, 303, "{}{}", answer.head, answer.body);
    assert!(answer.head.to_ascii_lowercase().contains("location: /incidents/?open=true"), "{}", answer.head);
    let cookie = answer.head.lines().find(|line| line.contains("sessionid=")).unwrap();
    assert!(cookie.contains("; HttpOnly; Secure"), "{cookie}");
    let session = cookie.split("sessionid=").nth(1).unwrap().split(';').next().unwrap();

    let mut stream = connect(&daemon, "one");
    let request =
        format!("GET /live/?wall=w~0~open%3Dtrue HTTP/1.1\r\nHost: test\r\nCookie: sessionid={session}\r\n\r\n");
    stream.write(request.as_bytes()).unwrap();
    let begun = stream.read().unwrap();
    assert_eq!(begun.status, 200, "{}", begun.head);
    assert!(begun.head.contains("text/event-stream"), "{}", begun.head);
    // The stream is open when the server stops.
    drop(client);
    daemon.stop();
}

#[test]
fn plain_http_gets_an_answer_that_helps() {
    let site = site_with_pair("one");
    let daemon = Daemon::start(command(&site));
    let answer = daemon.client().get("/api/v2/incidents/");
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("This port speaks HTTPS"), "{}", answer.body);
    assert_eq!(connect(&daemon, "one").get("/api/v2/incidents/").status, 401);
    daemon.stop();
}

#[test]
fn unfinished_handshakes_hold_up_neither_others_nor_the_end() {
    let site = site_with_pair("one");
    let daemon = Daemon::start(command(&site));
    let mut silent: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(&daemon.address).unwrap()).collect();
    for (number, stream) in silent.iter_mut().enumerate() {
        // Some send the beginning of a record, some nothing.
        if number % 2 == 0 {
            stream.write_all(&[22, 3, 1, 2, 0]).unwrap();
        }
    }
    let mut refused = TcpStream::connect(&daemon.address).unwrap();
    refused.write_all(&[22, 3, 1, 0, 5, b'n', b'o', b'i', b's', b'e']).unwrap();
    refused.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut alert = Vec::new();
    drop(refused.read_to_end(&mut alert));
    drop(refused.shutdown(Shutdown::Both));
    assert_eq!(connect(&daemon, "one").get("/api/v2/incidents/").status, 401);
    // The harness waits for a minute; a handshake may take fifteen seconds.
    daemon.stop();
    drop(silent);
}

#[test]
fn a_reload_replaces_the_certificate_for_new_connections() {
    let site = site_with_pair("one");
    let log = site.path("log");
    let daemon = Daemon::start_with_log(command(&site), fs::File::create(&log).unwrap());
    let said = || fs::read_to_string(&log).unwrap();
    let mut before = connect(&daemon, "one");
    replace_pair(&site, "two");
    daemon.signal("HUP");
    eventually("it was read again", || said().contains("SIGHUP: changed: the TLS certificate"));
    assert_eq!(connect(&daemon, "two").get("/api/v2/incidents/").status, 401);
    assert!(try_connect(&daemon.address, "one").is_err());
    assert_eq!(before.get("/api/v2/incidents/").status, 401, "open connections stay");

    // Half of a renewal.
    fs::copy(fixture("one.key"), site.path("key.pem")).unwrap();
    daemon.signal("HUP");
    eventually("it was refused", || {
        said().contains("the old ones stay in force") && said().contains("does not belong")
    });
    assert_eq!(connect(&daemon, "two").get("/api/v2/incidents/").status, 401);
    drop(before);
    daemon.stop();
}

#[test]
fn a_key_that_others_can_read_is_reported() {
    use std::os::unix::fs::PermissionsExt;
    let site = site_with_pair("one");
    fs::set_permissions(site.path("key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    let log = site.path("log");
    let daemon = Daemon::start_with_log(command(&site), fs::File::create(&log).unwrap());
    let said = fs::read_to_string(&log).unwrap();
    assert!(said.contains("WARN") && said.contains("key.pem (mode 0644); use chmod 600"), "{said}");
    daemon.stop();
}

#[test]
fn an_address_has_its_share_of_connections_over_https_too() {
    let site = site_with_pair("one");
    let mut command = command(&site);
    command.env("ARGUSD_MAX_CONNECTIONS", "2");
    let daemon = Daemon::start(command);
    let first = connect(&daemon, "one");
    let mut second = connect(&daemon, "one");
    assert_eq!(second.get("/api/v2/incidents/").status, 401);
    drop(first);
    assert_eq!(connect(&daemon, "one").get("/api/v2/incidents/").status, 401);
    drop(second);
    daemon.stop();
}

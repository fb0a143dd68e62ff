//! Unix sockets, and sockets that a service manager passes.

use std::{
    fs,
    os::unix::{fs::MetadataExt, net::UnixStream},
    process::{Command, Stdio},
};

use serde_json::json;

use crate::support::{
    daemon::{Client, Daemon, Site, incident, stderr},
    eventually::{PATIENCE, eventually},
};

fn connect(path: &str) -> Client<UnixStream> {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Client::over(stream)
}

#[test]
fn a_unix_socket_serves_and_is_removed_at_the_end() {
    let site = Site::new();
    let token = site.source("tester");
    let path = site.path("http.sock");
    let listen = format!("unix:{}", path.display());
    let daemon = Daemon::start(site.command(&["serve", "--listen", &listen]));
    assert_eq!(daemon.address, path.to_str().unwrap());
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o660);
    let mut client = connect(&daemon.address).with_token(&token);
    assert_eq!(client.post("/api/v2/incidents/", &incident("1")).status, 201);
    assert_eq!(client.get("/api/v2/incidents/").json()["results"].as_array().unwrap().len(), 1);

    // Another server, with a data file of its own, does not take the socket away.
    let other = Site::new();
    let said = other.fails(&["serve", "--listen", &listen]);
    assert!(said.contains(&format!("cannot listen on {listen}: another process listens there")), "{said}");
    assert_eq!(client.get("/api/v2/incidents/").status, 200);

    // Left over from a server that was killed.
    daemon.kill();
    assert!(path.exists());
    let mut command = site.command(&["serve", "--listen", &listen]);
    command.env("ARGUSD_LISTEN_MODE", "0666");
    let daemon = Daemon::start(command);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o666);
    assert_eq!(connect(&daemon.address).get("/api/v2/incidents/").status, 401);
    daemon.stop();
    assert!(!path.exists());

    fs::write(&path, "a file of somebody else").unwrap();
    let said = site.fails(&["serve", "--listen", &listen]);
    assert!(said.contains("there is a file that is not a socket"), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "a file of somebody else");
}

/// Guesses a wrong password as a client that the proxy names. Returns the status.
fn guess(path: &str, client: &str) -> u16 {
    let body = json!({"username": "admin", "password": "wrong"}).to_string();
    let request = format!(
        "POST /api/v2/token-auth/ HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = connect(path);
    connection.write(request.as_bytes()).unwrap();
    connection.read().unwrap().status
}

#[test]
fn a_trusted_unix_socket_names_its_clients() {
    let site = Site::new();
    let listen = format!("unix:{}", site.path("http.sock").display());
    let mut command = site.command(&["serve", "--listen", &listen]);
    command.env("ARGUSD_TRUSTED_PROXIES", "10.0.0.1, unix");
    let daemon = Daemon::start(command);
    eventually("one client has used up its attempts", || guess(&daemon.address, "192.0.2.1") == 429);
    assert_eq!(guess(&daemon.address, "192.0.2.2"), 400, "another client has attempts of its own");
    daemon.stop();

    // Without the word, headers are not believed, and all clients of the socket share their attempts.
    let daemon = Daemon::start(site.command(&["serve", "--listen", &listen]));
    eventually("all have used up their attempts", || guess(&daemon.address, "192.0.2.1") == 429);
    assert_eq!(guess(&daemon.address, "192.0.2.2"), 429);
    daemon.stop();
}

/// Starts a command as a service manager does: with the listening socket that `python` creates as descriptor 3.
fn with_socket(site: &Site, python: &str, args: &[&str]) -> Command {
    let inner = site.command(args);
    let script = format!(
        "import os, socket, sys\n{python}\nos.dup2(s.fileno(), 3)\nos.set_inheritable(3, True)\n\
         os.environ['LISTEN_FDS'] = os.environ.get('NUMBER', '1')\nos.environ['LISTEN_PID'] = str(os.getpid())\n\
         os.execv(sys.argv[1], sys.argv[1:])"
    );
    let mut command = Command::new("python3");
    command
        .args(["-c", &script])
        .arg(inner.get_program())
        .args(args)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(site.path("")).stdin(Stdio::null());
    command
}

const TCP: &str = "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()";

#[test]
fn a_passed_port_is_used() {
    let site = Site::new();
    let daemon = Daemon::start(with_socket(&site, TCP, &["serve"]));
    assert!(daemon.address.starts_with("127.0.0.1:"), "{}", daemon.address);
    assert_ne!(daemon.address, "127.0.0.1:8000");
    assert_eq!(daemon.client().get("/api/v2/incidents/").status, 401);
    daemon.stop();
}

#[test]
fn a_passed_unix_socket_is_used_and_stays() {
    let site = Site::new();
    let path = site.path("passed.sock");
    let create = format!("s = socket.socket(socket.AF_UNIX); s.bind('{}'); s.listen()", path.display());
    let daemon = Daemon::start(with_socket(&site, &create, &["serve"]));
    assert_eq!(daemon.address, path.to_str().unwrap());
    assert_eq!(connect(&daemon.address).get("/api/v2/incidents/").status, 401);
    daemon.stop();
    assert!(path.exists(), "it belongs to the service manager");
}

#[test]
fn it_has_to_be_clear_where_to_listen() {
    let site = Site::new();
    let refusal = |mut command: Command| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{}", stderr(&output));
        stderr(&output)
    };
    let said = refusal(with_socket(&site, TCP, &["serve", "--listen", "127.0.0.1:0"]));
    assert!(said.contains("listen (flag) is set to 127.0.0.1:0: use only one of them"), "{said}");
    let mut two = with_socket(&site, TCP, &["serve"]);
    two.env("NUMBER", "2");
    let said = refusal(two);
    assert!(said.contains("passes 2 sockets, but argusd listens on one"), "{said}");
    let said = refusal(with_socket(&site, "s = socket.socketpair()[0]", &["serve"]));
    assert!(said.contains("Accept=no"), "{said}");
    let datagrams = "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('127.0.0.1', 0))";
    let said = refusal(with_socket(&site, datagrams, &["serve"]));
    assert!(said.contains("something else than a stream socket"), "{said}");
    let mut unix = with_socket(&site, "s = socket.socket(socket.AF_UNIX); s.bind('u.sock'); s.listen()", &["serve"]);
    let tls = |name: &str| format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    unix.env("ARGUSD_TLS_CERT", tls("one.pem")).env("ARGUSD_TLS_KEY", tls("one.key"));
    let said = refusal(unix);
    assert!(said.contains("a Unix socket is not encrypted"), "{said}");
    let said = site.fails(&["serve", "--listen", "127.0.0.1:0", "--listen", "127.0.0.1:1"]);
    assert!(said.contains("cannot be used multiple times"), "{said}");
}

#[test]
fn messages_have_no_links_to_a_socket() {
    let site = Site::new();
    let sink = crate::support::sinks::SmtpSink::start();
    site.ok(&["user", "create", "anna", "--email", "anna@example.org"]);
    let anna = site.ok(&["token", "create", "anna"]);
    let source = site.source("tester");
    let listen = format!("unix:{}", site.path("http.sock").display());
    let mut command = site.command(&["serve", "--listen", &listen]);
    command.env("EMAIL_HOST", "127.0.0.1").env("EMAIL_PORT", sink.port.to_string());
    let daemon = Daemon::start(command);
    let mut client = connect(&daemon.address).with_token(&anna);
    let api = "/api/v2/notificationprofiles";
    let slot = client.get(&format!("{api}/timeslots/")).json()[0]["pk"].clone();
    let destination = client.get(&format!("{api}/destinations/")).json()[0]["pk"].clone();
    let filter = client.post(&format!("{api}/filters/"), &json!({"name": "all", "filter": {"maxlevel": 5}})).pk();
    let profile = json!({"timeslot": slot, "filters": [filter], "destinations": [destination]});
    let created = client.post(&format!("{api}/"), &profile);
    assert_eq!(created.status, 201, "{}", created.body);
    assert_eq!(connect(&daemon.address).with_token(&source).post("/api/v2/incidents/", &incident("1")).status, 201);
    eventually("the mail has arrived", || sink.mails().len() == 1);
    let mail = sink.mails().remove(0);
    assert!(!mail.raw.contains("unix:") && !mail.raw.contains("/incidents/1/"), "{}", mail.raw);
    daemon.stop();
}

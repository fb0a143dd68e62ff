//! Commands for packages and containers: the version, the health check, the manual page and the completions.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread::JoinHandle,
};

use crate::support::daemon::{Site, stderr};

#[test]
fn the_version_names_commit_profile_and_target() {
    let site = Site::new();
    let version = site.ok(&["version"]);
    assert_eq!(site.ok(&["--version"]), version);
    let rest = version.strip_prefix(concat!("argusd ", env!("CARGO_PKG_VERSION"), " (commit ")).unwrap();
    let parts: Vec<&str> = rest.strip_suffix(')').unwrap().split(", ").collect();
    assert_eq!(parts.len(), 3, "{version}");
    assert!(!parts[0].is_empty() && parts[1].starts_with("profile ") && parts[2].contains("linux"), "{version}");
}

#[test]
fn commands_without_data_need_no_settings_and_create_nothing() {
    let site = Site::new();
    for args in [&["version"][..], &["man"], &["completions", "bash"]] {
        let mut command = site.command(args);
        let output = command.env("ARGUSD_CONFIG", "/nonexistent/argusd.toml").output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    }
    assert_eq!(std::fs::read_dir(site.path("")).unwrap().count(), 0);
}

#[test]
fn a_health_check_says_whether_the_server_is_ready() {
    let site = Site::new();
    let ready = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nOK\n";
    let full = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 26\r\n\r\nwrites fail: the disk is full\n";
    for (answer, is_ready, says) in [
        (ready, true, "is ready"),
        (full, false, "is not ready: writes fail: the disk is full (status 503)"),
        ("HTTP/1.1 404 Not Found\r\n\r\n", false, "has no /-/ready"),
        ("220 mail.example.org ESMTP\r\n", false, "it does not speak HTTP"),
        ("", false, "it does not speak HTTP"),
    ] {
        let (address, server) = answer_once(answer);
        // As a server would be told to listen, and as somebody asks from elsewhere.
        let everywhere = address.replace("127.0.0.1", "0.0.0.0");
        let output = site.run(&["health", "--listen", &everywhere]);
        let request = server.join().unwrap();
        assert!(request.starts_with("GET /-/ready HTTP/1.0\r\n"), "{request}");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
        assert_eq!(output.status.code(), Some(i32::from(!is_ready)), "{said}");
        assert!(said.contains(says) && said.lines().count() == 1, "{said}");
    }
    let (address, server) = answer_once(ready);
    site.ok(&["health", "--url", &format!("http://{address}/argusd/")]);
    assert!(server.join().unwrap().starts_with("GET /argusd/-/ready HTTP/1.0\r\n"));
    assert_eq!(std::fs::read_dir(site.path("")).unwrap().count(), 0, "it creates no data file");
}

#[test]
fn a_health_check_fails_where_nothing_answers() {
    let site = Site::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    assert!(site.fails(&["health", "--listen", &closed]).contains("nothing answers at"));
    assert!(site.fails(&["health", "--listen", "127.0.0.1:0"]).contains("port 0 means any free port"));
    assert!(site.fails(&["health", "--url", "ftp://127.0.0.1"]).contains("is no http or https address"));
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    assert!(site.fails(&["health", "--listen", &address]).contains("did not answer within 3 seconds"));
}

#[test]
fn the_manual_page_has_every_command() {
    let site = Site::new();
    let page = site.ok(&["man"]);
    assert!(page.contains(".TH ARGUSD 1"), "{}", &page[..200]);
    let help = site.ok(&["--help"]);
    let commands = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let names = commands.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let mut count = 0;
    for name in names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        assert!(page.contains(&format!(".SS \"argusd {name}")), "{name}");
        count += 1;
    }
    assert!(count > 15, "{help}");
}

#[test]
fn each_shell_has_its_completions() {
    let site = Site::new();
    for (shell, mark) in [("bash", "complete -F _argusd"), ("zsh", "#compdef argusd"), ("fish", "complete -c argusd")] {
        let script = site.ok(&["completions", shell]);
        assert!(script.contains(mark) && script.contains("completions") && script.contains("revoke"), "{script}");
    }
    let mut command = site.command(&["completions", "tcsh"]);
    assert_eq!(command.output().unwrap().status.code(), Some(2));
}

/// Serves one request with this answer. Returns the address, and the request at the end.
fn answer_once(answer: &str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = answer.to_owned();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 1024];
        while !request.ends_with(b"\r\n\r\n") {
            let length = stream.read(&mut buffer).unwrap();
            request.extend_from_slice(&buffer[..length]);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(request).unwrap()
    });
    (address, server)
}

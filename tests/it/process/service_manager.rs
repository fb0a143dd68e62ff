//! What the real program reports to a service manager that speaks the protocol of systemd. The test is the manager.

use std::{io::ErrorKind, os::unix::net::UnixDatagram, process::Command, time::Duration};

use crate::support::{
    daemon::{Client, Daemon, Site, incident},
    eventually::{PATIENCE, eventually},
};

struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn new(site: &Site) -> Self {
        let socket = UnixDatagram::bind(site.path("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket }
    }

    fn command(site: &Site) -> Command {
        let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.env("NOTIFY_SOCKET", site.path("notify"));
        command
    }

    /// The next report. Fails after a long time.
    fn report(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    /// The next report that is no sign of life.
    fn news(&self) -> String {
        loop {
            let report = self.report();
            if report != "WATCHDOG=1\n" {
                return report;
            }
        }
    }

    fn await_sign_of_life(&self) {
        while self.report() != "WATCHDOG=1\n" {}
    }

    /// Whether nothing arrives for two seconds, apart from what has arrived already.
    fn is_silent(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        while self.socket.recv(&mut [0; 4096]).is_ok() {}
        self.socket.set_nonblocking(false).unwrap();
        self.socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let received = self.socket.recv(&mut [0; 4096]);
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        received.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }
}

fn value<'a>(report: &'a str, name: &str) -> &'a str {
    let line = report.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("no {name} in {report:?}"))
}

#[test]
fn start_reload_and_stop_are_reported() {
    let site = Site::new();
    let manager = Manager::new(&site);
    let daemon = Daemon::start(Manager::command(&site));
    let ready = manager.report();
    assert_eq!(value(&ready, "READY"), "1");
    assert_eq!(value(&ready, "STATUS"), format!("Listening on http://{}", daemon.address));
    assert_eq!(daemon.client().get("/api/v2/incidents/").status, 401, "the port is open");

    daemon.signal("HUP");
    let reloading = manager.report();
    assert_eq!(value(&reloading, "RELOADING"), "1");
    assert!(value(&reloading, "MONOTONIC_USEC").parse::<u64>().unwrap() > 0);
    let ready = manager.report();
    assert_eq!(value(&ready, "READY"), "1");
    assert_eq!(value(&ready, "STATUS"), format!("Listening on http://{}", daemon.address));

    daemon.signal("TERM");
    assert_eq!(value(&manager.report(), "STOPPING"), "1");
    assert!(daemon.wait().1.success());
}

#[test]
fn a_manager_that_expects_no_signs_of_life_gets_none() {
    let site = Site::new();
    let manager = Manager::new(&site);
    let mut command = Manager::command(&site);
    // Those of another process.
    command.env("WATCHDOG_USEC", "20000").env("WATCHDOG_PID", "1");
    let daemon = Daemon::start(command);
    assert_eq!(value(&manager.report(), "READY"), "1");
    daemon.signal("HUP");
    assert_eq!(value(&manager.report(), "RELOADING"), "1");
    assert_eq!(value(&manager.report(), "READY"), "1");
    daemon.stop();
}

#[test]
fn a_manager_that_does_not_read_does_not_hold_up_the_server() {
    let site = Site::new();
    let _manager = Manager::new(&site);
    let mut command = Manager::command(&site);
    command.env("WATCHDOG_USEC", "4000");
    let daemon = Daemon::start(command);
    let mut client = daemon.client();
    for _ in 0..50 {
        assert_eq!(client.get("/api/v2/incidents/").status, 401);
        std::thread::sleep(Duration::from_millis(2));
    }
    drop(client);
    daemon.stop();
}

/// A writer that is stuck: no file can grow, so that a batch fails, and the test file that is written before the data
/// file is opened again is a pipe that nobody reads.
#[test]
fn a_stuck_writer_ends_the_signs_of_life() {
    let site = Site::new();
    let token = site.source("tester");
    let manager = Manager::new(&site);
    let probe = site.path("argusd.redb.probe");
    assert!(Command::new("mkfifo").arg(&probe).status().unwrap().success());
    let limit = std::fs::metadata(site.data()).unwrap().len().div_ceil(512);
    let program = Manager::command(&site);
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" serve --listen 127.0.0.1:0")])
        .arg(program.get_program())
        .env_clear()
        .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("WATCHDOG_USEC", "400000")
        .current_dir(site.path(""));
    let daemon = Daemon::start(command);
    assert_eq!(value(&manager.news(), "READY"), "1");
    manager.await_sign_of_life();

    let address = daemon.address.clone();
    let sender = std::thread::spawn(move || {
        let mut number = 0;
        // Until an answer does not come, because its batch waits for the reader of the pipe.
        loop {
            let mut client = Client::connect(&address).with_token(&token);
            let mut body = incident(&number.to_string());
            body["metadata"] = serde_json::json!({"text": "x".repeat(100_000)});
            if client.send("POST", "/api/v2/incidents/", &body.to_string()).is_ok_and(|it| it.status == 201) {
                number += 1;
                continue;
            }
            // The next one opens the file again.
            let mut client = Client::connect(&address).with_token(&token);
            drop(client.send("POST", "/api/v2/incidents/", &incident("last").to_string()));
            return;
        }
    });
    eventually("the manager receives nothing", || manager.is_silent());

    // The reader arrives, the writer goes on, and so do the signs of life.
    let reader = std::fs::File::open(&probe).unwrap();
    manager.await_sign_of_life();
    drop(reader);
    sender.join().unwrap();
    daemon.kill();
}

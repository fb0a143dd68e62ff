//! The real program in a directory of its own, and a small blocking HTTP client to talk to it.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::eventually::{PATIENCE, eventually};

/// A directory with a data file in it, whether or not a server runs on it.
pub struct Site {
    directory: TempDir,
}

impl Site {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// For tests that need no syncing.
    pub fn in_memory() -> Self {
        Self { directory: crate::support::in_memory() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.path("argusd.redb")
    }

    /// The program with this site's data file and nothing of the tester's environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_argusd"));
        command
            .args(args)
            .env_clear()
            .env("ARGUSD_DATA", self.data())
            .env("ARGUSD_ADMIN_PASSWORD", "correct horse")
            .env("TIME_ZONE", "UTC")
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Creates the data file that `args` name, with the accounts of a first start and nothing else.
    pub fn create(&self, args: &[&str]) {
        let made = self.command(&[&["generate", "0"], args].concat()).output().unwrap();
        assert!(made.status.success(), "{}", stderr(&made));
    }

    /// Standard output of a command that has to succeed, without white space at its end. Creates the data file first if
    /// the command needs one.
    pub fn ok(&self, args: &[&str]) -> String {
        const NEED_A_FILE: &[&str] =
            &["user", "token", "source", "channel", "filter", "profile", "incident", "reindex", "check"];
        let flag = args.iter().position(|arg| *arg == "--data").map_or(&[][..], |at| &args[at..at + 2]);
        let data = flag.last().map_or_else(|| self.data(), |path| self.path(path));
        if NEED_A_FILE.contains(&args[0]) && !data.exists() {
            self.create(flag);
        }
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Standard error of a command that has to fail.
    pub fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(!output.status.success(), "{args:?} succeeded");
        stderr(&output)
    }

    pub fn start(&self) -> Daemon {
        Daemon::start(self.command(&["serve", "--listen", "127.0.0.1:0"]))
    }

    /// A token for a new source.
    pub fn source(&self, name: &str) -> String {
        self.ok(&["source", "create", name, "--type", "test", "--token"])
    }
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub struct Daemon {
    child: Child,
    pub address: String,
    /// All that came on standard output.
    rest: Option<BufReader<std::process::ChildStdout>>,
    /// What it wrote on standard error, if nobody else reads that.
    log: Option<File>,
}

impl Daemon {
    /// Starts it and waits until it says that it is ready.
    pub fn start(command: Command) -> Self {
        let log = tempfile::tempfile().unwrap();
        let mut daemon = Self::start_with_log(command, log.try_clone().unwrap());
        daemon.log = Some(log);
        daemon
    }

    /// What it says on standard error goes to `log`.
    pub fn start_with_log(mut command: Command, log: impl Into<Stdio>) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        // The address of a Unix socket is its path.
        let address = ["http://", "https://", "unix:"]
            .iter()
            .find_map(|scheme| line.trim_end().strip_prefix("argusd ready: ")?.strip_prefix(scheme))
            .unwrap_or_else(|| panic!("no ready line but {line:?}"))
            .to_owned();
        Self { child, address, rest: Some(stdout), log: None }
    }

    pub fn client(&self) -> Client {
        Client::connect(&self.address)
    }

    pub fn signal(&self, name: &str) {
        // Every shell has `kill`; as a program of its own it is absent from small systems.
        let kill = format!("kill -{name} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end; what else it said on standard output, and how it ended.
    pub fn wait(mut self) -> (String, ExitStatus) {
        eventually("the server ends", || self.child.try_wait().unwrap().is_some());
        let mut rest = String::new();
        self.rest.take().unwrap().read_to_string(&mut rest).unwrap();
        (rest, self.child.wait().unwrap())
    }

    pub fn stop(self) {
        self.signal("TERM");
        let (rest, status) = self.wait();
        assert_eq!(rest, "", "the ready line is the only one on standard output");
        assert!(status.success(), "{status}");
    }

    /// Like a power cut, for the process.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    /// Ends it. Fails the test if something in it panicked, unless the test fails already.
    fn drop(&mut self) {
        let ignored = self.child.kill().and_then(|()| self.child.wait());
        drop(ignored);
        if let Some(mut log) = self.log.take().filter(|_| !std::thread::panicking()) {
            let mut text = Vec::new();
            log.rewind().unwrap();
            log.read_to_end(&mut text).unwrap();
            let text = String::from_utf8_lossy(&text);
            assert!(!text.contains("panicked at"), "the server panicked: {text}");
        }
    }
}

pub struct Answer {
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// Primary key of what was created.
    #[track_caller]
    pub fn pk(&self) -> u64 {
        assert_eq!(self.status, 201, "{}", self.body);
        self.json()["pk"].as_u64().unwrap()
    }
}

/// One connection that stays open.
pub struct Client<S = TcpStream> {
    stream: BufReader<S>,
    pub token: Option<String>,
}

impl Client {
    pub fn connect(address: &str) -> Self {
        Self::try_connect(address).unwrap()
    }

    pub fn try_connect(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }
}

impl<S: Read + Write> Client<S> {
    pub fn over(stream: S) -> Self {
        Self { stream: BufReader::new(stream), token: None }
    }

    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "").unwrap()
    }

    pub fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &body.to_string()).unwrap()
    }

    pub fn send(&mut self, method: &str, path: &str, body: &str) -> std::io::Result<Answer> {
        let authorization =
            self.token.as_ref().map(|token| format!("Authorization: Token {token}\r\n")).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: test\r\n{authorization}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.write(request.as_bytes())?;
        self.read()
    }

    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    pub fn read(&mut self) -> std::io::Result<Answer> {
        let mut headers = String::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if line == "\r\n" {
                break;
            }
            headers.push_str(&line);
        }
        let status = headers.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let length = headers
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, length)| length.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.stream.read_exact(&mut body)?;
        Ok(Answer { status, head: headers, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

/// An incident as senders post it.
pub fn incident(id: &str) -> Value {
    json!({
        "start_time": "2026-01-02T03:04:05.678901Z",
        "end_time": "infinity",
        "source_incident_id": id,
        "description": format!("Incident {id}"),
        "level": 2,
        "tags": [{"tag": "host=test"}, {"tag": format!("id={id}")}],
    })
}

pub fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777 == 0o600
}

//! `ChromeDriver`: found, started once, ended with the last test that uses it; and how many browsers run at once.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

const BROWSERS_AT_ONCE: usize = 4;

/// Lets the driver run until it ends or its standard input does, which happens also when this process is killed.
const LEASH: &str = r#""$0" --port=0 & driver=$!; exec 1>&-; read -r _; kill "$driver" 2>/dev/null"#;

static RUNNING: Mutex<Weak<Driver>> = Mutex::new(Weak::new());
static BROWSERS: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// Why there can be no browser here.
pub fn missing() -> Option<String> {
    match (chrome(), chromedriver()) {
        (Some(_), Some(_)) => None,
        (None, _) => Some("not run: there is no Chromium in PATH or CHROME".to_owned()),
        (_, None) => Some("not run: there is no chromedriver in PATH or CHROMEDRIVER".to_owned()),
    }
}

pub fn chrome() -> Option<PathBuf> {
    program("CHROME", &["chromium", "chromium-browser", "google-chrome"])
}

fn chromedriver() -> Option<PathBuf> {
    program("CHROMEDRIVER", &["chromedriver"])
}

fn program(variable: &str, names: &[&str]) -> Option<PathBuf> {
    let given = std::env::var_os(variable).filter(|name| !name.is_empty()).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = || {
        names.iter().find_map(|name| std::env::split_paths(&path).map(|place| place.join(name)).find(|it| it.is_file()))
    };
    given.or_else(found)
}

pub struct Driver {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    port: u16,
}

impl Driver {
    /// The one that runs, or a new one.
    pub fn get() -> Arc<Self> {
        let mut running = lock(&RUNNING);
        running.upgrade().unwrap_or_else(|| {
            let driver = Arc::new(Self::start());
            *running = Arc::downgrade(&driver);
            driver
        })
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn start() -> Self {
        let mut child = Command::new("sh")
            .args(["-c", LEASH])
            .arg(chromedriver().unwrap())
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut said = String::new();
        let port = loop {
            assert!(stdout.read_line(&mut said).unwrap() > 0, "chromedriver did not start: {said}");
            if let Some((_, rest)) = said.split_once("started successfully on port ") {
                break rest.trim().trim_end_matches('.').parse().unwrap();
            }
        };
        Self { child, _stdout: stdout, port }
    }

    /// Asked to, it ends its browsers before itself.
    fn ask_to_end(&self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.ask_to_end());
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

/// The right to run some browsers.
pub struct Permit(usize);

impl Permit {
    /// All at once, so that two tests with one of two browsers each cannot wait for each other.
    pub fn take(browsers: usize) -> Self {
        assert!(browsers <= BROWSERS_AT_ONCE);
        let until = Instant::now() + Duration::from_mins(15);
        let mut running = lock(&BROWSERS.0);
        while *running + browsers > BROWSERS_AT_ONCE {
            assert!(Instant::now() < until, "the other browsers do not end");
            let waited = BROWSERS.1.wait_timeout(running, Duration::from_secs(1));
            running = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *running += browsers;
        Self(browsers)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *lock(&BROWSERS.0) -= self.0;
        BROWSERS.1.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

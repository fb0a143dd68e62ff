//! Where messages end up in tests: a mail server and a web server that note all they get, and misbehave on demand.
//!
//! Each runs on a thread of its own, so that tests with and without a runtime can use it. It ends when dropped.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
    sync::oneshot,
};

/// Steps of handing over a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Greeting,
    Auth,
    Sender,
    Recipient,
    Data,
    /// The whole mail has arrived.
    Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mood {
    Accept,
    /// Says this at this step instead of the usual.
    Answer(Step, &'static str),
    /// Says nothing at this step, and keeps the connection.
    Hang(Step),
    /// Waits before the usual answer at this step.
    Delay(Step, Duration),
    /// Reads some of the mail, then closes the connection.
    DropInData,
    /// Closes the connection after each mail, as if it had been idle for too long.
    CloseAfterMail,
}

#[derive(Clone, Debug)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// As it came, with `\n` for line breaks.
    pub raw: String,
    pub connection: usize,
}

impl Mail {
    /// The unfolded value of a header; empty if there is none.
    pub fn header(&self, name: &str) -> String {
        let head = self.raw.split("\n\n").next().unwrap().replace("\n ", " ");
        let wanted = format!("{}:", name.to_ascii_lowercase());
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&wanted)).unwrap_or_default();
        line.get(wanted.len()..).unwrap_or_default().trim().to_owned()
    }
}

#[derive(Default)]
struct SmtpState {
    mood: Option<Mood>,
    of_recipient: HashMap<String, Mood>,
    mails: Vec<Mail>,
    connections: usize,
    /// Commands seen, such as `AUTH`.
    commands: Vec<String>,
}

pub struct SmtpSink {
    pub port: u16,
    state: Arc<Mutex<SmtpState>>,
    _server: Server,
}

impl SmtpSink {
    pub fn start() -> Self {
        Self::start_on(0)
    }

    /// On this port, as a server that comes back.
    pub fn start_on(port: u16) -> Self {
        let state = Arc::new(Mutex::new(SmtpState::default()));
        let shared = Arc::clone(&state);
        let (port, server) = Server::start(port, move |stream| {
            let state = Arc::clone(&shared);
            tokio::spawn(async move {
                let _ = smtp_connection(stream, &state).await;
            });
        });
        Self { port, state, _server: server }
    }

    pub fn set(&self, mood: Mood) {
        self.state.lock().unwrap().mood = Some(mood);
    }

    /// Goes before the general mood once the recipient is known.
    pub fn set_for(&self, recipient: &str, mood: Mood) {
        self.state.lock().unwrap().of_recipient.insert(recipient.to_owned(), mood);
    }

    /// Those that were accepted.
    pub fn mails(&self) -> Vec<Mail> {
        self.state.lock().unwrap().mails.clone()
    }

    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    pub fn saw(&self, command: &str) -> bool {
        self.state.lock().unwrap().commands.iter().any(|seen| seen.starts_with(command))
    }
}

struct Dialogue<'a> {
    state: &'a Mutex<SmtpState>,
    writer: OwnedWriteHalf,
    recipient: Option<String>,
}

impl Dialogue<'_> {
    fn mood(&self) -> Mood {
        let state = self.state.lock().unwrap();
        let special = self.recipient.as_ref().and_then(|recipient| state.of_recipient.get(recipient));
        special.or(state.mood.as_ref()).cloned().unwrap_or(Mood::Accept)
    }

    /// What to say, and whether that is a yes. Never comes if nothing is to be said.
    async fn answer(&self, step: Step, usual: &'static str) -> (&'static str, bool) {
        match self.mood() {
            Mood::Answer(at, text) if at == step => (text, text.starts_with(['2', '3'])),
            Mood::Hang(at) if at == step => std::future::pending().await,
            Mood::Delay(at, time) if at == step => {
                tokio::time::sleep(time).await;
                (usual, true)
            }
            _ => (usual, true),
        }
    }

    async fn say(&mut self, step: Step, usual: &'static str) -> std::io::Result<bool> {
        let (text, yes) = self.answer(step, usual).await;
        self.writer.write_all(format!("{text}\r\n").as_bytes()).await?;
        Ok(yes)
    }
}

async fn smtp_connection(stream: TcpStream, state: &Mutex<SmtpState>) -> std::io::Result<()> {
    let connection = {
        let mut state = state.lock().unwrap();
        state.connections += 1;
        state.connections
    };
    let (reader, writer) = stream.into_split();
    let mut lines = BufReader::new(reader);
    let mut dialogue = Dialogue { state, writer, recipient: None };
    if !dialogue.say(Step::Greeting, "220 sink.example.org ESMTP").await? {
        return Ok(());
    }
    let (mut from, mut to) = (String::new(), Vec::new());
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let command = line.trim_end();
        state.lock().unwrap().commands.push(command.to_owned());
        let verb = command.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let address = || command.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
        match verb.as_str() {
            "EHLO" => {
                let hello = b"250-sink.example.org\r\n250-SIZE 100000000\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN\r\n";
                dialogue.writer.write_all(hello).await?;
            }
            "AUTH" => {
                dialogue.say(Step::Auth, "235 2.7.0 Welcome").await?;
            }
            "MAIL" => {
                (from, to) = (address(), Vec::new());
                dialogue.recipient = None;
                dialogue.say(Step::Sender, "250 2.1.0 Ok").await?;
            }
            "RCPT" => {
                dialogue.recipient = Some(address());
                if dialogue.say(Step::Recipient, "250 2.1.5 Ok").await? {
                    to.push(address());
                }
            }
            "DATA" => {
                if !dialogue.say(Step::Data, "354 Go on").await? {
                    continue;
                }
                if dialogue.mood() == Mood::DropInData {
                    let _ = lines.read_line(&mut line).await?;
                    return Ok(());
                }
                let Some(raw) = read_mail(&mut lines).await? else { return Ok(()) };
                let (text, yes) = dialogue.answer(Step::Content, "250 2.0.0 Taken").await;
                // Before the client knows, so that a test finds the request when its client has the answer.
                if yes {
                    let mail = Mail { from: from.clone(), to: to.clone(), raw, connection };
                    state.lock().unwrap().mails.push(mail);
                }
                dialogue.writer.write_all(format!("{text}\r\n").as_bytes()).await?;
                if dialogue.mood() == Mood::CloseAfterMail {
                    return Ok(());
                }
            }
            "QUIT" => {
                dialogue.writer.write_all(b"221 Bye\r\n").await?;
                return Ok(());
            }
            "RSET" | "NOOP" => dialogue.writer.write_all(b"250 Ok\r\n").await?,
            _ => dialogue.writer.write_all(b"502 What?\r\n").await?,
        }
    }
}

/// A mail server with TLS from the first byte that says yes to everything. Its certificate is up to the test.
pub struct TlsSink {
    pub port: u16,
    _server: Server,
}

impl TlsSink {
    /// `pem` has the certificate and its key.
    pub fn start(pem: &str) -> Self {
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let (port, server) = Server::start(0, move |stream| {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(acceptor.accept(stream).await?);
                stream.write_all(b"220 sink.example.org ESMTP\r\n").await?;
                stream.flush().await?;
                let mut line = String::new();
                while stream.read_line(&mut line).await? > 0 {
                    stream.write_all(b"250 Ok\r\n").await?;
                    stream.flush().await?;
                }
                Ok::<_, std::io::Error>(())
            });
        });
        Self { port, _server: server }
    }
}

async fn read_mail<R: AsyncBufReadExt + Unpin>(lines: &mut R) -> std::io::Result<Option<String>> {
    let mut raw = String::new();
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let text = line.trim_end_matches(['\r', '\n']);
        if text == "." {
            return Ok(Some(raw));
        }
        raw.push_str(text.strip_prefix('.').unwrap_or(text));
        raw.push('\n');
    }
}

#[derive(Clone, Debug)]
pub enum Reply {
    /// With this status and body.
    Status(u16, &'static str),
    Headers(u16, Vec<(&'static str, &'static str)>),
    /// With this status, these headers, and this body.
    Page(u16, Vec<(&'static str, &'static str)>, &'static str),
    RedirectTo(String),
    /// Never.
    Hang,
    /// 200 with a body that never ends.
    Flood,
    /// 200 with a body that never comes.
    HangInBody,
    /// Closes the connection.
    Drop,
}

#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub body: String,
}

#[derive(Default)]
struct HttpState {
    reply: Option<Reply>,
    of_path: HashMap<String, Reply>,
    calls: Vec<Call>,
}

pub struct HttpSink {
    pub port: u16,
    state: Arc<Mutex<HttpState>>,
    _server: Server,
}

impl HttpSink {
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(HttpState::default()));
        let shared = Arc::clone(&state);
        let (port, server) = Server::start(0, move |stream| {
            let state = Arc::clone(&shared);
            tokio::spawn(async move {
                let _ = http_connection(stream, &state).await;
            });
        });
        Self { port, state, _server: server }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn set(&self, reply: Reply) {
        self.state.lock().unwrap().reply = Some(reply);
    }

    pub fn set_for(&self, path: &str, reply: Reply) {
        self.state.lock().unwrap().of_path.insert(path.to_owned(), reply);
    }

    pub fn calls(&self) -> Vec<Call> {
        self.state.lock().unwrap().calls.clone()
    }
}

async fn http_connection(stream: TcpStream, state: &Mutex<HttpState>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    while let Some(call) = read_call(&mut reader).await? {
        let reply = {
            let mut state = state.lock().unwrap();
            let reply = state.of_path.get(&call.path).or(state.reply.as_ref()).cloned();
            state.calls.push(call);
            reply.unwrap_or(Reply::Status(200, "ok"))
        };
        match reply {
            Reply::Status(status, body) => {
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                writer.write_all(head.as_bytes()).await?;
            }
            Reply::Headers(status, headers) => writer.write_all(page(status, &headers, "").as_bytes()).await?,
            Reply::Page(status, headers, body) => writer.write_all(page(status, &headers, body).as_bytes()).await?,
            Reply::RedirectTo(place) => {
                let head = format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n");
                writer.write_all(head.as_bytes()).await?;
            }
            Reply::Hang => std::future::pending().await,
            Reply::HangInBody => {
                writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").await?;
                std::future::pending::<()>().await;
            }
            Reply::Flood => {
                writer.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                loop {
                    writer.write_all(&[b'x'; 16 << 10]).await?;
                }
            }
            Reply::Drop => return Ok(()),
        }
    }
    Ok(())
}

fn page(status: u16, headers: &[(&str, &str)], body: &str) -> String {
    let headers: String = headers.iter().fold(String::new(), |all, &(name, value)| all + name + ": " + value + "\r\n");
    format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

async fn read_call<R: AsyncBufReadExt + Unpin>(reader: &mut R) -> std::io::Result<Option<Call>> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        if line.trim_end().is_empty() {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let mut words = head.first().map(String::as_str).unwrap_or_default().split(' ');
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let headers: HashMap<String, String> = head
        .iter()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await?;
    Ok(Some(Call { method, path, headers, body: String::from_utf8_lossy(&body).into_owned() }))
}

/// A thread that hands connections out.
struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(port: u16, handle: impl Fn(TcpStream) + Send + 'static) -> (u16, Self) {
        let (tell_port, notified) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
                tell_port.send(listener.local_addr().unwrap().port()).unwrap();
                let serve = async {
                    while let Ok((stream, _)) = listener.accept().await {
                        let _ = stream.set_nodelay(true);
                        handle(stream);
                    }
                };
                tokio::select! {
                    () = serve => {}
                    _ = stopped => {}
                }
            });
        });
        (notified.recv().unwrap(), Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

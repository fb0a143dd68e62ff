//! The harness of all tests. [`App`] is a whole server in this process, without a network: router, service and store over a
//! temporary directory, a clock that stands still, and callers of every kind. Dropping it checks that the test left nothing
//! behind ([`checks`]). What a test needs is created with builders ([`builder`]). [`daemon`] runs the real program.

pub mod builder;
pub mod channel;
pub mod checks;
pub mod contact_api;
pub mod daemon;
pub mod destination;
pub mod eventually;
pub mod filter;
pub mod incident;
pub mod outbox;
pub mod profile;
pub mod rule;
pub mod sinks;
pub mod source;
pub mod timeslot;
pub mod user;
pub mod visit;

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use argusd::{
    clock::{Clock, ManualClock},
    domain::{
        attempt::AttemptEnd,
        destination::Destination,
        ids::{DestinationId, TimeslotId, UserId},
        time::Timestamp,
    },
    http::HttpSettings,
    search::Search,
    service::{Caller, MessageSender, Service, Settings, TestOutcome, TokenLife},
    store::{Options, Store},
    web::{self, WebSettings},
};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, header},
};
use chrono_tz::Tz;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use self::checks::ChecksAtEnd;

/// 2026-01-15T12:00:00Z
pub const NOW: i64 = 1_768_478_400_000_000;
pub const MINUTE: i64 = 60_000_000;
pub const PASSWORD: &str = "correct horse";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    Anonymous,
    EndUser,
    Source,
    Staff,
    Superuser,
}

impl Who {
    pub const ALL: [Self; 5] = [Self::Anonymous, Self::EndUser, Self::Source, Self::Staff, Self::Superuser];

    fn username(self) -> &'static str {
        match self {
            Self::Anonymous => "",
            Self::EndUser => "alice",
            Self::Source => "zabbix-src",
            Self::Staff => "stan",
            Self::Superuser => "admin",
        }
    }
}

pub struct App {
    pub service: Service,
    pub clock: Arc<ManualClock>,
    pub local: Caller,
    pub sender: Arc<RecordingSender>,
    tokens: Vec<String>,
    pub router: Router,
    checks: ChecksAtEnd,
    _directory: TempDir,
}

impl App {
    pub async fn new() -> Self {
        Self::with(Settings { time_zone: Tz::Europe__Oslo, ..Settings::default() }).await
    }

    /// Users `admin`, `alice`, `bob`, `stan`, sources `argus` (1) and `zabbix-src` (2).
    pub async fn with(settings: Settings) -> Self {
        let directory = in_memory();
        let clock = still_clock();
        let service = open(directory.path(), &clock, settings);
        let checks = ChecksAtEnd::new(service.store());
        let sender = Arc::new(RecordingSender::default());
        service.notifications().send_through(Arc::clone(&sender) as _);
        service.people().first_start(Some(PASSWORD.into())).await.unwrap();
        let local = service.people().local_caller().unwrap();
        let router = web::with_pages(service.clone(), HttpSettings::default(), WebSettings::default());
        let tokens = vec![String::new()];
        let mut app = Self { service, clock, local, sender, tokens, router, checks, _directory: directory };
        for (name, is_staff) in [("alice", false), ("bob", false), ("stan", true)] {
            let user = app.user(name).email(&format!("{name}@example.org")).first_name(&name.to_uppercase());
            user.staff(is_staff).create().await;
        }
        app.service.sources().create_source_type(&app.local, "zabbix".to_owned()).await.unwrap();
        app.source("zabbix-src", "zabbix").base_url("https://nav.example.org/app/").create().await;
        for who in &Who::ALL[1..] {
            let token = app.new_token(who.username()).await;
            app.tokens.push(token);
        }
        app
    }

    /// Says that the test leaves messages that nothing sends.
    pub fn allow_unsent_messages(&self) {
        self.checks.allow_messages();
    }

    pub fn of(&self, who: Who) -> Client {
        let index = Who::ALL.iter().position(|it| *it == who).unwrap();
        let token = Some(self.tokens[index].clone()).filter(|token| !token.is_empty());
        Client { router: self.router.clone(), token }
    }

    pub fn bearing(&self, token: &str) -> Client {
        Client { router: self.router.clone(), token: Some(token.to_owned()) }
    }

    pub fn user_id(&self, username: &str) -> UserId {
        self.service.directory().user_named(username).unwrap().id
    }

    pub async fn new_token(&self, username: &str) -> String {
        let user = self.user_id(username);
        self.service.people().create_token(&self.local, user, None, TokenLife::Setting).await.unwrap()
    }

    /// The first destination of a user, which is that of the account's address.
    pub fn destination_of(&self, username: &str) -> DestinationId {
        self.service.directory().destinations_of(self.user_id(username))[0].id
    }

    /// The first timeslot of a user, which is always.
    pub fn timeslot_of(&self, username: &str) -> TimeslotId {
        self.service.directory().timeslots_of(self.user_id(username))[0].id
    }
}

/// Notes what would have been sent, and to whom.
#[derive(Default)]
pub struct RecordingSender(Mutex<Vec<(DestinationId, String)>>);

impl RecordingSender {
    pub fn sent(&self) -> Vec<(DestinationId, String)> {
        self.0.lock().unwrap().clone()
    }
}

impl MessageSender for RecordingSender {
    fn test<'a>(&'a self, destination: &'a Destination, username: &'a str) -> BoxFuture<'a, TestOutcome> {
        self.0.lock().unwrap().push((destination.id, username.to_owned()));
        let transcript = vec![format!("to {}", destination.shown()), "250 OK".to_owned()];
        let outcome = TestOutcome { ended: AttemptEnd::Sent, answer: "250 OK".to_owned(), transcript };
        Box::pin(async move { outcome })
    }
}

/// Where syncing costs nothing, if there is such a place: what survives a crash is tested elsewhere.
pub fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// A clock that stands at [`NOW`].
pub fn still_clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::saturating_from_micros(NOW)))
}

/// A service over the data file in a directory, with its index.
pub fn open(directory: &Path, clock: &Arc<ManualClock>, settings: Settings) -> Service {
    let store = open_store(&directory.join("argusd.redb"), Arc::clone(clock) as _);
    let search = Search::open(&store, &directory.join("search")).unwrap();
    Service::new(store, search, settings)
}

pub fn open_store(path: &Path, clock: Arc<dyn Clock>) -> Store {
    Store::open(path, Options::default(), clock).unwrap()
}

pub fn merge(body: &mut Value, fields: Value) {
    let Value::Object(fields) = fields else { panic!("not an object: {fields}") };
    for (name, value) in fields {
        body[name] = value;
    }
}

#[derive(Clone)]
pub struct Client {
    router: Router,
    token: Option<String>,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {} {:?}", self.status, self.text))
    }

    /// Primary key of what was created.
    #[track_caller]
    pub fn pk(&self) -> u64 {
        assert_eq!(self.status, 201, "{}", self.text);
        self.json()["pk"].as_u64().unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and body at once.
    #[track_caller]
    pub fn is(&self, status: u16, body: Value) {
        assert_eq!((self.status, self.json()), (status, body));
    }
}

impl Client {
    pub fn new(router: Router, token: Option<String>) -> Self {
        Self { router, token }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.call(Method::POST, path, Some(body)).await
    }

    /// JSON as it is written here.
    pub async fn post_text(&self, path: &str, body: &str) -> Reply {
        self.call_text(Method::POST, path, Some(body.to_owned())).await
    }

    pub async fn patch_text(&self, path: &str, body: &str) -> Reply {
        self.call_text(Method::PATCH, path, Some(body.to_owned())).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.call(Method::DELETE, path, None).await
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        self.call_text(method, path, body.map(|body| body.to_string())).await
    }

    async fn call_text(&self, method: Method, path: &str, body: Option<String>) -> Reply {
        let request = Request::builder().method(method).uri(path);
        match body {
            Some(body) => {
                let request = request.header(header::CONTENT_TYPE, "application/json");
                self.send(request.body(Body::from(body)).unwrap()).await
            }
            None => self.send(request.body(Body::empty()).unwrap()).await,
        }
    }

    pub async fn send(&self, mut request: Request<Body>) -> Reply {
        let headers = request.headers_mut();
        headers.entry(header::HOST).or_insert("argus.test".parse().unwrap());
        if let Some(token) = &self.token {
            headers.entry(header::AUTHORIZATION).or_insert(format!("Token {token}").parse().unwrap());
        }
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Reply { status: parts.status.as_u16(), headers: parts.headers, text }
    }
}

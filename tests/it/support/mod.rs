//! A whole server in this process, without a network: router, service and store over a temporary directory, a clock that
//! stands still, and callers of every kind.

pub mod contact_api;
pub mod daemon;
pub mod sinks;
pub mod visit;

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use argusd::{
    clock::ManualClock,
    domain::{
        attempt::AttemptEnd,
        destination::Destination,
        ids::{DestinationId, UserId},
        source::SourceDraft,
        time::Timestamp,
        user::UserDraft,
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
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

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
    pub sender: Arc<RecordingCourier>,
    tokens: Vec<String>,
    pub router: Router,
    _directory: TempDir,
}

impl App {
    pub async fn new() -> Self {
        Self::with(Settings { time_zone: Tz::Europe__Oslo, ..Settings::default() }).await
    }

    /// Users `admin`, `alice`, `bob`, `stan`, sources `argus` (1) and `zabbix-src` (2).
    pub async fn with(settings: Settings) -> Self {
        let directory = in_memory();
        let clock = Arc::new(ManualClock::new(Timestamp::saturating_from_micros(NOW)));
        let service = open(directory.path(), &clock, settings);
        let sender = Arc::new(RecordingCourier::default());
        service.notifications().send_through(Arc::clone(&sender) as _);
        service.people().first_start(Some(PASSWORD.into())).await.unwrap();
        let local = service.people().local_caller().unwrap();
        for (username, is_staff) in [("alice", false), ("bob", false), ("stan", true)] {
            let email = format!("{username}@example.org");
            let first_name = username.to_uppercase();
            let new = UserDraft {
                username: Some(username.to_owned()),
                email: Some(email),
                first_name: Some(first_name),
                is_staff: Some(is_staff),
                ..UserDraft::default()
            };
            service.people().create_user(&local, new).await.unwrap();
        }
        service.sources().create_source_type(&local, "zabbix".to_owned()).await.unwrap();
        let source = SourceDraft {
            name: Some("zabbix-src".to_owned()),
            source_type: Some("zabbix".to_owned()),
            base_url: Some("https://nav.example.org/app/".to_owned()),
            ..SourceDraft::default()
        };
        service.sources().create_source(&local, source).await.unwrap();
        let mut tokens = vec![String::new()];
        for who in &Who::ALL[1..] {
            tokens.push(token(&service, &local, who.username()).await);
        }
        let router = web::with_pages(service.clone(), HttpSettings::default(), WebSettings::default());
        Self { service, clock, local, sender, tokens, router, _directory: directory }
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
        token(&self.service, &self.local, username).await
    }

    /// Posted by the source; the primary key.
    pub async fn incident(&self, fields: Value) -> u64 {
        let mut body = json!({"start_time": "2026-01-15T12:00:00+01:00", "tags": []});
        merge(&mut body, fields);
        let reply = self.of(Who::Source).post("/api/v2/incidents/", body).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply.json()["pk"].as_u64().unwrap()
    }
}

/// Notes what would have been sent, and to whom.
#[derive(Default)]
pub struct RecordingCourier(Mutex<Vec<(DestinationId, String)>>);

impl RecordingCourier {
    pub fn sent(&self) -> Vec<(DestinationId, String)> {
        self.0.lock().unwrap().clone()
    }
}

impl MessageSender for RecordingCourier {
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

fn open(directory: &Path, clock: &Arc<ManualClock>, settings: Settings) -> Service {
    let store = Store::open(&directory.join("argusd.redb"), Options::default(), Arc::clone(clock) as _).unwrap();
    let search = Search::open(&store, &directory.join("search")).unwrap();
    Service::new(store, search, settings)
}

async fn token(service: &Service, local: &Caller, username: &str) -> String {
    let user = service.directory().user_named(username).unwrap().id;
    service.people().create_token(local, user, None, TokenLife::Setting).await.unwrap()
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

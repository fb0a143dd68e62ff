//! What comes in before a handler decides: bodies of those without credentials, slow ones, and more than there is memory for.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use argusd::{
    domain::limits,
    http::{HttpSettings, Version, docs, native_openapi, openapi},
    web::{self, WebSettings, router::operations},
};
use axum::{
    Router,
    body::Body,
    http::{Method, Request, header},
};
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};
use tower::ServiceExt;
use utoipa::openapi::OpenApi;

use crate::support::{App, NOW, Reply, Who};

/// Method and path of everything that can be sent a body, with numbers for what is variable.
fn routes() -> BTreeSet<(Method, String)> {
    let of_document = |prefix: &'static str, document: OpenApi| {
        let paths: Vec<_> = document.paths.paths.into_iter().collect();
        paths.into_iter().flat_map(move |(path, item)| {
            let methods: Vec<Method> =
                docs::operations(&item).iter().map(|(method, _)| method.parse().unwrap()).collect();
            let full = if path.starts_with(prefix) { path } else { format!("{prefix}{path}") };
            methods.into_iter().map(move |method| (method, full.clone()))
        })
    };
    let documents = Version::ALL.into_iter().map(|version| (version.prefix(), openapi(version)));
    let documents = documents.chain([("/argusd/v1", native_openapi())]);
    let mut routes: BTreeSet<(Method, String)> =
        documents.flat_map(|(prefix, document)| of_document(prefix, document)).collect();
    routes.extend(operations().into_iter().map(|page| (Method::POST, page.path)));
    for path in ["contacts", "contacts/1", "contactgroups", "contactgroups/1", "channels", "nothing"] {
        for before in ["", "/icingaweb2", "/icinga-issue", "/icinga-current"] {
            for method in [Method::POST, Method::PUT, Method::DELETE] {
                routes.insert((method, format!("{before}/notifications/api/v1/{path}")));
            }
        }
    }
    for path in ["/oidc/api-token-auth/", "/.still-alive/", "/json-schema/email/", "/nothing/", "/api/v2/nothing/"] {
        routes.insert((Method::POST, path.to_owned()));
    }
    let numbered = routes.into_iter().filter(|(method, _)| *method != Method::GET).map(|(method, path)| {
        let segments = path.split('/').map(|segment| if segment.starts_with('{') { "1" } else { segment });
        (method, segments.collect::<Vec<_>>().join("/"))
    });
    numbered.collect()
}

/// The only paths that need a body to find out who calls.
fn takes_passwords(path: &str) -> bool {
    let ends = ["/token-auth/", "/auth/token/login/", "/oidc/api-token-auth/", "/accounts/login/"];
    ends.iter().any(|end| path.ends_with(end))
}

/// A body that notes that somebody wanted to read it.
fn watched(wanted: &Arc<AtomicBool>) -> Body {
    let wanted = Arc::clone(wanted);
    Body::from_stream(stream::poll_fn(move |_| {
        wanted.store(true, Ordering::SeqCst);
        Poll::Ready(Some(Err::<Vec<u8>, _>(std::io::Error::other("the client hung up"))))
    }))
}

async fn send(router: &Router, request: Request<Body>) -> Reply {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let text = String::from_utf8_lossy(&body.collect().await.unwrap().to_bytes()).into_owned();
    Reply { status: parts.status.as_u16(), headers: parts.headers, text }
}

#[tokio::test]
async fn nobody_without_credentials_has_a_large_body_read() {
    let app = App::new().await;
    let credentials = [
        None,
        Some((header::AUTHORIZATION, "Token 0123456789012345678901234567890123456789")),
        Some((header::AUTHORIZATION, "Bearer 0123456789012345678901234567890123456789")),
        Some((header::AUTHORIZATION, "Basic")),
        Some((header::COOKIE, "sessionid=0123456789; csrftoken=0123456789")),
    ];
    let routes = routes();
    assert!(routes.len() > 200, "{}", routes.len());
    for (method, path) in routes {
        for media_type in ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            for credential in &credentials {
                for (length, expected) in [(limits::BODY_BYTES - 1, false), (limits::ANONYMOUS_BODY_BYTES, true)] {
                    let wanted = Arc::default();
                    let mut request = Request::builder()
                        .method(&method)
                        .uri(&path)
                        .header(header::CONTENT_TYPE, media_type)
                        .header(header::CONTENT_LENGTH, length);
                    if let Some((name, value)) = credential {
                        request = request.header(name, *value);
                    }
                    let reply = send(&app.router, request.body(watched(&wanted)).unwrap()).await;
                    let context = format!("{method} {path} {media_type} {credential:?} {length}: {}", reply.status);
                    let expected = expected && takes_passwords(&path) && method == Method::POST;
                    assert_eq!(wanted.load(Ordering::SeqCst), expected, "{context}");
                    if takes_passwords(&path) && !expected && method == Method::POST {
                        assert_eq!(reply.status, 413, "{context}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn endpoints_that_need_no_credentials_accept_a_few_kib() {
    let app = App::new().await;
    for path in ["/api/v1/token-auth/", "/api/v2/token-auth/", "/oidc/api-token-auth/", "/api/v2/auth/token/login/"] {
        let body = json!({"username": "x".repeat(limits::ANONYMOUS_BODY_BYTES), "password": "x"});
        let text = format!("The request's body is larger than {} bytes.", limits::ANONYMOUS_BODY_BYTES);
        app.of(Who::Anonymous).post(path, body.clone()).await.is(413, json!({"detail": text}));
        // A length that is not announced makes no difference.
        let chunks: Vec<_> = body.to_string().into_bytes().chunks(100).map(<[u8]>::to_vec).collect();
        let chunks = Body::from_stream(stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>)));
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json").body(chunks).unwrap();
        assert_eq!(app.of(Who::Anonymous).send(request).await.status, 413, "{path}");
    }
    let form = format!("username={}", "x".repeat(limits::ANONYMOUS_BODY_BYTES));
    let reply = app.of(Who::Anonymous).send(Request::post("/accounts/login/").body(Body::from(form)).unwrap()).await;
    assert_eq!(reply.status, 413);
    assert!(reply.text.contains("<html"), "{}", reply.text);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_refused_after_a_time() {
    let app = App::new().await;
    let settings = HttpSettings { body_timeout: Duration::from_millis(50), ..HttpSettings::default() };
    let router = web::with_pages(app.service.clone(), settings, WebSettings::default());
    let mut visit = crate::support::visit::Visit::of(&app, "alice").await;
    visit.get("/user/").await;
    let session = format!("sessionid={}", visit.cookie("sessionid").unwrap());
    let token = format!("Token {}", app.new_token("alice").await);
    for (path, name, value, is_page) in [
        ("/accounts/login/", header::COOKIE, "csrftoken=x", true),
        ("/user/details/", header::COOKIE, session.as_str(), true),
        ("/api/v2/token-auth/", header::COOKIE, "csrftoken=x", false),
        ("/api/v2/notificationprofiles/filters/", header::AUTHORIZATION, token.as_str(), false),
    ] {
        // The first byte comes at once.
        let silent = stream::iter([Ok::<_, std::io::Error>(b"x".to_vec())]).chain(stream::pending());
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_LENGTH, "1000")
            .header(name, value)
            .body(Body::from_stream(silent))
            .unwrap();
        let reply = tokio::time::timeout(Duration::from_secs(30), send(&router, request)).await;
        let reply = reply.unwrap_or_else(|_| panic!("{path} waits for ever"));
        assert_eq!(reply.status, 408, "{path}: {}", reply.text);
        assert_eq!(reply.text.contains("<html"), is_page, "{path}: {}", reply.text);
    }
}

/// Sends all of a body but its end, and is still sending it when this returns.
async fn half_sent(app: &App, token: &str, path: &str, bytes: usize) -> JoinHandle<Reply> {
    let (arrived, all_but_the_end) = oneshot::channel();
    let chunks = bytes / 65_536;
    let filler = stream::iter(0..chunks).map(|_| Ok::<_, std::io::Error>(vec![b' '; 65_536]));
    // The end is asked for when all before it has been taken.
    let end = stream::once(async move {
        arrived.send(()).unwrap();
        std::future::pending().await
    });
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_LENGTH, bytes + 1)
        .header(header::AUTHORIZATION, format!("Token {token}"))
        .body(Body::from_stream(filler.chain(end)))
        .unwrap();
    let router = app.router.clone();
    let mut answer = tokio::spawn(async move { send(&router, request).await });
    tokio::select! {
        reply = &mut answer => {
            let refused = tokio::spawn(async move { reply.unwrap() });
            // Callers look at whether it is finished.
            while !refused.is_finished() {
                tokio::task::yield_now().await;
            }
            refused
        }
        _ = all_but_the_end => answer,
    }
}

#[tokio::test]
async fn bodies_of_all_connections_have_one_budget() {
    const LARGE: usize = limits::BODY_BYTES - 65_536;
    let app = App::new().await;
    let path = "/api/v2/notificationprofiles/filters/";
    let tokens = [app.new_token("alice").await, app.new_token("stan").await, app.new_token("admin").await];
    let mut sending = Vec::new();
    for token in &tokens {
        for _ in 0..8 {
            sending.push(half_sent(&app, token, path, LARGE).await);
        }
    }
    let bound = limits::LARGE_BODIES_BYTES / limits::BODY_BYTES;
    let gave_way = async {
        while sending.iter().filter(|sending| !sending.is_finished()).count() > bound {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gave_way).await.expect("more is held than there may be");
    let refused: Vec<usize> = (0..sending.len()).filter(|index| sending[*index].is_finished()).collect();
    // Who had most gave way to those who came later.
    assert!(sending[16..].iter().any(|sending| !sending.is_finished()), "{refused:?}");
    for index in refused.into_iter().rev() {
        let reply = sending.remove(index).await.unwrap();
        assert_eq!((reply.status, reply.header("retry-after")), (503, "2"), "{}", reply.text);
        assert!(reply.json()["detail"].as_str().unwrap().contains("Try again"), "{}", reply.text);
    }
    // What is small gets in meanwhile, also from somebody who came last and from one of those.
    app.incident().post().await;
    let filter = json!({"name": "small", "filter": {"open": true}});
    assert_eq!(app.bearing(&tokens[0]).post(path, filter).await.status, 201);
    let mut stranger = crate::support::visit::Visit::stranger(&app);
    assert_eq!(stranger.log_in("admin", crate::support::PASSWORD, "/").await.status, 303);
}

#[tokio::test]
async fn one_user_cannot_take_all_memory_for_bodies() {
    let app = App::new().await;
    let path = "/api/v2/notificationprofiles/filters/";
    let token = app.new_token("alice").await;
    let mut sending = Vec::new();
    for _ in 0..12 {
        sending.push(half_sent(&app, &token, path, limits::BODY_BYTES - 65_536).await);
    }
    let waiting = sending.iter().filter(|sending| !sending.is_finished()).count();
    assert!(waiting <= limits::BODIES_BYTES_PER_HOLDER / limits::BODY_BYTES, "{waiting}");
    let other = half_sent(&app, &app.new_token("bob").await, path, limits::BODY_BYTES - 65_536).await;
    assert!(!other.is_finished());
}

#[tokio::test]
async fn json_with_too_many_values_is_refused() {
    let app = App::new().await;
    let deep = |item: &str| format!("{{\"metadata\": [{}0]}}", format!("{item},").repeat(1_000_000 / (item.len() + 1)));
    for (path, method) in [("/api/v2/incidents/", Method::POST), ("/api/v2/incidents/1/", Method::PATCH)] {
        app.incident().post().await;
        for item in ["0", "[]", "{}"] {
            let request = Request::builder()
                .method(method.clone())
                .uri(path)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(deep(item)))
                .unwrap();
            let expected = json!({"detail": "The request's body holds too many values."});
            app.of(Who::Superuser).send(request).await.is(413, expected);
        }
    }
    let metadata: Value = (0..50_000).collect();
    let time = argusd::domain::time::Timestamp::saturating_from_micros(NOW).to_datetime().to_rfc3339();
    let body = json!({"start_time": time, "tags": [], "metadata": {"readings": metadata}});
    assert_eq!(app.of(Who::Source).post("/api/v2/incidents/", body).await.status, 201);
}

#[tokio::test]
async fn a_search_text_that_is_too_long_matches_nothing() {
    let app = App::new().await;
    app.incident().description("w1 w2").post().await;
    let mut visit = crate::support::visit::Visit::of(&app, "alice").await;
    for (count, done) in [(2, true), (limits::SEARCH_WORDS + 1, false), (300_000, false)] {
        let words: Vec<String> = (0..count).map(|n| format!("w{}", n % 2 + 1 + n / 2 * 2)).collect();
        let view = format!("open=any&q={}", words.join("+"));
        let reply = visit.post("/incidents/bulk/", &[("view", &view), ("all", "1"), ("action", "close")]).await;
        assert_eq!(reply.status, 303, "{}", reply.text);
        assert!(reply.header("location").len() < 4 * limits::SEARCH_TEXT);
        let nothing = reply.headers.get_all(header::SET_COOKIE).iter();
        let nothing = nothing.filter(|cookie| cookie.to_str().unwrap().contains("No%20incidents%20selected"));
        assert_eq!(nothing.count() == 0, done, "{count}");
    }
}

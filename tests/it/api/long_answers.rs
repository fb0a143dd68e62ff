//! Long answers: pages that are limited by bytes, arrays that are written while they are sent, and answers that nobody
//! reads.

use axum::{
    body::Body,
    http::{Method, Request, Response, header},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{App, Who};

const AT: &str = "2026-01-15T12:30:00+01:00";
/// Shorter answers are sent as a whole.
const WHOLE: usize = 64 << 10;

/// The answer as it comes, not read yet.
async fn ask(app: &App, method: Method, path: &str, token: &str) -> Response<Body> {
    let request = Request::builder().method(method).uri(path).header(header::AUTHORIZATION, format!("Token {token}"));
    app.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn read(response: Response<Body>) -> Vec<u8> {
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}

/// An array that is long enough to be written while it is sent.
async fn long_array(app: &App, path: &str, token: &str) -> Vec<Value> {
    let response = ask(app, Method::GET, path, token).await;
    assert_eq!(response.status(), 200, "{path}");
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    assert!(!response.headers().contains_key(header::CONTENT_LENGTH), "{path}");
    let bytes = read(response).await;
    assert!(bytes.len() > WHOLE, "{path}: {} bytes", bytes.len());
    serde_json::from_slice(&bytes).unwrap()
}

async fn with_metadata(app: &App, incidents: usize, bytes: usize) -> Vec<u64> {
    let mut pks = Vec::new();
    for _ in 0..incidents {
        pks.push(app.incident().with(json!({"metadata": {"blob": "x".repeat(bytes)}})).post().await);
    }
    pks.reverse();
    pks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_lists_of_events_and_acknowledgements_are_complete() {
    let app = App::new().await;
    let pk = app.incident().post().await;
    let (source, user) = (app.of(Who::Source), app.of(Who::EndUser));
    for i in 0..40 {
        let body = json!({"type": "OTH", "timestamp": AT, "description": format!("{i} {}", "\"x\"".repeat(3_000))});
        assert_eq!(source.post(&format!("/api/v2/incidents/{pk}/events/"), body).await.status, 201);
    }
    for i in 0..40 {
        let body = json!({"timestamp": AT, "description": format!("{i} {}", "y".repeat(9_000))});
        assert_eq!(user.post(&format!("/api/v2/incidents/{pk}/acks/"), body).await.status, 201);
    }
    let token = app.new_token("alice").await;
    for version in ["v1", "v2"] {
        let events = long_array(&app, &format!("/api/{version}/incidents/{pk}/events/"), &token).await;
        let order: Vec<u64> = events.iter().map(|event| event["pk"].as_u64().unwrap()).collect();
        // All but the first have the same timestamp, which is later.
        assert_eq!(order, (1..=81).rev().collect::<Vec<u64>>());
        assert_eq!(events[79]["description"], format!("0 {}", "\"x\"".repeat(3_000)));
        let acks = long_array(&app, &format!("/api/{version}/incidents/{pk}/acks/"), &token).await;
        let order: Vec<u64> = acks.iter().map(|ack| ack["pk"].as_u64().unwrap()).collect();
        assert_eq!(order, (42..=81).rev().collect::<Vec<u64>>());
    }
    let head = ask(&app, Method::HEAD, &format!("/api/v2/incidents/{pk}/events/"), &token).await;
    assert_eq!(head.status(), 200);
    assert_eq!(read(head).await, b"");
    let unknown = json!({"detail": "No Incident matches the given query."});
    user.get("/api/v2/incidents/99/events/").await.is(404, unknown.clone());
    user.get("/api/v2/incidents/99/acks/").await.is(404, unknown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_lists_of_configuration_are_complete() {
    let app = App::new().await;
    let user = app.of(Who::EndUser);
    let mut filters = Vec::new();
    for i in 0..8 {
        let tags: Vec<String> = (0..14).map(|tag| format!("key{tag}={}", "v".repeat(900))).collect();
        filters.push(user.filter(&format!("filter {i}")).matching(json!({ "tags": tags })).post().await);
    }
    let hour = json!([{"days": [1], "start": "08:00:00", "end": "09:00:00"}]);
    let timeslot = user.timeslot("t").recurrences(hour).post().await;
    for i in 0..3 {
        let body = json!({"name": format!("p{i}"), "timeslot": timeslot, "filters": filters, "active": true});
        assert_eq!(user.post("/api/v2/notificationprofiles/", body).await.status, 201);
    }
    let token = app.new_token("alice").await;
    for version in ["v1", "v2"] {
        let path = format!("/api/{version}/notificationprofiles/filters/");
        let listed = long_array(&app, &path, &token).await;
        assert_eq!(listed.iter().map(|filter| filter["pk"].clone()).collect::<Vec<_>>(), filters);
        user.get(&format!("{path}{}/", filters[3])).await.is(200, listed[3].clone());
        let profiles = long_array(&app, &format!("/api/{version}/notificationprofiles/"), &token).await;
        assert_eq!(profiles.len(), 3);
        assert_eq!(profiles[2]["filters"].as_array().unwrap().len(), 8);
    }
    app.of(Who::Staff).get("/api/v2/notificationprofiles/").await.is(200, json!([]));
    let sources = user.get("/api/v1/incidents/metadata/").await.json();
    assert_eq!(sources["sourceSystems"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_ends_where_its_rows_become_too_large() {
    let app = App::new().await;
    let all = with_metadata(&app, 10, 1_000_000).await;
    let user = app.of(Who::EndUser);
    for size in ["", "page_size=5000"] {
        let (mut path, mut found, mut pages) = (format!("/api/v2/incidents/?{size}"), Vec::new(), Vec::new());
        loop {
            let reply = user.get(&path).await;
            assert!(reply.text.len() < 4_300_000, "{}", reply.text.len());
            let page = reply.json();
            let pks = page["results"].as_array().unwrap().iter().map(|row| row["pk"].as_u64().unwrap());
            found.extend(pks);
            pages.push(page["results"].clone());
            if let Some(next) = page["next"].as_str() {
                next.clone_into(&mut path);
                continue;
            }
            let back = user.get(page["previous"].as_str().unwrap()).await.json();
            // Whatever was asked for before, the rows right before the last page.
            let rows = back["results"].as_array().unwrap();
            assert_eq!(rows.last(), pages[pages.len() - 2].as_array().unwrap().last());
            break;
        }
        assert_eq!((&found, pages.len()), (&all, 3));
    }
    // Without metadata they are small.
    let page = user.get("/api/v1/incidents/").await.json();
    assert_eq!((page["results"].as_array().unwrap().len(), &page["next"]), (10, &Value::Null));
    let open = user.get("/api/v1/incidents/open/").await.json();
    assert_eq!(open.as_array().unwrap().len(), 10);
    let preview = json!({"stateful": true});
    let found = user.post("/api/v2/notificationprofiles/filterpreview/", preview).await.json();
    assert_eq!(found.as_array().unwrap().len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_nobody_reads_are_limited() {
    let app = App::new().await;
    with_metadata(&app, 4, 1_000_000).await;
    let (alice, bob) = (app.new_token("alice").await, app.new_token("bob").await);
    let path = "/api/v2/incidents/";
    let mut unread = Vec::new();
    for _ in 0..8 {
        let response = ask(&app, Method::GET, path, &alice).await;
        assert_eq!(response.status(), 200);
        unread.push(response);
    }
    let refused = ask(&app, Method::GET, path, &alice).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "5");
    let text = "Too many large responses to your account are still being read. Try again in a few seconds.";
    assert_eq!(serde_json::from_slice::<Value>(&read(refused).await).unwrap(), json!({ "detail": text }));
    // Small ones, and those to others, are not concerned.
    assert_eq!(ask(&app, Method::GET, "/api/v2/auth/user/", &alice).await.status(), 200);
    assert_eq!(read(ask(&app, Method::GET, path, &bob).await).await, read(unread.remove(0)).await);
    assert_eq!(ask(&app, Method::GET, path, &alice).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_arrays_are_compressed_for_those_who_want_it() {
    let app = App::new().await;
    with_metadata(&app, 2, 100_000).await;
    let token = app.new_token("alice").await;
    let ids: Vec<u64> = (1_000..6_000).collect();
    for (path, body) in [
        ("/api/v2/notificationprofiles/filterpreview/", json!({"stateful": true})),
        ("/api/v2/incidents/events/bulk/", json!({"ids": ids, "event": {"type": "OTH"}})),
    ] {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Token {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT_ENCODING, "gzip")
            .body(Body::from(body.to_string()));
        let response = app.router.clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip", "{path}");
        let bytes = read(response).await;
        assert!(bytes.starts_with(&[0x1f, 0x8b]) && bytes.len() < 60_000, "{path}: {}", bytes.len());
    }
}

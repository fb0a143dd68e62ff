//! Conventions of the wire: methods, paths, headers, bodies, health and documents (contract sections 1, 2 and 20).

use argusd::domain::user::UserDraft;
use axum::{
    body::Body,
    http::{Method, Request, header},
};
use serde_json::json;

use crate::support::{App, MINUTE, PASSWORD, Who};

#[tokio::test]
async fn every_answer_has_the_common_headers() {
    let app = App::new().await;
    for (who, path) in [(Who::EndUser, "/api/v2/incidents/"), (Who::Anonymous, "/api/v2/incidents/")] {
        let reply = app.of(who).get(path).await;
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.header("allow"), "GET, POST, HEAD, OPTIONS");
        assert!(reply.header("vary").contains("Accept, Cookie, origin"));
        assert_eq!(reply.header("x-frame-options"), "DENY");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("referrer-policy"), "same-origin");
        assert_eq!(reply.header("cross-origin-opener-policy"), "same-origin");
    }
}

#[tokio::test]
async fn checks_come_in_the_order_of_the_contract() {
    let app = App::new().await;
    let anonymous = app.of(Who::Anonymous).delete("/api/v2/incidents/sources/").await;
    anonymous.is(401, json!({"detail": "Authentication credentials were not provided."}));
    assert_eq!(anonymous.header("www-authenticate"), "Token");
    let forbidden = json!({"detail": "You do not have permission to perform this action."});
    app.of(Who::EndUser).delete("/api/v2/incidents/sources/").await.is(403, forbidden.clone());
    app.of(Who::EndUser).post("/api/v2/incidents/sources/", json!([])).await.is(403, forbidden.clone());
    app.of(Who::EndUser).patch("/api/v2/incidents/sources/999/", json!([])).await.is(403, forbidden);
    let refused = app.of(Who::Superuser).delete("/api/v2/incidents/sources/999/").await;
    refused.is(405, json!({"detail": "Method \"DELETE\" not allowed."}));
    assert_eq!(refused.header("allow"), "GET, PUT, PATCH, HEAD, OPTIONS");
    let unknown = app.of(Who::Superuser).patch("/api/v2/incidents/sources/999/", json!([])).await;
    unknown.is(404, json!({"detail": "No SourceSystem matches the given query."}));
    for path in ["/api/v2/incidents/999/", "/api/v2/incidents/999/events/", "/api/v2/incidents/999/acks/"] {
        let method = if path.ends_with("999/") { Method::PATCH } else { Method::POST };
        let unknown = app.of(Who::EndUser).call(method, path, Some(json!(["bad"]))).await;
        unknown.is(404, json!({"detail": "No Incident matches the given query."}));
    }
}

#[tokio::test]
async fn options_needs_the_same_token_as_get() {
    let app = App::new().await;
    let path = "/api/v1/incidents/";
    assert_eq!(app.of(Who::Anonymous).call(Method::OPTIONS, path, None).await.status, 401);
    let reply = app.of(Who::EndUser).call(Method::OPTIONS, path, None).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["name"], "List incidents");
    assert_eq!(app.of(Who::Anonymous).call(Method::OPTIONS, "/api/v1/token-auth/", None).await.status, 200);
}

#[tokio::test]
async fn head_works_where_get_does() {
    let app = App::new().await;
    let pk = app.incident().post().await;
    for path in ["/api/v2/incidents/", "/api/v1/incidents/open/", &format!("/api/v2/incidents/{pk}/")] {
        let reply = app.of(Who::EndUser).call(Method::HEAD, path, None).await;
        assert_eq!((reply.status, reply.text.as_str()), (200, ""), "{path}");
        assert_eq!(reply.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn a_trailing_slash_makes_no_difference() {
    let app = App::new().await;
    let client = app.of(Who::Source);
    let body = json!({"start_time": "2026-01-15T10:00:00", "tags": []});
    assert_eq!(client.post("/api/v2/incidents", body).await.status, 201);
    for path in [
        "/api",
        "/api/v1/incidents",
        "/api/v2/incidents?open=true",
        "/api/v1/incidents/open+unacked",
        "/api/v1/incidents/open%2Bunacked/",
        "/api/v1/incidents/open+unacked/",
    ] {
        assert_eq!(client.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_path_with_an_impossible_key_is_not_found() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    for path in [
        "incidents/abc/",
        "incidents/-1/",
        "incidents/+1/",
        "incidents/99999999999999999999/",
        "incidents/1/events/x/",
        "incidents/x/acks/",
        "auth/users/x/",
        "incidents/sources/x/",
        "incidents/1.5/",
        "incidents/%ff/",
        "incidents/open/",
        "incidents/metadata/",
    ] {
        client.get(&format!("/api/v2/{path}")).await.is(404, json!({"detail": "Not found."}));
    }
    for path in ["/api/v3/incidents/", "/nowhere", "/api/v2/incidents/1/nowhere/", "/api/v1/incidents/events/"] {
        assert_eq!(client.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn unsupported_formats_are_refused() {
    let app = App::new().await;
    let get = |accept: &str, path: &str| {
        Request::builder().uri(path).header(header::ACCEPT, accept).body(Body::empty()).unwrap()
    };
    let client = app.of(Who::EndUser);
    let refused = client.send(get("image/png", "/api/v2/incidents/")).await;
    refused.is(406, json!({"detail": "Could not satisfy the request Accept header."}));
    assert_eq!(client.send(get("text/html", "/api/v2/incidents/")).await.status, 200);
    assert_eq!(client.get("/api/v2/incidents/?format=json").await.status, 200);
    client.get("/api/v2/incidents/?format=xml").await.is(404, json!({"detail": "Not found."}));
}

#[tokio::test]
async fn bodies_come_in_three_formats() {
    let app = App::new().await;
    let client = app.of(Who::Source);
    let send = |kind: &str, body: &str| {
        Request::post("/api/v2/incidents/")
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(body.to_owned()))
            .unwrap()
    };
    let form = "start_time=2026-01-15T10:00&tags[0]tag=a%3Db&tags[1]tag=c%3Dd&level=2&description=x&end_time=";
    let reply = client.send(send("application/x-www-form-urlencoded", form)).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let incident = reply.json();
    assert_eq!(
        (&incident["level"], &incident["end_time"], &incident["tags"][1]["tag"]),
        (&json!(2), &json!(null), &json!("c=d"))
    );
    client
        .send(send("text/plain", "x"))
        .await
        .is(415, json!({"detail": "Unsupported media type \"text/plain\" in request."}));
    let broken = client.send(send("application/json", "{\"a\":")).await;
    assert_eq!(broken.status, 400);
    assert!(broken.json()["detail"].as_str().unwrap().starts_with("JSON parse error - "));
    let huge = "x".repeat((4 << 20) + 1);
    assert_eq!(client.send(send("application/json", &huge)).await.status, 413);
    let missing = json!({"start_time": ["This field is required."], "tags": ["This field is required."]});
    client.send(send("application/json", "")).await.is(400, missing);
}

#[tokio::test]
async fn a_refused_token_gets_a_reason() {
    let app = App::new().await;
    let with = |value: &str| {
        Request::get("/api/v2/auth/user/").header(header::AUTHORIZATION, value).body(Body::empty()).unwrap()
    };
    let anonymous = app.of(Who::Anonymous);
    for (value, text) in [
        ("Bearer x", "Authentication credentials were not provided."),
        ("Basic eDp5", "Authentication credentials were not provided."),
        ("Token", "Invalid token header. No credentials provided."),
        ("Token a b", "Invalid token header. Token string should not contain spaces."),
        ("Token 0123", "Invalid token."),
    ] {
        let reply = anonymous.send(with(value)).await;
        reply.is(401, json!({ "detail": text }));
        assert_eq!(reply.header("www-authenticate"), "Token");
    }
    let token = app.new_token("alice").await;
    assert_eq!(anonymous.send(with(&format!("tOkEn {token}"))).await.status, 200);
    app.clock.advance_micros(15 * 24 * 60 * MINUTE);
    anonymous.send(with(&format!("Token {token}"))).await.is(401, json!({"detail": "Token has expired."}));
    anonymous.send(with(&format!("Token {token}"))).await.is(401, json!({"detail": "Invalid token."}));
}

#[tokio::test]
async fn deactivated_users_get_a_reason() {
    let app = App::new().await;
    app.service.people().deactivate(&app.local, app.user_id("alice")).await.unwrap();
    app.of(Who::EndUser).get("/api/v2/auth/user/").await.is(401, json!({"detail": "User inactive or deleted."}));
}

#[tokio::test]
async fn metadata_and_documents_need_no_token() {
    let app = App::new().await;
    let client = app.of(Who::Anonymous);
    let metadata = client.get("/api/").await;
    assert_eq!((metadata.status, &metadata.json()["api-version"]["stable"]), (200, &json!("v2")));
    assert_eq!(metadata.json()["jsonapi-schema"]["v1"], "/api/v1/schema/");
    for method in [Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::OPTIONS] {
        let alive = client.call(method, "/.still-alive/", None).await;
        assert_eq!((alive.status, alive.text.as_str()), (204, ""));
    }
    for path in ["/api/schema/", "/api/v1/schema/", "/api/v2/schema/"] {
        let yaml = client.get(path).await;
        assert_eq!((yaml.status, yaml.header("content-type")), (200, "application/vnd.oai.openapi"));
        assert!(yaml.text.starts_with("openapi: 3."), "{}", &yaml.text[..40]);
        let document = client.get(&format!("{path}?format=json")).await;
        assert_eq!(document.header("content-type"), "application/vnd.oai.openapi+json");
        assert!(document.json()["paths"].is_object());
        let page = client.get(&format!("{path}swagger-ui/")).await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-security-policy").contains("default-src 'self'"));
        let script = client.get(&format!("{path}swagger-ui/swagger-initializer.js")).await;
        assert!(script.text.contains(&format!("{path}?format=json")), "{}", script.text);
    }
}

#[tokio::test]
async fn long_answers_are_compressed_for_those_who_ask() {
    let app = App::new().await;
    let get = |path: &str| Request::get(path).header(header::ACCEPT_ENCODING, "gzip").body(Body::empty()).unwrap();
    let client = app.of(Who::EndUser);
    let pk = app.incident().description("x".repeat(5000)).post().await;
    let long = client.send(get(&format!("/api/v2/incidents/{pk}/"))).await;
    assert_eq!((long.status, long.header("content-encoding")), (200, "gzip"));
    assert_eq!(client.send(get("/api/v2/incidents/sources/")).await.header("content-encoding"), "");
    assert_eq!(client.get(&format!("/api/v2/incidents/{pk}/")).await.header("content-encoding"), "");
}

#[tokio::test]
async fn a_password_is_exchanged_for_a_token() {
    let app = App::new().await;
    let client = app.of(Who::Anonymous);
    let good = json!({"username": "admin", "password": PASSWORD});
    for path in ["/api/v1/token-auth/", "/api/v2/token-auth/", "/oidc/api-token-auth/"] {
        let reply = client.post(path, good.clone()).await;
        assert_eq!(reply.status, 200, "{path} {}", reply.text);
        assert_eq!(reply.header("cache-control"), "no-store", "{path}");
        let token = reply.json()["token"].as_str().unwrap().to_owned();
        assert_eq!(token.len(), 40);
        assert_eq!(app.bearing(&token).get("/api/v1/auth/user/").await.status, 200);
    }
    let wrong = json!({"non_field_errors": ["Unable to log in with provided credentials."]});
    client.post("/api/v2/token-auth/", json!({"username": "admin", "password": "x"})).await.is(400, wrong.clone());
    client.post("/api/v2/token-auth/", json!({"username": "nobody", "password": "x"})).await.is(400, wrong);
    let missing = json!({"username": ["This field is required."], "password": ["This field is required."]});
    client.post("/api/v2/token-auth/", json!({})).await.is(400, missing);
}

#[tokio::test]
async fn too_many_failed_logins_have_to_wait() {
    let app = App::new().await;
    let body = json!({"username": "admin", "password": "wrong"});
    for _ in 0..50 {
        let reply = app.of(Who::Anonymous).post("/api/v2/token-auth/", body.clone()).await;
        if reply.status == 429 {
            assert!(reply.header("retry-after").parse::<u64>().unwrap() > 0);
            assert!(reply.json()["detail"].is_string());
            return;
        }
        assert_eq!(reply.status, 400);
    }
    panic!("fifty wrong passwords in a row");
}

#[tokio::test]
async fn login_tokens_are_created_and_revoked() {
    let app = App::new().await;
    let client = app.of(Who::Anonymous);
    let login = client.post("/api/v2/auth/token/login/", json!({"username": "admin", "password": PASSWORD})).await;
    assert_eq!(login.status, 200, "{}", login.text);
    assert_eq!(login.header("cache-control"), "no-store");
    assert_eq!(login.json()["expiry"], "2026-01-15T23:00:00+01:00");
    let first = login.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(first.len(), 64);
    let second = app.bearing(&first).call(Method::POST, "/api/v2/auth/token/login/", None).await;
    let second = second.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(app.bearing(&first).call(Method::POST, "/api/v2/auth/token/logout/", None).await.status, 204);
    app.bearing(&first).get("/api/v2/auth/user/").await.is(401, json!({"detail": "Invalid token."}));
    assert_eq!(app.bearing(&second).call(Method::POST, "/api/v2/auth/token/logoutall", None).await.status, 204);
    assert_eq!(app.bearing(&second).get("/api/v2/auth/user/").await.status, 401);
    let classic = app.of(Who::EndUser).call(Method::POST, "/api/v2/auth/token/logout/", None).await;
    classic.is(401, json!({"detail": "Invalid token."}));
}

#[tokio::test]
async fn a_failed_login_is_answered_with_403() {
    let app = App::new().await;
    let client = app.of(Who::Anonymous);
    let path = "/api/v2/auth/token/login/";
    client
        .call(Method::POST, path, None)
        .await
        .is(403, json!({"detail": "Authentication credentials were not provided."}));
    for body in [json!({"username": "admin", "password": "x"}), json!({"username": "admin"}), json!([])] {
        let reply = client.post(path, body).await;
        assert_eq!(reply.status, 403);
        assert!(reply.json()["detail"].is_string());
    }
    let form = Request::post(path)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(format!("username=admin&password={PASSWORD}")))
        .unwrap();
    assert_eq!(client.send(form).await.status, 403);
}

#[tokio::test]
async fn tokens_are_refreshed_and_revoked() {
    let app = App::new().await;
    let client = app.of(Who::EndUser);
    let reply = client.call(Method::POST, "/api/v2/auth/refresh-token/", None).await;
    assert_eq!(reply.header("cache-control"), "no-store");
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(client.get("/api/v2/auth/user/").await.status, 401);
    let fresh = app.bearing(&token);
    let end = fresh.call(Method::POST, "/api/v2/auth/logout/", None).await;
    assert_eq!((end.status, end.text.as_str()), (200, ""));
    assert!(end.header("set-cookie").starts_with("token=;"));
    assert_eq!(fresh.get("/api/v2/auth/user/").await.status, 401);
    assert_eq!(app.of(Who::Anonymous).call(Method::POST, "/api/v1/auth/logout/", None).await.status, 200);
}

#[tokio::test]
async fn refreshing_takes_a_classic_token() {
    let app = App::new().await;
    let login = app.of(Who::EndUser).call(Method::POST, "/api/v2/auth/token/login/", None).await;
    let login = app.bearing(login.json()["token"].as_str().unwrap());
    app.of(Who::EndUser).call(Method::POST, "/api/v2/auth/logout/", None).await;
    let text = "No token for the user 'alice' exists, one needs to be created in the admin interface.";
    login.call(Method::POST, "/api/v2/auth/refresh-token/", None).await.is(400, json!([text]));
}

#[tokio::test]
async fn answers_to_callers_are_not_cached() {
    let app = App::new().await;
    for path in ["/api/v1/incidents/", "/api/v2/auth/user/", "/argusd/v1/rules/", "/notifications/api/v1/contacts"] {
        assert_eq!(app.of(Who::Superuser).get(path).await.header("cache-control"), "no-store", "{path}");
    }
    let file = app.of(Who::Anonymous).get("/static/tokens.css").await;
    assert_ne!(file.header("cache-control"), "no-store", "{}", file.status);
}

#[tokio::test]
async fn tokens_of_inactive_users_are_refused() {
    let app = App::new().await;
    app.service.people().set_password(&app.local, app.user_id("alice"), PASSWORD).await.unwrap();
    let credentials = json!({"username": "alice", "password": PASSWORD});
    let anonymous = app.of(Who::Anonymous);
    let exchanged = anonymous.post("/api/v2/token-auth/", credentials.clone()).await.json()["token"].clone();
    let login = anonymous.post("/api/v2/auth/token/login/", credentials.clone()).await.json()["token"].clone();
    let by_hand = app.of(Who::EndUser);
    let path = "/api/v2/auth/user/";
    let by_password = async |status: u16, detail: &str| {
        for token in [&exchanged, &login] {
            app.bearing(token.as_str().unwrap()).get(path).await.is(status, json!({ "detail": detail }));
        }
    };
    app.service.people().deactivate(&app.local, app.user_id("alice")).await.unwrap();
    by_password(401, "User inactive or deleted.").await;
    by_hand.get(path).await.is(401, json!({"detail": "User inactive or deleted."}));
    let change = UserDraft { is_active: Some(true), ..UserDraft::default() };
    app.service.people().change_user(&app.local, app.user_id("alice"), change).await.unwrap();
    by_password(401, "Invalid token.").await;
    assert_eq!(by_hand.get(path).await.status, 200);
    assert_eq!(anonymous.post("/api/v2/token-auth/", credentials).await.status, 200);
}

#[tokio::test]
async fn users_are_read_by_every_caller() {
    let app = App::new().await;
    let alice = json!({"username": "alice", "first_name": "ALICE", "last_name": "", "email": "alice@example.org"});
    let path = format!("auth/users/{}/", app.user_id("alice"));
    for version in ["v1", "v2"] {
        app.of(Who::Source).get(&format!("/api/{version}/{path}")).await.is(200, alice.clone());
        let unknown = app.of(Who::Source).get(&format!("/api/{version}/auth/users/999/")).await;
        unknown.is(404, json!({"detail": "No User matches the given query."}));
    }
    let mut v1 = alice.clone();
    v1["phone_numbers"] = json!([]);
    app.of(Who::EndUser).get("/api/v1/auth/user/").await.is(200, v1);
    let mut v2 = alice;
    v2["admin_url"] = json!(null);
    app.of(Who::EndUser).get("/api/v2/auth/user/").await.is(200, v2);
    assert_eq!(app.of(Who::Staff).get("/api/v2/auth/user/").await.json()["admin_url"], "http://argus.test/admin/");
}
